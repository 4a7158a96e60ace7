"""The unpacked bytes of a gzip stream that arrives in shards, with marks from which a later run goes on."""

from __future__ import annotations

import struct

import msgspec

from datafetch.archive.arriving import Pieces
from datafetch.archive.borders import WINDOW, Inflater, find_border, inflater
from datafetch.archive.inflate import crc32, damage
from datafetch.archive.members import CHUNK
from datafetch.errors import UnsafeArchive

_PIECE = 256 << 10  # packed bytes that are read at once
_KEPT = 256 << 10, 4 << 10  # most and least packed bytes behind a border that a mark may hold
_SHARE = 2  # between those, one in so many bytes of a shard: marks must not take the room that is to be saved
_MAGIC, _DEFLATE = b"\x1f\x8b", 8
_HEADER = struct.Struct("<2sBBIBB")
_TRAILER = struct.Struct("<II")
_HCRC, _EXTRA, _NAME, _COMMENT, _RESERVED = 2, 4, 8, 16, 0xE0
_MOST_NAME = 64 << 10
_MOST_EMPTY = (
    1000  # gzip members in a row that hold nothing: no archive has them, and they would go on for ever
)
_FEED = (
    1 << 10
)  # packed bytes that a gzip member is first read with: what follows a short one is copied otherwise


class Mark(msgspec.Struct, frozen=True):
    """Where a stream can be taken up: `tail` and then the shards from `shards` on unpack to what follows `out`."""

    shards: int
    size: int  # bytes of the shards before
    out: int
    tail: bytes
    window: bytes | None = None  # None: `tail` begins with a gzip header
    crc: int = 0  # of the gzip member that `tail` stands in, as far as it was unpacked
    length: int = 0


class _Watch(msgspec.Struct):
    """All that arrived since a moment at which the inflater was copied."""

    inflater: Inflater
    window: bytes
    out: int
    crc: int
    length: int
    data: bytearray


