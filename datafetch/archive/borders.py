"""Places in a deflate stream at which inflating can begin: where one block ends and the next starts.

A block may start at any bit, and zlib starts at bytes. So what is fed first are empty blocks of our own, as many
bits long as the first byte holds bits of the block before; the true block follows in the same byte.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, Protocol, Self

WINDOW = 32 << 10  # bytes before a block that it may refer to
_MOST_OUT = 64 << 20  # unpacked bytes that a search may hold
_MOST_WORK = (
    2 << 30
)  # bytes that a search may unpack: ordinary streams need a tenth, one that is made up no end
_PROOF = 512  # unpacked bytes that must come out right before a place is believed

_FIXED, _FIXED_BITS = 0b010, 10  # an empty block of the fixed code: its type and its end, seven zeros


class Inflater(Protocol):
    """A zlib decompressor of raw deflate; the stubs give theirs no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...
    def copy(self) -> Self: ...


class Border(NamedTuple):
    """`data`, given to an inflater that knows `window`, unpacks to what follows `between`."""

    window: bytes
    data: bytes
    between: bytes  # what lies unpacked between the begin of the search and here


def inflater(window: bytes = b"") -> Inflater:
    """An inflater of raw deflate that stands behind these unpacked bytes."""
    return zlib.decompressobj(-15, zdict=window) if window else zlib.decompressobj(-15)


def find_border(before: Inflater, window: bytes, data: bytes) -> Border | None:
    """The first border in `data`, which `before` would read next; `window` is the end of what it has unpacked.

    Believed only if all that follows in `data` unpacks from there to the very bytes that it should. None when there
    is no such place, or none was found in reasonable time. `before` is left as it is.
    """
    reader = before.copy()
    out = reader.decompress(data, _MOST_OUT)
    if reader.unconsumed_tail:
        return None
    for byte, bit in islice(_candidates(data), _MOST_WORK // (len(data) + len(out))):
        start = len(before.copy().decompress(data[: byte + (bit > 0)], _MOST_OUT))
        if len(out) - start < _PROOF:
            return None
        known = (window + out[:start])[-WINDOW:]
        rest = _aligned(data, byte, bit)
        try:
            if inflater(known).decompress(rest, _MOST_OUT) == out[start:]:
                return Border(known, rest, out[:start])
        except zlib.error:
            continue
    return None


def _candidates(data: bytes) -> Iterator[tuple[int, int]]:
    """(byte, bit) of what looks like the header of a block; byte -1 from a stored one's lengths on."""
    for byte in range(len(data) - 16):
        if data[byte] ^ data[byte + 2] == 0xFF == data[byte + 1] ^ data[byte + 3]:
            yield byte, -1
        word = int.from_bytes(data[byte : byte + 12], "little")
        for bit in range(8):
            if _may_be_dynamic(word >> bit):
                yield byte, bit


def _may_be_dynamic(word: int) -> bool:
    """Whether these bits begin as a block with codes of its own that is not the last one."""
    if word & 7 != 0b100 or word >> 3 & 31 > 29 or word >> 8 & 31 > 29:
        return False
    lengths = (word >> 17 + 3 * index & 7 for index in range((word >> 13 & 15) + 4))
    return sum(128 >> length for length in lengths if length) == 128


def _aligned(data: bytes, byte: int, bit: int) -> bytes:
    """The stream from this bit on, behind empty blocks that fill the bits before it."""
    if bit < 0:
        return b"\0" + data[byte:]  # the header of a stored block, whose padding ends where its lengths begin
    if bit == 0:
        return data[byte:]
    filler, length = _filler(bit)
    joined = filler | data[byte] >> bit << length
    return joined.to_bytes(length // 8 + 1, "little") + data[byte + 1 :]


def _filler(bit: int) -> tuple[int, int]:
    """Empty blocks, and how many bits they have: a number that leaves `bit` when divided by eight."""
    filler, length = _odd_block() if bit % 2 else (0, 0)
    while length % 8 != bit:
        filler |= _FIXED << length
        length += _FIXED_BITS
    return filler, length


def _odd_block() -> tuple[int, int]:
    """An empty block with codes of its own, 91 bits long, since those of the fixed code have an even number."""
    filler = length = 0
    lengths = [0] * 18  # of the codes for lengths, in the order deflate gives them: 18 third, 1 last
    lengths[2] = lengths[17] = 1
    header = [(0b100, 3), (0, 5), (0, 5), (len(lengths) - 4, 4), *((each, 3) for each in lengths)]
    zeros = [(1, 1), (138 - 11, 7), (1, 1), (117 - 11, 7)]  # 255 symbols that do not occur
    ones = [(0, 1)] * 3  # a byte and the end mark, a bit each; one distance
    for value, bits in (*header, *zeros, *ones, (1, 1)):  # at last the end mark
        filler |= value << length
        length += bits
    return filler, length
