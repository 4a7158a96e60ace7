"""The unpacked bytes of one compressed file, made by a thread of their own, ahead of who reads them."""

from __future__ import annotations

import gzip
import io
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from queue import SimpleQueue
from typing import IO, Protocol, cast

from datafetch.archive.inflate import Decompressor, bunzip2, damage, unxz, unzstd
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import (
    CHUNK,
    Archive,
    Chunk,
    Limits,
    Member,
    check_members,
    decode,
    safe_name,
)
from datafetch.errors import UnsafeArchive

_FORMS: Mapping[bytes, str] = {  # how they begin, and what they are called
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_SKIPPABLE = re.compile(
    rb"[\x50-\x5f]\x2a\x4d\x18"
)  # a frame of zstd that holds no data: pzstd begins with one
ENDINGS: Mapping[str, str] = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}
_PIECE = 256 << 10  # packed bytes that are read at once
_STEP = 512 << 10  # unpacked bytes that are made at once
_AHEAD = 3  # such pieces that wait to be read
_MOST_EMPTY = 1000  # streams in a row that hold nothing: no archive has them, and they would go on for ever


def form_of(head: bytes) -> str:
    """How a file that begins so is compressed; "" when it is not."""
    if _SKIPPABLE.match(head):
        return "zstd"
    return next((form for mark, form in _FORMS.items() if head.startswith(mark)), "")


NEW: Mapping[str, Callable[[], Decompressor]] = {"bzip2": bunzip2, "xz": unxz, "zstd": unzstd}


class Readable(Protocol):
    def read(self, length: int, /) -> bytes: ...


class Forward:
    """Bytes that are made one after the other, read in rising order of offset; going back starts again from the front.

    One thread at a time reads; another makes them.
    """

    def __init__(self, make: Callable[[], Iterator[bytes]], what: str) -> None:
        self._make, self._what = make, what
        self._open()

    def _open(self) -> None:
        self._ahead = _Ahead(self._make())
        self._piece, self._at = b"", 0  # bytes, and where they begin
        self._ended = False

    def pread(self, length: int, offset: int) -> bytes:
        """The bytes there, fewer only at the end. DamagedArchive when the stream is damaged or ends early."""
        start = offset - self._at
        if start >= 0 and start + length <= len(self._piece):
            return self._piece[start : start + length]
        with damage(self._what):
            if offset < self._at:
                self._ahead.close()
                self._open()
            while offset >= self._at + len(self._piece):
                if not self._next():
                    return b""
            start = offset - self._at
            data = self._piece[start : start + length]
            if len(data) == length:
                return data
            pieces = [data]
            length -= len(data)
            while length > 0 and self._next():
                pieces.append(self._piece[:length])
                length -= len(pieces[-1])
        return b"".join(pieces)

    def _next(self) -> bool:
        """Hold the next bytes instead of those that are held; False, holding these, at the end."""
        piece = b"" if self._ended else self._ahead.next()
        if not piece:
            self._ended = True
            return False
        self._at += len(self._piece)
        self._piece = piece
        return True

    def close(self) -> None:
        """End its thread; may be called twice."""
        self._ahead.close()


class PackedStream(Forward):
    """The unpacked bytes of a compressed file, which is closed with it."""

    end_proves = True

    def __init__(self, file: ShardsReader, form: str) -> None:
        self.packed_size = file.size
        self.form = form
        self._file = file
        super().__init__(self._pieces, f"the {form} stream")

    def _pieces(self) -> Iterator[bytes]:
        self._file.seek(0)
        return _pieces(cast(IO[bytes], self._file), self.form)

    def close(self) -> None:
        super().close()
        self._file.close()


class PackedFile(Archive):
    """One file, compressed: an archive of that file, called like it without the ending of its form."""

    def __init__(self, file: ShardsReader, packed: PackedStream, name: str, limits: Limits) -> None:
        self.kind = packed.form
        self._packed = packed
        ending = ENDINGS[packed.form]
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
        elif packed.form == "gzip":
            name = _recorded_name(file) or name
        size = 0
        while data := packed.pread(CHUNK, size):
            size += len(data)
            limits.refuse_size(repr(name), size, file.size, limits.member_bytes)
        self.members = (Member(safe_name(name, limits), False, size, file.size, 0),)
        check_members(self.members, file.size, limits)

    def read(self, member: Member) -> Iterator[Chunk]:
        """As Archive.read; one thread at a time."""
        at = 0
        while data := self._packed.pread(CHUNK, at):
            yield data
            at += len(data)

    def close(self) -> None:
        self._packed.close()


class _Ahead:
    """An iterator run by a thread of its own, a few steps ahead."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._made: SimpleQueue[bytes | BaseException] = SimpleQueue()
        self._room = threading.Semaphore(_AHEAD)
        self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(pieces,), daemon=True)
        self._thread.start()

    def next(self) -> bytes:
        """The next piece; b"" at the end. Raises what the iterator raised, each time that it is asked after that."""
        if self._error is not None:
            raise self._error
        made = self._made.get()
        if isinstance(made, BaseException):
            self._error = made
            raise made
        self._room.release()
        return made

    def close(self) -> None:
        self._closed = True
        self._room.release()
        self._thread.join()

    def _run(self, pieces: Iterator[bytes]) -> None:
        try:
            for piece in pieces:
                if not piece:
                    continue
                self._made.put(piece)
                self._room.acquire()
                if self._closed:
                    return
            self._made.put(b"")
        except BaseException as error:  # it is for who reads to tell
            self._made.put(error)


def _pieces(file: IO[bytes], form: str) -> Iterator[bytes]:
    if form != "gzip":
        yield from streams(file, NEW[form])
        return
    try:
        gzip_file = import_module("isal.igzip").IGzipFile
    except ImportError:
        gzip_file = gzip.GzipFile
    with gzip_file(fileobj=file, mode="rb") as unpacked:
        while piece := unpacked.read(_STEP):
            yield piece


def streams(file: Readable, new: Callable[[], Decompressor]) -> Iterator[bytes]:
    """The unpacked bytes of streams that follow each other, as parallel packers write them."""
    stream, data, begun, empty = new(), b"", False, 0
    while True:
        if not data and stream.needs_input:
            data = file.read(_PIECE)
            if not data and begun:
                raise EOFError("it ends early")
            if not data:
                return
        if not begun:
            data = data.lstrip(b"\0")  # padding, as xz and tapes have it
            if not data:
                continue
        unpacked = stream.decompress(data, _STEP)
        data, begun = b"", True
        if unpacked:
            empty = 0
            yield unpacked
        if stream.eof:
            data, stream, begun, empty = stream.unused_data, new(), False, empty + 1
            if empty > _MOST_EMPTY:
                raise UnsafeArchive(f"it has more than {_MOST_EMPTY:,} streams in a row that hold nothing")


def _recorded_name(file: ShardsReader) -> str:
    """The name that a gzip header gives to what it holds; "" when there is none."""
    head = file.pread(io.DEFAULT_BUFFER_SIZE, 0)
    flags, at = head[3], 10
    if flags & 4:
        at += 2 + int.from_bytes(head[at : at + 2], "little")
    name, end, _ = head[at:].partition(b"\0")
    return decode(name) if flags & 8 and end else ""
