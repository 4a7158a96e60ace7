"""The directory of a zip that lies elsewhere: read from the few bytes of it that are here, and kept for later runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from datafetch.archive.directory import LOCAL_SIZE, read_directory
from datafetch.archive.members import DEFAULT_LIMITS, Limits, Member, check_members
from datafetch.errors import UnsafeArchive
from datafetch.store.files import atomic_file

TAIL = (
    22 + 65_535 + 76
)  # bytes at the end in which the end records lie: with the longest comment, and zip64's
MOST = 256 << 20  # bytes of a directory that is held in memory: two million members and more

_EXTRA = 64  # bytes of extra fields that local headers seldom exceed


class Lacking(Exception):  # a question, and no error
    """Bytes that are not here are needed to go on."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.start, self.end = start, end


@dataclass(frozen=True, slots=True)
class Held:
    """Some bytes of a file of `size` bytes: each span begins at its offset."""

    size: int
    spans: tuple[tuple[int, bytes], ...] = ()

    def pread(self, length: int, offset: int) -> bytes:
        """Raises Lacking for bytes that are not held."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        lacking = end
        for start, data in self.spans:
            if start <= offset and end <= start + len(data):
                return data[offset - start : end - start]
            if offset < start < end <= start + len(data):
                lacking = start
        raise Lacking(offset, lacking)

    def holding(self, start: int, data: bytes) -> Held:
        """The same with the bytes that were Lacking; what follows on them is one span with them."""
        after = next((span for span in self.spans if span[0] == start + len(data)), None)
        others = tuple(span for span in self.spans if span is not after)
        return Held(self.size, (*others, (start, data + (after[1] if after else b""))))


class Tie(msgspec.Struct, frozen=True):
    """What ties later requests to the version of the file that a directory was read from."""

    address: str = ""  # its `identity`
    etag: str = ""
    last_modified: str = ""


class _Head(msgspec.Struct, frozen=True):
    size: int
    spans: tuple[tuple[int, int], ...]
    sha256: str
    tie: Tie
    page: str = ""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that was read, with members in the order in which they lie."""

    held: Held
    members: tuple[Member, ...]
    tie: Tie
    page: str = ""  # code page in which names were read that do not say in what they are written

    @property
    def digest(self) -> str:
        """The same for two files with the same directory, read in the same page: then members agree, by their CRC."""
        digest = hashlib.sha256(f"{self.held.size} {self.page}".encode())
        for start, data in self.held.spans:
            digest.update(f" {start} {len(data)} ".encode())
            digest.update(data)
        return digest.hexdigest()


def listed(held: Held, tie: Tie, limits: Limits = DEFAULT_LIMITS, page: str = "") -> Directory:
    """The directory, all its members checked and, with `page`, named as those of a file on disk.

    Raises Lacking for what is to be brought first, UnsafeArchive as `ZipArchive` does.
    """
    members = tuple(read_directory(held.pread, held.size, limits, page))
    check_members(members, held.size, limits)
    return Directory(held, members, tie, page)


def span_of(member: Member) -> tuple[int, int]:
    """Where the bytes of a member lie, header included; rarely a little more, or less, than that."""
    name = member.name
    least = member.offset + LOCAL_SIZE + len(name if name.isascii() else name.encode()) + member.packed
    return member.offset, min(member.end, least + _EXTRA)


def save(path: Path, directory: Directory) -> None:
    """Keep it, durably."""
    held, digest = directory.held, hashlib.sha256()
    for _, data in held.spans:
        digest.update(data)
    spans = tuple((start, len(data)) for start, data in held.spans)
    with atomic_file(path) as file:
        head = _Head(held.size, spans, digest.hexdigest(), directory.tie, directory.page)
        file.write(msgspec.json.encode(head) + b"\n")
        for _, data in held.spans:
            file.write(data)


def load(path: Path, page: str = "", limits: Limits = DEFAULT_LIMITS) -> Directory | None:
    """What was kept; None when there is nothing, nothing that is whole, or names that were read in another page."""
    try:
        line, _, body = path.read_bytes().partition(b"\n")
        head = msgspec.json.decode(line, type=_Head)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if head.page != page:
        return None
    if hashlib.sha256(body).hexdigest() != head.sha256 or sum(length for _, length in head.spans) != len(
        body
    ):
        return None
    try:
        return listed(Held(head.size, _cut(body, head.spans)), head.tie, limits, page)
    except (Lacking, UnsafeArchive):
        return None


def _cut(body: bytes, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, bytes], ...]:
    found, at = [], 0
    for start, length in spans:
        found.append((start, body[at : at + length]))
        at += length
    return tuple(found)


def is_too_large(held: Held, lacking: Lacking) -> bool:
    """Whether more of a file would be read for its directory than a directory can be."""
    return sum(len(data) for _, data in held.spans) + lacking.end - lacking.start > MOST
