"""Seals: the files that say of what is staged that it is complete, and what it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

import msgspec

from datafetch.model import FileRecord
from datafetch.store.files import atomic_file, remove_tree, user_errors
from datafetch.store.lines import read_lines

T = TypeVar("T")

TOGETHER = 1000  # records that are encoded before they are written, or looked at before others are read


def seal(state: Path, slug: str, records: Iterable[FileRecord]) -> None:
    """Declare `staging/<slug>` complete. Its files must be durable before."""
    encode, rest = msgspec.json.Encoder().encode_lines, iter(records)
    with atomic_file(seal_of(state, slug)) as file:
        while some := list(islice(rest, TOGETHER)):
            file.write(encode(some))


def by_path(records: Iterable[FileRecord]) -> list[FileRecord]:
    """As the manifest will have them: a seal in this order is merged into it without going back and forth."""
    return sorted(records, key=attrgetter("path"))


def sealed(state: Path, slug: str) -> tuple[FileRecord, ...] | None:
    """The files of a staged artifact, all at once; None when it is not sealed."""
    path = seal_of(state, slug)
    with user_errors(path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    return tuple(msgspec.json.Decoder(FileRecord).decode_lines(data))


def staged_records(state: Path, slug: str) -> Iterator[FileRecord]:
    """The files of a staged artifact, one at a time; none when it is not sealed."""
    return read_seal(seal_of(state, slug), FileRecord)


def staged_paths(state: Path, slug: str) -> Iterator[str]:
    """The paths of a staged artifact, one at a time; none when it is not sealed."""
    return (line.path for line in read_seal(seal_of(state, slug), Staged))


class Staged(msgspec.Struct, gc=False):
    """What publishing needs of a sealed file; the rest is not even decoded."""

    path: str
    size: int
    artifact: str = ""


def read_seal(path: Path, kind: type[T]) -> Iterator[T]:
    """The lines of a seal, one at a time; none when there is no such file."""
    with user_errors(path):
        yield from read_lines(path, kind)


def drop_seals(state: Path, slugs: Iterable[str]) -> None:
    """Forget that these artifacts are staged and remove what is left of it; may be called twice.

    `staging` itself stays: another artifact may be on its way into it.
    """
    for slug in slugs:
        remove_tree(seal_of(state, slug))
        remove_tree(state / "staging" / slug)


def seal_of(state: Path, slug: str) -> Path:
    """The file that says what an artifact has staged."""
    return state / "staging" / f"{slug}.jsonl"
