"""What unpacking leaves: a fresh folder of staged files, and a record of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import DatafetchError
from datafetch.model import FileRecord
from datafetch.store.files import make_folder, remove_tree


@dataclass(frozen=True, slots=True)
class Extracted:
    records: tuple[FileRecord, ...]  # of the files now in the staging folder, in the order of the archive
    skipped: Mapping[str, int]  # members that have no place in the tree, counted by why
    root: str = ""  # what `<root>` of the layout stood for


@dataclass(frozen=True, slots=True)
class Origin:
    """What every record of one artifact says of where its bytes are from."""

    artifact: str
    url: str
    fetched_at: str

    def record(self, path: str, size: int, sha256: str, member: str) -> FileRecord:
        return FileRecord(path, size, sha256, self.url, self.fetched_at, self.artifact, member)


@contextmanager
def fresh(into: Path) -> Iterator[None]:
    """An empty folder; gone again when the block fails."""
    remove_tree(into)
    make_folder(into)
    try:
        yield
    except BaseException:
        with suppress(DatafetchError):  # the first error is the one to tell; the next run removes the rest
            remove_tree(into)
        raise
