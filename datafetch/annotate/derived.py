"""What a maker of derived documents is given and gives: the door between pure makers and the disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Inputs(Protocol):
    """What other artifacts hold, by the role that the recipe gives it. An absent input is None, or no paths."""

    def name(self, role: str) -> str:
        """The file of a role as a person knows it, also when it is absent."""

    def lines(self, role: str) -> Iterator[bytes] | None:
        """The lines of a file, one at a time and of bounded length, ends included."""

    def whole(self, role: str) -> bytes | None:
        """A document that fits into memory."""

    def paths(self, role: str) -> Sequence[str]:
        """The files of a role, below the dataset's folder, sorted."""

    def decodable(self, paths: Collection[str]) -> frozenset[str]:
        """Those of these pictures that decode."""

    def image_path(self, path: str) -> str:
        """What a record says of where a picture is."""


@dataclass(frozen=True, slots=True)
class Derived:
    documents: Mapping[
        str, Iterator[bytes]
    ]  # path inside the artifact -> its bytes, made as they are written
    summary: Mapping[str, object]  # numbers by what they count; a map of them one level deep
    notes: tuple[str, ...] = field(default=())


Settings = Mapping[str, str]
DerivedMaker = Callable[[Inputs, Settings], Derived]
