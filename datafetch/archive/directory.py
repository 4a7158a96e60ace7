"""The central directory of a zip: bytes in, members out, everything doubtful refused."""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from datafetch.archive.inflate import METHODS, STORED, UNSUPPORTED, crc32
from datafetch.archive.members import Limits, Member, decode, safe_name
from datafetch.errors import DamagedArchive, UnsafeArchive

_END = struct.Struct("<IHHHHIIH")
_END_MARK = b"PK\x05\x06"
_LOCATOR = struct.Struct("<IIQI")
_LOCATOR_MARK = 0x07064B50
_END64 = struct.Struct("<IQHHIIQQQQ")
_END64_MARK = 0x06064B50
_LENGTHS64 = 12  # bytes of that record which its own length does not count
_ENTRY = struct.Struct("<IHHHHHHIIIHHHHHII")
_ENTRY_MARK = 0x02014B50
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8 = 0x800
_WIDE, _UNICODE_NAME = 0x1, 0x7075  # extra fields
_UNICODE_MARK = (
    b"up"  # how the second begins; archivers write "?" for a letter that the name itself has no room for
)
_FOLDER_BIT = 0x10  # of DOS attributes
LOCAL_SIZE = 30

Pread = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class End:
    """What the end record says, with offsets that count from the first byte of the file."""

    entries: int
    exact: bool  # whether `entries` is the number itself, not the number modulo 65,536
    offset: int  # of the directory
    size: int
    before: int  # bytes that stand before the zip


def find_end(pread: Pread, size: int) -> End:
    """The end record of the zip that ends where the file ends. UnsafeArchive when there is none, or two."""
    start = max(0, size - _END.size - _FULL16)
    tail = pread(size - start, start)
    found = []
    at = tail.rfind(_END_MARK)
    while at >= 0:
        if at + _END.size <= len(tail):
            record = _END.unpack_from(tail, at)
            if _ends_at(tail, at + _END.size + record[7]):
                found.append((start + at, record))
        at = tail.rfind(_END_MARK, 0, at)
    if not found:
        raise DamagedArchive("the zip has no directory at its end: it is cut short, or bytes were added")
    if len(found) > 1:
        raise UnsafeArchive("the zip has two directories, and readers would differ on which one counts")
    position, (_, disk, first_disk, here, entries, length, offset, _) = found[0]
    narrow = (disk, first_disk, here, entries, length, offset)
    wide = _find_end64(pread, position)
    if wide is not None and _agree(narrow, wide[1:]):
        position, disk, first_disk, here, entries, length, offset = wide
    exact = wide is not None
    if disk or first_disk or here != entries:
        raise UnsafeArchive("the zip is one volume of several (.z01, .z02, …)")
    before = position - length - offset
    if before < 0:
        raise DamagedArchive("the zip is cut short: its directory lies outside of it")
    return End(entries, exact, position - length, length, before)


def _ends_at(tail: bytes, end: int) -> bool:
    """Whether the file ends there, or nothing but zeros follow, with which some archivers fill their last block."""
    return end == len(tail) or (end < len(tail) and tail.count(0, end) == len(tail) - end)


def _agree(narrow: tuple[int, ...], wide: tuple[int, ...]) -> bool:
    """Whether the zip64 end record says what the other says: some archivers write it where nobody needs it.

    UnsafeArchive when they differ, for then readers would.
    """
    full = (_FULL16, _FULL16, _FULL16, _FULL16, _FULL32, _FULL32)
    if any(short not in (none, long) for short, none, long in zip(narrow, full, wide, strict=True)):
        raise UnsafeArchive("the two end records of the zip differ, and readers would too")
    return True


def _find_end64(pread: Pread, position: int) -> tuple[int, int, int, int, int, int, int] | None:
    raw = pread(_LOCATOR.size, position - _LOCATOR.size) if position >= _LOCATOR.size else b""
    if len(raw) < _LOCATOR.size or raw[:4] != _LOCATOR_MARK.to_bytes(4, "little"):
        return None  # as of nearly all zips, also of one with exactly 65,535 members, or 4 GiB - 1
    locator = position - _LOCATOR.size
    # The record stands right before its locator; its stated offset is wrong when bytes stand before the zip, and
    # right when the record ends with a field of somebody's own.
    for where in (locator - _END64.size, _LOCATOR.unpack(raw)[2]):
        record = pread(_END64.size, where) if 0 <= where <= locator - _END64.size else b""
        if len(record) == _END64.size:
            mark, own, _, _, disk, first_disk, here, entries, length, offset = _END64.unpack(record)
            if mark == _END64_MARK and where + _LENGTHS64 + own == locator:
                return where, disk, first_disk, here, entries, length, offset
    raise DamagedArchive("the zip64 end record is damaged")


