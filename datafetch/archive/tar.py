"""Tar, plain or compressed: a list from its headers, members read by offset, in rising order."""

from __future__ import annotations

from collections.abc import Iterator

from datafetch.archive.headers import Stream, read_members
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import CHUNK, DEFAULT_LIMITS, Archive, Chunk, Limits, Member, check_members
from datafetch.archive.packed import PackedStream
from datafetch.errors import DamagedArchive


class PlainStream:
    """The bytes of an uncompressed tar."""

    end_proves = False

    def __init__(self, file: ShardsReader) -> None:
        self.packed_size = file.size
        self.pread = file.pread


class TarArchive(Archive):
    def __init__(
        self, file: ShardsReader, packed: PackedStream | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.kind = f"tar, {packed.form}" if packed else "tar"
        self.reader = "" if packed else "tar"
        self._file, self._packed = file, packed
        self._stream: Stream = packed or PlainStream(file)
        self.members = tuple(read_members(self._stream, limits))
        check_members(self.members, file.size, limits)

    def read(self, member: Member) -> Iterator[Chunk]:
        """As Archive.read; one thread at a time when the tar is compressed."""
        return bytes_of(self._stream, member)

    def close(self) -> None:
        if self._packed:
            self._packed.close()
        self._file.close()


class TarReader:
    """Reads members of a plain tar that were listed; several may read one file, in several processes."""

    def __init__(self, file: ShardsReader) -> None:
        self._stream = PlainStream(file)

    def read(self, member: Member) -> Iterator[Chunk]:
        return bytes_of(self._stream, member)


def bytes_of(stream: Stream, member: Member) -> Iterator[bytes]:
    """The bytes of a member in pieces of at most CHUNK. DamagedArchive when the tar ends within it."""
    offset, left = member.offset, member.size
    while left > 0:
        data = stream.pread(min(CHUNK, left), offset)
        if not data:
            raise DamagedArchive(f"the tar ends inside {member.name!r}: it is cut short")
        yield data
        offset += len(data)
        left -= len(data)
