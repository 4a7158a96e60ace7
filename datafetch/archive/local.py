"""The header that stands before each member of a zip: checked against the directory, however the bytes come."""

from __future__ import annotations

import struct

from datafetch.archive.directory import LOCAL_SIZE
from datafetch.archive.members import Chunk, Member, decode, safe_name
from datafetch.errors import DamagedArchive

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_LOCAL_MARK = 0x04034B50
_SIZES_FOLLOW = 0x8
_FULL32 = 0xFFFFFFFF


def lengths(member: Member, raw: Chunk) -> tuple[int, int]:
    """Bytes of the name and of all that stands before the member's own bytes. DamagedArchive when cut short."""
    if len(raw) < LOCAL_SIZE:
        raise DamagedArchive(f"the zip ends before {member.name!r}")
    name_size, extra_size = struct.unpack_from("<HH", raw, LOCAL_SIZE - 4)
    return name_size, LOCAL_SIZE + name_size + extra_size


def check_header(member: Member, raw: Chunk, spelled: bytes) -> None:
    """DamagedArchive when the header says other than the directory of the zip; `spelled` is the name it gives."""
    mark, _, flags, method, _, _, crc, packed, size, *_ = _LOCAL.unpack_from(raw)
    _, start = lengths(member, raw)
    differs = (
        mark != _LOCAL_MARK or method != member.method or member.offset + start + member.packed > member.end
    )
    if not differs and not flags & _SIZES_FOLLOW:
        differs = (
            crc != member.crc or size not in (member.size, _FULL32) or packed not in (member.packed, _FULL32)
        )
    known = member.raw or member.name.encode()
    if differs or (spelled != known and safe_name(decode(spelled)) != member.name):
        raise DamagedArchive(f"the header of {member.name!r} does not agree with the directory of the zip")
