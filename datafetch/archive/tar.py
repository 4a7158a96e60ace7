"""Tar, plain or compressed: a list from its headers, members read by offset, in rising order."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import IO, cast

from datafetch.archive.headers import Stream, read_members
from datafetch.archive.inflate import damage
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import CHUNK, DEFAULT_LIMITS, Archive, Chunk, Limits, Member, check_members
from datafetch.errors import DamagedArchive


def _open_gzip(file: IO[bytes]) -> IO[bytes]:
    try:
        gzip_file = import_module("isal.igzip").IGzipFile
    except ImportError:
        gzip_file = gzip.GzipFile
    return cast(IO[bytes], gzip_file(fileobj=file, mode="rb"))


# Compressed forms by what they are called, with how they are opened.
OPENERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    "gzip": _open_gzip,
    "bzip2": lambda file: cast(IO[bytes], bz2.BZ2File(file)),
    "xz": lambda file: cast(IO[bytes], lzma.LZMAFile(file)),  # noqa: SIM115 - goes with its stream
}


class PlainStream:
    """The bytes of an uncompressed tar."""

    def __init__(self, file: ShardsReader) -> None:
        self.packed_size = file.size
        self.pread = file.pread


class PackedStream:
    """The unpacked bytes of a compressed tar; going back starts again from the front."""

    def __init__(self, file: ShardsReader, form: str) -> None:
        self.packed_size = file.size
        self._form = form
        self._file = file
        self._open()

    def _open(self) -> None:
        self._file.seek(0)
        self._unpacked = OPENERS[self._form](cast(IO[bytes], self._file))
        self._position = 0

    def pread(self, length: int, offset: int) -> bytes:
        """UnsafeArchive when the compressed stream is damaged or ends early."""
        with damage(f"the {self._form} stream"):
            if offset < self._position:
                self._open()
            while self._position < offset:
                skipped = len(self._unpacked.read(min(CHUNK, offset - self._position)))
                if not skipped:
                    return b""
                self._position += skipped
            pieces = []
            while length > 0 and (data := self._unpacked.read(length)):
                pieces.append(data)
                length -= len(data)
                self._position += len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class TarArchive(Archive):
    def __init__(self, file: ShardsReader, form: str = "", limits: Limits = DEFAULT_LIMITS) -> None:
        self.kind = f"tar, {form}" if form else "tar"
        self._file = file
        self._stream: Stream = PackedStream(file, form) if form else PlainStream(file)
        self.members = tuple(read_members(self._stream, limits))
        check_members(self.members, file.size, limits)

    def read(self, member: Member) -> Iterator[Chunk]:
        """As Archive.read; one thread at a time when the tar is compressed."""
        offset, left = member.offset, member.size
        while left > 0:
            data = self._stream.pread(min(CHUNK, left), offset)
            if not data:
                raise DamagedArchive(f"the tar ends inside {member.name!r}: it is cut short")
            yield data
            offset += len(data)
            left -= len(data)

    def close(self) -> None:
        self._file.close()
