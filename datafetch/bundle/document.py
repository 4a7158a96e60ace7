"""bundle.json: what a bundle holds, and what an import must come to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from datafetch.bundle.names import DOCUMENT, SUMS
from datafetch.errors import UsageError
from datafetch.model import Choice, Settings, Subset, Window
from datafetch.store.files import write_atomic

FORMAT = 1


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `get` that the dataset is the result of: all that changes what is fetched."""

    picked: tuple[tuple[str, str], ...] = ()
    only: tuple[str, ...] = ()
    everything: bool = False
    window: Window | None = Window()
    subset: Subset | None = Subset()
    min_complete: float | None = None

    @classmethod
    def of(cls, choice: Choice, settings: Settings) -> Ask:
        return cls(
            picked=choice.picked,
            only=choice.only,
            everything=choice.everything,
            window=settings.window,
            subset=settings.subset,
            min_complete=settings.min_complete,
        )

    def __str__(self) -> str:
        """As it is typed after `get NAME`."""
        said = [f"--{name}" if value == "true" else f"--{name} {value}" for name, value in self.picked]
        said += [f"--only {','.join(self.only)}"] if self.only else []
        said += ["--all"] if self.everything else []
        if self.window is not None and self.window != Window():
            said.append(f"--first {self.window.first}")
            said += (
                [f"--count {self.window.last - self.window.first + 1}"]
                if self.window.last is not None
                else []
            )
        said += [str(self.subset)] if self.subset else []
        said += [f"--min-complete {self.min_complete:g}%"] if self.min_complete is not None else []
        return " ".join(said)

    @property
    def choice(self) -> Choice:
        return Choice(self.picked, self.only, self.everything)

    def settings(self, how: Settings) -> Settings:
        """`how`, for what this asks for."""
        return replace(how, window=self.window, subset=self.subset, min_complete=self.min_complete)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the bundle holds of one artifact."""

    name: str
    bytes: int
    files: int
    missing: int = 0  # rows of a list that ended without a file: they stand in MISSING


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One dataset, and how its import must end."""

    name: str
    recipe: str  # path in the bundle
    recipe_sha256: str
    asks: tuple[Ask, ...]
    tree_digest: str
    exit_code: int
    counts: Mapping[str, int]
    artifacts: tuple[Part, ...]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: int = FORMAT
    made_by: str = ""
    groups: tuple[str, ...] = ()  # of recipes: a `get` that is served may name them
    datasets: tuple[Dataset, ...] = ()

    def dataset(self, name: str) -> Dataset | None:
        return next((one for one in self.datasets if one.name == name), None)


class _Format(msgspec.Struct):
    format: int


def read(where: Path) -> Document:
    """What stands in a bundle; an empty one where no export has ended. UsageError for what cannot be read."""
    path = where / DOCUMENT
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Document()
    try:
        said = msgspec.json.decode(data, type=_Format).format
        if said != FORMAT:
            raise UsageError(f"{path} has the format {said}, expected {FORMAT}", "use a newer datafetch")
        return msgspec.json.decode(data, type=Document)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is no list of a bundle: {error}", "export into another folder") from None


def write(where: Path, document: Document) -> str:
    """Replace it, durably; its SHA-256."""
    data = msgspec.json.format(msgspec.json.encode(document)) + b"\n"
    write_atomic(where / DOCUMENT, data)
    return hashlib.sha256(data).hexdigest()


def sums_digest(where: Path) -> str:
    """SHA-256 of SHA256SUMS: two bundles with the same one hold the same."""
    with (where / SUMS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
