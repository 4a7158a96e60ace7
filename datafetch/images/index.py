"""A set of texts with a number each, in 24 bytes per text: which address or path came first, over millions
of rows.
"""

from __future__ import annotations

import hashlib
from array import array


class Index:
    """Maps a text to the number it was first added with.

    It holds 64 bits of a digest instead of the text. Two of a million texts meet by chance once in 37 million
    lists; keyed digests keep an author of lists from finding two that do.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._key = key
        self._count = 0
        self._digests = array("Q", bytes(8 << 10))
        self._numbers = array("I", bytes(4 << 10))

    def __len__(self) -> int:
        return self._count

    def first(self, text: str, number: int) -> int:
        """The number (from 1) that `text` was added with; `number` itself when it is new, and then it is
        kept.
        """
        digest = self._digest(text)
        slot = self._slot(digest)
        if self._numbers[slot]:
            return self._numbers[slot]
        self._digests[slot], self._numbers[slot] = digest, number
        self._count += 1
        if self._count * 3 > len(self._numbers) * 2:
            self._grow()
        return number

    def _digest(self, text: str) -> int:
        data = text.encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=self._key).digest(), "little")

    def _slot(self, digest: int) -> int:
        """Where the digest stands, or the free slot where it belongs."""
        mask = len(self._numbers) - 1
        slot = digest & mask
        while self._numbers[slot] and self._digests[slot] != digest:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        digests, numbers = self._digests, self._numbers
        self._digests = array("Q", bytes(8 * 2 * len(numbers)))
        self._numbers = array("I", bytes(4 * 2 * len(numbers)))
        for digest, number in zip(digests, numbers, strict=True):
            if number:
                slot = self._slot(digest)
                self._digests[slot], self._numbers[slot] = digest, number
