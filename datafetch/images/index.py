"""Which texts of millions of rows came before: flat tables of digests, with a row's number or without."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left

from datafetch.errors import BadList

_BUCKETS = 12  # bits of a digest that choose one of the 4,096 sorted arrays: an insert moves few bytes
_MARK = 16  # bits of a digest that are compared beside the sorted ones
_SORTED = 38  # bits of a digest in front of a row's number, which has the other 26
_NUMBER = 64 - _SORTED
_ALONE = 32  # bits of a digest that are sorted where no number is kept


class Index:
    """Maps a text to the number it was first added with, in about 11 bytes a text.

    It holds 66 bits of a digest instead of the text: two of 14 million texts meet by chance once in 750,000
    lists. Keyed digests keep an author of lists from finding two that do. Numbers go up to 67 million.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._key = key
        self._count = 0
        self._words: dict[int, array[int]] = {}  # bucket -> digest and number, sorted
        self._marks: dict[int, array[int]] = {}  # bucket -> more of each digest, in the order of the words

    def __len__(self) -> int:
        return self._count

    def first(self, text: str, number: int) -> int:
        """The number (from 1) that `text` was added with; `number` itself when it is new, and then it is
        kept. BadList for a number beyond those that it can keep.
        """
        bucket, head, mark = _cut(text, self._key, _SORTED)
        words = self._words.get(bucket)
        if words is None:
            words, self._marks[bucket] = array("Q"), array("H")
            self._words[bucket] = words
        marks = self._marks[bucket]
        if found := _number(words, marks, head, mark):
            return found
        if number >> _NUMBER:
            raise BadList(f"row {number:,}: a list may have {(1 << _NUMBER) - 1:,} rows")
        word = head << _NUMBER | number
        at = bisect_left(words, word)
        words.insert(at, word)
        marks.insert(at, mark)
        self._count += 1
        return number

    def get(self, text: str) -> int:
        """The number that `text` was added with; 0 when it was not."""
        bucket, head, mark = _cut(text, self._key, _SORTED)
        words = self._words.get(bucket)
        return 0 if words is None else _number(words, self._marks[bucket], head, mark)


class Seen:
    """A set of texts, in about 7 bytes a text, by 60 bits of a digest: for where a text that is taken for
    another does no harm.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._key = key
        self._words: dict[int, array[int]] = {}
        self._marks: dict[int, array[int]] = {}

    def __contains__(self, text: str) -> bool:
        bucket, head, mark = _cut(text, self._key, _ALONE)
        words = self._words.get(bucket)
        return words is not None and _among(words, self._marks[bucket], head, mark)

    def add(self, text: str) -> bool:
        """Whether `text` is new."""
        bucket, head, mark = _cut(text, self._key, _ALONE)
        words = self._words.get(bucket)
        if words is None:
            words, self._marks[bucket] = array("I"), array("H")
            self._words[bucket] = words
        marks = self._marks[bucket]
        if _among(words, marks, head, mark):
            return False
        at = bisect_left(words, head)
        words.insert(at, head)
        marks.insert(at, mark)
        return True


def _cut(text: str, key: bytes, head: int) -> tuple[int, int, int]:
    """A digest of `text` cut into the number of its bucket, the bits that are sorted, and its mark."""
    data = text.encode("utf-8", "surrogatepass")
    digest = int.from_bytes(hashlib.blake2b(data, digest_size=9, key=key).digest(), "little")
    bucket = digest & ((1 << _BUCKETS) - 1)
    digest >>= _BUCKETS
    return bucket, digest >> _MARK & ((1 << head) - 1), digest & ((1 << _MARK) - 1)


def _number(words: array[int], marks: array[int], head: int, mark: int) -> int:
    """What a digest was added with; 0 when it was not."""
    at = bisect_left(words, head << _NUMBER)
    while at < len(words) and words[at] >> _NUMBER == head:
        if marks[at] == mark:
            return words[at] & ((1 << _NUMBER) - 1)
        at += 1
    return 0


def _among(words: array[int], marks: array[int], head: int, mark: int) -> bool:
    at = bisect_left(words, head)
    while at < len(words) and words[at] == head:
        if marks[at] == mark:
            return True
        at += 1
    return False
