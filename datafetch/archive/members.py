"""What an archive holds, by names that are safe to create; everything that is not is refused here."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from datafetch.errors import UnsafeArchive
from datafetch.layout.names import meeting
from datafetch.store.closing import Closing

Chunk = bytes | memoryview
CHUNK = 1 << 20  # bytes; members up to this size are read and written in one piece

_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Limits:
    """How far an archive may go; sizes are those really unpacked, never only what headers say."""

    members: int = 20_000_000
    member_bytes: int = 1 << 40
    total_bytes: int = 1 << 43
    ratio: int = 250  # unpacked bytes per packed byte, of a member and of the archive
    ratio_from: int = 1 << 26  # unpacked bytes below which the ratio is nobody's business
    segment_bytes: int = 255  # of one name, in UTF-8
    path_bytes: int = 3072  # leaves room for the output directory below PATH_MAX
    depth: int = 48  # folders below each other; the store goes to 64

    def refuse_size(self, what: str, unpacked: int, packed: int, most: int) -> None:
        """UnsafeArchive when so many bytes are too many, or too many for so few packed ones."""
        if unpacked > most:
            raise UnsafeArchive(f"{what} unpacks to {unpacked:,} bytes; at most {most:,} are allowed")
        if unpacked > self.ratio_from and unpacked > self.ratio * packed:
            raise UnsafeArchive(
                f"{what} unpacks from {packed:,} bytes to more than {self.ratio} times as many",
                hint="this is how a decompression bomb looks",
            )


DEFAULT_LIMITS = Limits()


class Member(NamedTuple):
    """One file or folder of an archive. A tuple, because an archive may hold a million of them."""

    name: str  # as upstream has it, with `/`, without a last slash
    is_dir: bool
    size: int  # unpacked, as its header says
    packed: int
    offset: int  # zip: of the local header; tar: of the bytes, in the unpacked stream
    end: int = 0  # zip: where the next thing begins that is not this member
    method: int = 0  # zip's number; 0 is stored
    flags: int = 0
    crc: int = 0
    raw: bytes = b""  # zip: the name as its local header has it, where that is not the name in UTF-8

    @property
    def unmarked(self) -> int | None:
        """The bytes of an LZMA stream that has no end mark; None when it has one (APPNOTE.TXT 4.4.4, bit 1)."""
        return None if self.flags & 2 else self.size


class Archive(Closing):
    """An open archive whose members passed `check_members`.

    `read` yields the bytes of a member in pieces of at most CHUNK, checked as they come: nothing is yielded
    beyond the size of its header, and UnsafeArchive is raised when size, checksum or compression do not
    hold. It is cheapest in the order of `members`; each call stands alone.
    """

    kind: str
    reader: str = (
        ""  # how other processes may read the same members side by side (`helper`); "": they may not
    )
    members: tuple[Member, ...]

    @abstractmethod
    def read(self, member: Member) -> Iterator[Chunk]: ...


def decode(raw: bytes, page: str = "") -> str:
    """The name that the bytes spell: in the code page that a recipe names, else UTF-8 when they are valid UTF-8, else
    code page 437 (any byte is). Archivers that say nothing wrote one or the other; this choice is the same everywhere.
    """
    try:
        return raw.decode(page or "utf-8")
    except UnicodeError:
        return raw.decode("cp437")


def safe_name(name: str, limits: Limits = DEFAULT_LIMITS) -> str:
    """The name split on `/` and `\\`, joined with `/`; the name of the archive's own top folder is "".

    `.` and empty segments, which name nothing, are dropped; nothing else is changed. UnsafeArchive for whatever
    is absolute, has a drive, `..` or NUL, or is too long.
    """
    path = name.replace("\\", "/") if "\\" in name else name
    if not path:
        raise UnsafeArchive("a member has an empty name")
    if "\0" in path:
        raise UnsafeArchive(_unsafe(name, "it holds a NUL byte"))
    if path.startswith("/"):
        raise UnsafeArchive(_unsafe(name, "it is absolute"))
    if _DRIVE.match(path):
        raise UnsafeArchive(_unsafe(name, "it names a drive"))
    segments = path.split("/")
    if ".." in segments:
        raise UnsafeArchive(_unsafe(name, "it leads out of its folder with '..'"))
    if "" in segments or "." in segments:
        segments = [segment for segment in segments if segment not in ("", ".")]
        path = "/".join(segments)
        if _DRIVE.match(path):
            raise UnsafeArchive(_unsafe(name, "it names a drive"))
    _refuse_long(path, segments, limits)
    return path


def _refuse_long(path: str, segments: list[str], limits: Limits) -> None:
    if (
        len(path) * 4 > limits.segment_bytes
    ):  # else no segment can be too long: UTF-8 takes at most four bytes
        if len(path.encode()) > limits.path_bytes:
            raise UnsafeArchive(_unsafe(path, f"it is longer than {limits.path_bytes} bytes"))
        for segment in segments:
            if len(segment.encode()) > limits.segment_bytes:
                raise UnsafeArchive(_unsafe(segment, f"it is longer than {limits.segment_bytes} bytes"))
    if len(segments) > limits.depth:
        raise UnsafeArchive(_unsafe(path, f"it is more than {limits.depth} folders deep"))


def _unsafe(name: str, why: str) -> str:
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    return f"the member name {shown!r} is not safe: {why}"


def check_members(members: Sequence[Member], packed: int, limits: Limits = DEFAULT_LIMITS) -> None:
    """UnsafeArchive when there are too many members, they say they unpack to too much, or two of them meet.

    `packed` is the size of the archive. Names meet after Unicode and case folding, a file also with a folder.
    """
    if len(members) > limits.members:
        raise UnsafeArchive(f"it holds {len(members):,} members; at most {limits.members:,} are allowed")
    limits.refuse_size("the archive", sum(m.size for m in members), packed, limits.total_bytes)
    for member in members:
        if not member.name and not member.is_dir:
            raise UnsafeArchive("a member has an empty name")
        if member.size > limits.ratio_from:
            limits.refuse_size(repr(member.name), member.size, member.packed, limits.member_bytes)
    met = meeting((m.name for m in members if not m.is_dir), (m.name for m in members if m.is_dir))
    if met is not None:
        raise UnsafeArchive(str(met))
