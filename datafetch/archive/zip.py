"""Zip: each member read on its own, in one piece where it is small, and checked as it is unpacked."""

from __future__ import annotations

from collections.abc import Iterator

from datafetch.archive.directory import LOCAL_SIZE, read_directory
from datafetch.archive.inflate import DEFLATED, STORED, crc32, damage, inflate_whole, unpack
from datafetch.archive.join import ShardsReader
from datafetch.archive.local import check_header, lengths
from datafetch.archive.members import CHUNK, DEFAULT_LIMITS, Archive, Chunk, Limits, Member, check_members
from datafetch.errors import DamagedArchive

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
            for data in unpack(member.method, self._packed(start, member.packed), member.unmarked):
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
        name_size, start = lengths(member, raw)
        spelled = raw[LOCAL_SIZE : LOCAL_SIZE + name_size]
        if len(spelled) < name_size:
            spelled = self._file.pread(name_size, member.offset + LOCAL_SIZE)
        check_header(member, raw, spelled)
        return start


def _crc_error(member: Member) -> DamagedArchive:
    return DamagedArchive(f"{member.name!r} is damaged: its CRC differs")
