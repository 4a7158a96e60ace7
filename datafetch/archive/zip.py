"""Zip: each member read on its own, in one piece where it is small, and checked as it is unpacked."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from datafetch.archive.directory import LOCAL_SIZE, read_directory
from datafetch.archive.inflate import DEFLATED, STORED, crc32, damage, inflate_whole, unpack
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import (
    CHUNK,
    DEFAULT_LIMITS,
    Archive,
    Chunk,
    Limits,
    Member,
    check_members,
    decode,
    safe_name,
)
from datafetch.errors import DamagedArchive

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_LOCAL_MARK = 0x04034B50
_SIZES_FOLLOW = 0x8
_FULL32 = 0xFFFFFFFF
_SLACK = 320  # bytes read beyond a small member for its name and extra fields, to need no second read


class ZipArchive(Archive):
    kind = reader = "zip"

    def __init__(self, file: ShardsReader, limits: Limits = DEFAULT_LIMITS, page: str = "") -> None:
        self._file = file
        self.members = tuple(read_directory(file.pread, file.size, limits, page))
        check_members(self.members, file.size, limits)
        self._reader = ZipReader(file)

    def read(self, member: Member) -> Iterator[Chunk]:
        return self._reader.read(member)

    def close(self) -> None:
        self._file.close()


class ZipReader:
    """Reads members that the directory listed; several may read one file, in several processes."""

    def __init__(self, file: ShardsReader) -> None:
        self._file = file

    def read(self, member: Member) -> Iterator[Chunk]:
        """As Archive.read; may be called from several threads."""
        if member.packed > CHUNK or member.size > CHUNK or member.method not in (STORED, DEFLATED):
            yield from self._read_large(member)
        elif member.size:
            yield self._read_small(member)
        else:
            self._read_small(member)

    def _read_small(self, member: Member) -> Chunk:
        raw = self._file.pread(member.packed + _SLACK, member.offset)
        start = self._data_start(member, raw)
        packed = memoryview(raw)[start : start + member.packed]
        if len(packed) < member.packed:
            packed = memoryview(self._file.pread(member.packed, member.offset + start))
        data: Chunk | None = packed
        if member.method == DEFLATED:
            with damage(repr(member.name)):
                data = inflate_whole(packed, member.size)
        if data is None or len(data) != member.size:
            raise DamagedArchive(f"{member.name!r} is damaged: it does not unpack to {member.size:,} bytes")
        if crc32(data, 0) != member.crc:
            raise _crc_error(member)
        return data

    def _read_large(self, member: Member) -> Iterator[Chunk]:
        start = member.offset + self._data_start(member, self._file.pread(_SLACK, member.offset))
        size, crc = 0, 0
        with damage(repr(member.name)):
            for data in unpack(member.method, self._packed(start, member.packed)):
                size += len(data)
                if size > member.size:
                    raise DamagedArchive(
                        f"{member.name!r} holds more than the {member.size:,} bytes it announces"
                    )
                crc = crc32(data, crc)
                yield data
        if size != member.size:
            raise DamagedArchive(f"{member.name!r} holds {size:,} bytes; it announces {member.size:,}")
        if crc != member.crc:
            raise _crc_error(member)

    def _packed(self, start: int, length: int) -> Iterator[bytes]:
        while length > 0:
            data = self._file.pread(min(CHUNK, length), start)
            if not data:
                raise EOFError("the zip ends early")
            yield data
            start += len(data)
            length -= len(data)

    def _data_start(self, member: Member, raw: bytes) -> int:
        """Where the bytes begin after the local header; UnsafeArchive when that is not the directory's."""
        if len(raw) < LOCAL_SIZE:
            raise DamagedArchive(f"the zip ends before {member.name!r}")
        mark, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack_from(raw)
        spelled = raw[LOCAL_SIZE : LOCAL_SIZE + name_size]
        if len(spelled) < name_size:
            spelled = self._file.pread(name_size, member.offset + LOCAL_SIZE)
        start: int = LOCAL_SIZE + name_size + extra_size
        differs = (
            mark != _LOCAL_MARK
            or method != member.method
            or member.offset + start + member.packed > member.end
        )
        if not differs and not flags & _SIZES_FOLLOW:
            differs = (
                crc != member.crc
                or size not in (member.size, _FULL32)
                or packed not in (member.packed, _FULL32)
            )
        if differs or (
            spelled != (member.raw or member.name.encode()) and safe_name(decode(spelled)) != member.name
        ):
            raise DamagedArchive(
                f"the header of {member.name!r} does not agree with the directory of the zip"
            )
        return start


def _crc_error(member: Member) -> DamagedArchive:
    return DamagedArchive(f"{member.name!r} is damaged: its CRC differs")