class GzipStream:
    """Reads forwards only. One thread at a time.

    `mark` is the place to go on from after the shards that are read to their end: None before the first of them
    ends, and again whenever one ends near no border.
    """

    end_proves = True

    def __init__(self, shards: Pieces, mark: Mark | None = None) -> None:
        self._shards = shards
        self._held, self._at = b"", mark.out if mark else 0  # unpacked bytes, and where they begin
        self._out = self._at  # bytes that were unpacked in all
        self._tail, self._taken = mark.tail if mark else b"", 0  # packed bytes that arrived; so many are used
        self._feed, self._empty = _FEED, 0
        self._inflater: Inflater | None = None
        self._window, self._crc, self._length = b"", 0, 0
        if mark and mark.window is not None:
            self._inflater = inflater(mark.window)
            self._window, self._crc, self._length = mark.window, mark.crc, mark.length
        # The last place that is known to be one to go on from, with all that arrived since.
        self._base: Mark | None = mark or Mark(0, 0, 0, b"")
        self._start, self._start_at = self._tail, 0  # from there on, what had arrived at that place …
        self._since = bytearray()  # … and what arrived later
        self._watch: _Watch | None = None
        self._is_first = mark is None
        self.mark = mark

    @property
    def packed_size(self) -> int:
        return self._shards.size

    def pread(self, length: int, offset: int) -> bytes:
        """The bytes there, fewer only at the end. DamagedArchive when the stream is; what the shards' supply raises."""
        with damage("the gzip stream"):
            while offset > self._at + len(self._held):
                if not self._next():
                    return b""
            if offset > self._at:
                self._held, self._at = self._held[offset - self._at :], offset
            if len(self._held) < length:
                pieces, size = [self._held], len(self._held)
                while size < length and self._next():
                    pieces.append(self._held)
                    size += len(self._held)
                self._held, self._at = b"".join(pieces), offset
            return self._held[:length]

    def _next(self) -> bool:
        """Hold the next unpacked bytes instead of those that are held; False at the end."""
        self._at += len(self._held)
        self._held = b""
        while not self._held:
            if self._inflater is None and not self._begin():
                return False
            assert self._inflater is not None
            if not self._left:
                self._arrive()
            fed = self._tail[self._taken : self._taken + self._feed]
            data = self._inflater.decompress(fed, CHUNK)
            rest = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            self._taken += len(fed) - len(rest)
            self._feed = min(2 * self._feed, _PIECE)
            self._unpacked(data)
            if self._inflater.eof:
                self._end()
        return True

    @property
    def _left(self) -> int:
        """Packed bytes that arrived and were not taken."""
        return len(self._tail) - self._taken

    def _unpacked(self, data: bytes) -> None:
        self._held = data
        self._out += len(data)
        self._crc = crc32(data, self._crc)
        self._length += len(data)
        self._window = data[-WINDOW:] if len(data) >= WINDOW else (self._window + data)[-WINDOW:]

    # --- Headers and ends of gzip members -------------------------------------------------------------------

    def _begin(self) -> bool:
        """Read the header of the next gzip member; False when the stream is at its end."""
        if not self._left and not self._arrive(end=not self._is_first):
            return False
        if not self._is_first and not self._tail[self._taken]:
            while self._tail.count(0, self._taken) == self._left:  # padding, as tapes have it
                self._taken = len(self._tail)
                if not self._arrive(end=True):
                    return False
        self._remember()
        magic, method, flags, *_ = _HEADER.unpack(self._take(_HEADER.size))
        if magic != _MAGIC or method != _DEFLATE or flags & _RESERVED:
            raise ValueError("it is no gzip" if self._is_first else "bytes follow its end")
        if flags & _EXTRA:
            self._take(int.from_bytes(self._take(2), "little"))
        for _ in range(bool(flags & _NAME) + bool(flags & _COMMENT)):
            self._skip_name()
        if flags & _HCRC:
            self._take(2)
        self._inflater, self._is_first, self._feed = inflater(), False, _FEED
        self._window, self._crc, self._length = b"", 0, 0
        return True

    def _skip_name(self) -> None:
        """Take a text up to the NUL at its end."""
        passed = 0
        while (end := self._tail.find(b"\0", self._taken)) < 0 and passed <= _MOST_NAME:
            passed += self._left
            self._taken = len(self._tail)
            self._arrive()
        if passed + end - self._taken >= _MOST_NAME or end < 0:
            raise ValueError("the name in its header has no end")
        self._taken = end + 1

    def _end(self) -> None:
        self._inflater = None
        crc, length = _TRAILER.unpack(self._take(_TRAILER.size))
        if crc != self._crc or length != self._length & 0xFFFFFFFF:
            raise ValueError("its checksum differs")
        self._empty = 0 if self._length else self._empty + 1
        if self._empty > _MOST_EMPTY:
            raise UnsafeArchive(
                f"the gzip stream has more than {_MOST_EMPTY:,} members in a row that hold nothing"
            )

    def _take(self, length: int) -> bytes:
        while self._left < length:
            self._arrive()
        self._taken += length
        return self._tail[self._taken - length : self._taken]

    # --- Arrival, and what is remembered of it ---------------------------------------------------------------

    def _arrive(self, end: bool = False) -> bool:
        """Add the next packed bytes to the tail; at the end EOFError, or False when it may `end` here."""
        while not self._shards.left:
            if self._shards.index >= 0:
                self.mark = self._leave()
            if not self._shards.open_next():
                if end:
                    return False
                raise EOFError("it ends early")
        if self._base is None and self._watch is None and self._shards.left <= self._most():
            self._begin_watch()
        before = self._shards.left - self._most()  # the bytes before those that a search would look at
        piece = self._shards.read(min(_PIECE, before) if before > 0 else _PIECE)
        self._tail, self._taken = self._tail[self._taken :] + piece, 0
        if self._watch is not None:
            self._watch.data += piece
        if self._base is not None:
            self._since += piece
            if len(self._start) - self._start_at + len(self._since) > self._most():
                self._base, self._start, self._start_at, self._since = None, b"", 0, bytearray()
        return True

    def _most(self) -> int:
        return min(_KEPT[0], max(_KEPT[1], self._shards.length // _SHARE))

    def _remember(self) -> None:
        """A gzip member begins: nothing before it is needed to go on from here."""
        self._base, self._since = Mark(0, 0, self._out, b""), bytearray()
        self._start, self._start_at = self._tail, self._taken
        self._watch = None

    def _begin_watch(self) -> None:
        if self._inflater is not None and not self._left:
            self._watch = _Watch(
                self._inflater.copy(), self._window, self._out, self._crc, self._length, bytearray()
            )

    def _leave(self) -> Mark | None:
        """The place to go on from once the shards up to the one that is open are gone."""
        watch, self._watch = self._watch, None
        if self._base is None and watch is not None:
            found = find_border(watch.inflater, watch.window, bytes(watch.data))
            if found is not None:
                crc, more = crc32(found.between, watch.crc), len(found.between)
                self._base = Mark(0, 0, watch.out + more, b"", found.window, crc, watch.length + more)
                self._start, self._start_at, self._since = b"", 0, bytearray(found.data)
        if self._base is None:
            return None
        tail = self._start[self._start_at :] + self._since
        return msgspec.structs.replace(
            self._base, shards=self._shards.index + 1, size=self._shards.size, tail=tail
        )
