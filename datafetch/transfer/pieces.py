"""What was written into a part and is remembered with it: spans with the CRC-32 of their bytes; pure.

The CRC is for the part's own disk, between two runs: a span that no longer fits was changed by someone else.
What the file as a whole should be is told by its digests.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable

from isal.isal_zlib import crc32, crc32_combine

from datafetch.transfer.lanes import Batch, Chunk
from datafetch.transfer.spans import Span

GRAIN = 1 << 20  # bytes that are fetched again together, …
MOST = 1000  # or so many parts of a file

Piece = tuple[int, int, int]  # from the first byte to the one after the last, and their CRC-32


def crc_of(batch: Batch) -> int:
    """The CRC-32 of the bytes of a batch."""
    crc = 0
    for chunk in batch:
        crc = crc32(chunk, crc)
    return crc


class Pieces:
    """A growing set of bytes with their CRC; those that follow on each other become one. One thread at a time."""

    def __init__(self, pieces: Iterable[Piece] = ()) -> None:
        self._pieces: list[Piece] = []
        for piece in pieces:
            self.add(piece)

    def add(self, piece: Piece) -> None:
        """A new piece, which takes the place of those it covers; one that cuts another in two is not believed."""
        start, end, crc = piece
        found = self._pieces
        first = bisect_left(found, start, key=lambda one: one[0])
        last = first
        while last < len(found) and found[last][1] <= end:
            last += 1
        before = found[first - 1] if first else None
        if start >= end or (before and before[1] > start) or (last < len(found) and found[last][0] < end):
            return
        if before and before[1] == start:
            start, crc, first = before[0], crc32_combine(before[2], crc, end - start), first - 1
        if last < len(found) and found[last][0] == end:
            crc = crc32_combine(crc, found[last][2], found[last][1] - end)
            end, last = found[last][1], last + 1
        found[first:last] = [(start, end, crc)]

    def all(self) -> tuple[Piece, ...]:
        return tuple(self._pieces)

    def spans(self) -> tuple[Span, ...]:
        return tuple((start, end) for start, end, _ in self._pieces)


class Grains:
    """Of what a file consists, so that a part of it can be told from another later: neighbours are put together until
    they are large enough to be worth a request, and few enough to be held and written down. One thread at a time.
    """

    def __init__(self, pieces: Iterable[Piece] = ()) -> None:
        self._pieces = list(pieces)
        self._full = 4 * MOST

    def add(self, piece: Piece) -> None:
        self._pieces.append(piece)
        if len(self._pieces) > self._full:
            self._pieces = _joined(self._pieces, max(GRAIN, piece[1] // MOST))
            self._full = max(4 * MOST, 2 * len(self._pieces))

    def clear(self) -> None:
        self._pieces.clear()

    def of(self, total: int) -> tuple[Piece, ...]:
        """Those of the whole file, in order; none when they do not make it up, each byte once."""
        found = _joined(self._pieces, max(GRAIN, total // MOST))
        ends = [0, *(end for _, end, _ in found)]
        return tuple(found) if ends[-1] == total and [start for start, _, _ in found] == ends[:-1] else ()


def _joined(pieces: Iterable[Piece], least: int) -> list[Piece]:
    found: list[Piece] = []
    for start, end, crc in sorted(pieces):
        if found and found[-1][1] == start and start - found[-1][0] < least:
            first, _, before = found.pop()
            crc, start = crc32_combine(before, crc, end - start), first
        found.append((start, end, crc))
    return found


class Proof:
    """Compares bytes that are read in order, from the first one on, with pieces that were written earlier."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._left = deque(pieces)
        self._crc = 0

    def take(self, at: int, data: Chunk) -> bool:
        """Whether the bytes there, and those before, are what was written."""
        end = at + len(data)
        while self._left and self._left[0][0] < end:
            start, stop, crc = self._left[0]
            if start >= at:
                self._crc = 0
            self._crc = crc32(memoryview(data)[max(0, start - at) : stop - at], self._crc)
            if stop > end:
                break
            if self._crc != crc:
                return False
            self._left.popleft()
        return True
