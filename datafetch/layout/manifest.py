"""The manifest: a line per published file, sorted by path bytes, and the digest of the tree it describes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

import msgspec

from datafetch.errors import Damaged
from datafetch.model import FileRecord
from datafetch.store.faults import user_errors
from datafetch.store.files import atomic_file
from datafetch.store.inventory import Entry
from datafetch.store.lines import merged, read_lines, salvaged
from datafetch.store.stock import Digest, Named

T = TypeVar("T")

_BATCH = 1000  # lines that are encoded before they are written


class Line(msgspec.Struct, omit_defaults=True, gc=False):
    """A FileRecord as it is written."""

    path: str
    size: int
    sha256: str
    url: str
    fetched_at: str
    artifact: str = ""
    member: str = ""
    width: int | None = None
    height: int | None = None


class _Size(msgspec.Struct, gc=False):
    path: str
    size: int


def path_bytes(path: str) -> bytes:
    """What paths are sorted by and hashed as, the same under every locale."""
    return path.encode("utf-8", "surrogateescape")


def read(path: Path) -> list[FileRecord]:
    """Every record of the manifest; none when there is no manifest. Damaged for a line that is not one."""
    return [_record(line) for line in _lines(path, msgspec.json.Decoder(Line))]


def entries(path: Path) -> list[Entry]:
    """`read`, but only what a verification needs of each record: in a third of the time."""
    try:
        with user_errors(path):
            return list(read_lines(path, Entry))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(f"{path}: not a manifest: {error}", hint="datafetch get builds it anew") from error


def salvage(path: Path) -> Iterator[FileRecord]:
    """`read`, one at a time, but lines that are no records are passed over: their artifacts will count as not built."""
    with user_errors(path):
        yield from map(_record, salvaged(path, Line))


def with_seals(path: Path, seals: Sequence[Path]) -> Iterator[Line]:
    """What the manifest has once the files of these seals stand in it: sorted by path bytes, a path once. It is read
    as it comes, never held; `path` may be replaced meanwhile.
    """
    with user_errors(path):
        yield from merged((path, *seals), Line)


def sizes(path: Path) -> dict[str, int]:
    """Path to size of every record, reading nothing else of it; as `read` otherwise."""
    return {line.path: line.size for line in _lines(path, msgspec.json.Decoder(_Size))}


def write(path: Path, records: Iterable[FileRecord]) -> None:
    """Replace the manifest, durably; a reader sees the old one or the new one, whole."""
    ordered = sorted(records, key=lambda record: path_bytes(record.path))
    write_sorted(path, map(_line, ordered))


def write_sorted(path: Path, lines: Iterable[Line]) -> None:
    """`write` what comes sorted by path bytes, as it comes."""
    encode, rest = msgspec.json.Encoder().encode_lines, iter(lines)
    with atomic_file(path) as file:
        while some := list(islice(rest, _BATCH)):
            file.write(encode(some))


def tree_digest(records: Iterable[Named]) -> str:
    """SHA-256 of the lines `<sha256>  <path>`, sorted by path bytes; paths are never escaped."""
    # Texts sort as their UTF-8 bytes do, so the manifest's own order is right already and sorting it is one pass.
    digest = Digest()
    digest.add(sorted(records, key=attrgetter("path")))
    return digest.hexdigest()


def _record(line: Line) -> FileRecord:
    return FileRecord(
        path=line.path,
        size=line.size,
        sha256=line.sha256,
        url=line.url,
        fetched_at=line.fetched_at,
        artifact=line.artifact,
        member=line.member,
        width=line.width,
        height=line.height,
    )


def _line(record: FileRecord) -> Line:
    return Line(
        record.path,
        record.size,
        record.sha256,
        record.url,
        record.fetched_at,
        record.artifact,
        record.member,
        record.width,
        record.height,
    )


def _lines(path: Path, decoder: msgspec.json.Decoder[T]) -> list[T]:
    if not path.exists():
        return []
    try:
        with user_errors(path), open(path, "rb") as file:
            return [decoder.decode(line) for line in file]
    except msgspec.MsgspecError as error:
        raise Damaged(f"{path}: not a manifest: {error}", hint="datafetch get builds it anew") from error
