"""A tar whose packed bytes come in one body, from a socket say: none of them are kept.

Its pieces are cuts in thought only, at which there may be a mark to go on from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from datafetch.archive.arriving import stopped
from datafetch.archive.gunzip import Mark
from datafetch.archive.members import Chunk
from datafetch.archive.packed import NEW, Forward, streams
from datafetch.archive.stream import Marking

_PIECE = 256 << 10  # bytes that are taken at once


class Flow:
    """The Pieces of a body of `total` bytes; `chunks` brings it from the piece `first` on, all of it."""

    def __init__(
        self, chunks: Iterator[Chunk], first: int, cut: int, total: int, stop: Callable[[], bool]
    ) -> None:
        self._chunks, self._cut, self.total, self._stop = chunks, cut, total, stop
        self._held = memoryview(b"")
        self.index = first - 1
        self.length = self.left = 0
        self.size = first * cut

    def open_next(self) -> bool:
        """Whether there is one more; the piece before was read to its end."""
        if self.size >= self.total:
            return False
        self.index += 1
        self.length = self.left = min(self._cut, self.total - self.size)
        self.size += self.length
        return True

    def read(self, length: int) -> bytes:
        """As Pieces say."""
        if self._stop():
            raise stopped()
        if not self._held and self.left:
            self._held = memoryview(next(self._chunks, b""))
            if not self._held:
                raise EOFError("it ends early")
        data = bytes(self._held[: min(length, self.left)])
        self._held = self._held[len(data) :]
        self.left -= len(data)
        return data

    def next(self) -> bytes:
        """The next bytes of whatever piece; b"" at the end."""
        if not self.left and not self.open_next():
            return b""
        return self.read(_PIECE)

    def drain(self) -> None:
        """Read what is left: somebody hashes it on the way."""
        while self.next():
            pass


class PlainFlow:
    """The bytes of a tar that is not compressed. Whatever a member lies in, its end is a place to go on from."""

    end_proves = False

    def __init__(self, flow: Flow, mark: Mark | None) -> None:
        self._flow, self.mark, self.packed_size = flow, mark, flow.total
        self._held, self._at = b"", mark.size if mark else 0

    def pread(self, length: int, offset: int) -> bytes:
        """The bytes there, fewer only at the end; rising offsets only."""
        if offset < self._at:
            raise ValueError(f"byte {offset} has gone by")
        while self._at + len(self._held) <= offset:
            self._at += len(self._held)
            self._held = self._next()
            if not self._held:
                return b""
        pieces, size = [self._held[offset - self._at :]], self._at + len(self._held) - offset
        while size < length and (data := self._next()):
            pieces.append(data)
            size += len(data)
        self._held, self._at = b"".join(pieces), offset
        return self._held[:length]

    def _next(self) -> bytes:
        if not self._flow.left and self._flow.index >= 0 and self._flow.size < self._flow.total:
            self.mark = Mark(self._flow.index + 1, self._flow.size, self._flow.size, b"")
        return self._flow.next()


class Unmarked:
    """A stream of whose marks nothing is wanted: who stops begins anew."""

    mark = None

    def __init__(self, stream: Marking) -> None:
        self.pread, self.packed_size, self.end_proves = stream.pread, stream.packed_size, stream.end_proves


class PackedFlow(Forward):
    """The unpacked bytes of bzip2, xz or zstd, in which there is no place to go on from."""

    end_proves = True
    mark = None

    def __init__(self, flow: Flow, form: str) -> None:
        self.packed_size = flow.total
        source = _Source(flow)
        super().__init__(lambda: streams(source, NEW[form]), f"the {form} stream")


class _Source:
    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def read(self, length: int) -> bytes:
        return self._flow.next()
