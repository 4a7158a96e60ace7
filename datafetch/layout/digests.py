"""Sets of millions of paths in eight bytes each: a keyed hash of a path stands for it."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise

_BUCKETS = (1 << 12) - 1  # a mask: so many sorted arrays that a look into one of them is quick
_WAITING = 1 << 16  # of those that were added last, which are put into their arrays together


class Digests:
    """A set of texts; `len` counts those that differ.

    A text that was never added is taken for one of a million that were once in 18 trillion questions. The key is
    drawn anew each time, unless it is that of another set: nobody can make up texts that meet.
    """

    def __init__(self, like: Digests | None = None) -> None:
        self._key: str = os.urandom(12).hex() if like is None else like._key
        self._buckets: dict[int, array[int]] = {}
        self._waiting: list[int] = []
        self._sorted = True

    @classmethod
    def of(cls, texts: Iterable[str]) -> Digests:
        found = cls()
        for text in texts:
            found.add(text)
        return found

    def __bool__(self) -> bool:
        return bool(self._buckets or self._waiting)

    def add(self, text: str) -> None:
        self._waiting.append(hash(self._key + text))
        if len(self._waiting) >= _WAITING:
            self._spread()

    def __contains__(self, text: object) -> bool:
        if self._waiting or not self._sorted:
            self._sort()
        number = hash(f"{self._key}{text}")
        bucket = self._buckets.get(number & _BUCKETS)
        if bucket is None:
            return False
        at = bisect_left(bucket, number)
        return at < len(bucket) and bucket[at] == number

    def __len__(self) -> int:
        self._spread()
        return sum(len(set(bucket)) for bucket in self._buckets.values())

    def twice(self, other: Digests) -> Digests:
        """What was added more than once, to this set or to this one and to `other`, which has the same key."""
        found = Digests(self)
        self._spread()
        other._spread()
        for at, bucket in self._buckets.items():
            theirs = set(other._buckets.get(at, ()))
            found._take(at, _repeated(sorted(bucket)))
            found._take(at, (number for number in set(bucket) if number in theirs))
        return found

    def _take(self, at: int, numbers: Iterator[int]) -> None:
        if kept := array("q", numbers):
            self._buckets.setdefault(at, array("q")).extend(kept)
            self._sorted = False

    def _spread(self) -> None:
        buckets = self._buckets
        for number in self._waiting:
            try:
                buckets[number & _BUCKETS].append(number)
            except KeyError:
                buckets[number & _BUCKETS] = array("q", (number,))
        self._sorted = self._sorted and not self._waiting
        self._waiting.clear()

    def _sort(self) -> None:
        self._spread()
        for at, bucket in self._buckets.items():
            self._buckets[at] = array("q", sorted(bucket))
        self._sorted = True


def _repeated(ordered: list[int]) -> Iterator[int]:
    return (number for number, after in pairwise(ordered) if number == after)
