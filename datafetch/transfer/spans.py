"""Which bytes of a file are there: sorted spans that do not touch, and the gaps between them; pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

Span = tuple[int, int]  # from the first byte to the one after the last


class Spans:
    """A set of bytes that grows. One thread at a time."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in spans:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Bytes `start` to `end` are there; may overlap what was."""
        if start >= end:
            return
        first = bisect_left(self._ends, start)  # the first span that touches
        last = bisect_right(self._starts, end)  # the one after the last that does
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def reach(self, at: int) -> int:
        """The end of the bytes that follow on `at` without a gap; `at` itself when its byte is not there."""
        found = bisect_right(self._starts, at) - 1
        return max(at, self._ends[found]) if found >= 0 else at

    @property
    def size(self) -> int:
        return sum(self._ends) - sum(self._starts)

    def upto(self, end: int) -> tuple[Span, ...]:
        """The spans, as far as they lie before `end`."""
        found = zip(self._starts, self._ends, strict=True)
        return tuple((start, min(stop, end)) for start, stop in found if start < end)

    def all(self) -> tuple[Span, ...]:
        return tuple(zip(self._starts, self._ends, strict=True))

    def gaps(self, total: int) -> tuple[Span, ...]:
        """What lacks of a file of `total` bytes, in order."""
        found, at = [], 0
        for start, end in self.upto(total):
            if at < start:
                found.append((at, start))
            at = end
        if at < total:
            found.append((at, total))
        return tuple(found)