def read_directory(pread: Pread, size: int, limits: Limits, page: str = "") -> list[Member]:
    """Every member the directory lists, in the order they lie in the file. UnsafeArchive for all that is not
    a plain file or folder, not readable, encrypted, or that shares its bytes with another."""
    end = find_end(pread, size)
    if end.before and pread(4, 0) == b"PK\x03\x04":
        raise DamagedArchive("the file holds two zips, one after the other; the first would be lost")
    if end.entries > limits.members:
        raise UnsafeArchive(f"it holds {end.entries:,} members; at most {limits.members:,} are allowed")
    raw = pread(end.size, end.offset)
    members = []
    at = 0
    while at < len(raw):
        if len(raw) - at < _ENTRY.size:
            raise DamagedArchive("the directory of the zip is damaged")
        member, at = _read_entry(raw, at, end, limits, page)
        members.append(member)
        if len(members) > limits.members:
            raise DamagedArchive(f"it holds more than {limits.members:,} members")
    if len(raw) != end.size or (len(members) if end.exact else len(members) & _FULL16) != end.entries:
        raise DamagedArchive(f"the zip announces {end.entries:,} members, and lists {len(members):,}")
    return _bounded(members, end)


def _read_entry(raw: bytes, at: int, end: End, limits: Limits, page: str) -> tuple[Member, int]:
    (mark, _, _, flags, method, _, _, crc, packed, size,
     name_size, extra_size, note_size, disk, _, attributes, offset) = _ENTRY.unpack_from(raw, at)  # fmt: skip
    start = at + _ENTRY.size
    next_entry = start + name_size + extra_size + note_size
    if mark != _ENTRY_MARK or next_entry > len(raw):
        raise DamagedArchive("the directory of the zip is damaged")
    written = raw[start : start + name_size]
    plain = (
        written.isascii() and raw.find(_UNICODE_MARK, start + name_size, start + name_size + extra_size) < 0
    )
    spelled = (
        written.decode()
        if plain
        else _spelled(
            written, raw[start + name_size : start + name_size + extra_size], "" if flags & _UTF8 else page
        )
    )
    if _FULL32 in (size, packed, offset) or disk == _FULL16:
        extra = raw[start + name_size : start + name_size + extra_size]
        size, packed, offset, disk = _wide(extra, spelled, size, packed, offset, disk)
    name = safe_name(spelled, limits)
    is_dir = _is_folder(name, spelled, attributes)
    if flags & _ENCRYPTED:
        raise UnsafeArchive(f"{name!r} is encrypted", hint="unpack it yourself with its password")
    if method not in METHODS:
        label = UNSUPPORTED.get(method, f"method {method}")
        raise UnsafeArchive(f"{name!r} is packed with {label}, which is not supported")
    if (method == STORED and size != packed) or (is_dir and size) or disk:
        raise DamagedArchive(
            f"the header of {name!r} contradicts itself: {packed:,} bytes packed, {size:,} unpacked"
        )
    offset += end.before
    if offset + LOCAL_SIZE + name_size + packed > end.offset:
        raise DamagedArchive(f"the bytes of {name!r} lie outside of the zip, or in its directory")
    odd = b"" if plain else written
    return Member(name, is_dir, size, packed, offset, 0, method, flags, crc, odd), next_entry


def _spelled(written: bytes, extra: bytes, page: str) -> str:
    """The name that the entry bears: the Unicode one beside it, if that was made for these very bytes."""
    field = _extra_field(extra, _UNICODE_NAME)
    if len(field) > 5 and field[0] == 1 and int.from_bytes(field[1:5], "little") == crc32(written, 0):
        with suppress(UnicodeDecodeError):
            return field[5:].decode()
    return decode(written, page)


def _extra_field(extra: bytes, wanted: int) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""


def _is_folder(name: str, spelled: str, attributes: int) -> bool:
    """Whether the entry is a folder; UnsafeArchive when it is neither folder nor plain file."""
    mode = attributes >> 16
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        label = "symbolic link" if kind == stat.S_IFLNK else "device, pipe or socket"
        raise UnsafeArchive(f"{name!r} is a {label}; only files and folders are unpacked")
    return (
        spelled.endswith(("/", "\\")) or kind == stat.S_IFDIR or (not kind and bool(attributes & _FOLDER_BIT))
    )


def _wide(
    extra: bytes, name: str, size: int, packed: int, offset: int, disk: int
) -> tuple[int, int, int, int]:
    """The four numbers, with those that did not fit taken from the zip64 field."""
    if not (field := _extra_field(extra, _WIDE)) and not extra.startswith(b"\1\0"):
        return size, packed, offset, disk  # 4 GiB - 1 itself; the bounds are checked later
    try:
        position = 0
        if size == _FULL32:
            (size,), position = struct.unpack_from("<Q", field, position), position + 8
        if packed == _FULL32:
            (packed,), position = struct.unpack_from("<Q", field, position), position + 8
        if offset == _FULL32:
            (offset,), position = struct.unpack_from("<Q", field, position), position + 8
        if disk == _FULL16:
            (disk,) = struct.unpack_from("<I", field, position)
    except struct.error:
        raise DamagedArchive(f"the zip64 sizes of {name!r} are damaged") from None
    return size, packed, offset, disk


def _bounded(members: list[Member], end: End) -> list[Member]:
    """The members by offset, each with the place where the next begins; UnsafeArchive when two overlap."""
    members.sort(key=lambda member: member.offset)
    bounded = []
    for index, member in enumerate(members):
        limit = members[index + 1].offset if index + 1 < len(members) else end.offset
        # The local header holds the name again, at least one byte of it.
        if member.offset + LOCAL_SIZE + 1 + member.packed > limit:
            raise UnsafeArchive(f"{member.name!r} overlaps {members[index + 1].name!r} in the zip")
        bounded.append(Member._make((*member[:5], limit, *member[6:])))  # _replace is four times slower
    return bounded
