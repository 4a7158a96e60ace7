"""Small PNG pictures made by hand, the same bytes on every machine: no compressor, no imaging library."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

SIDE = 32  # pixels


@dataclass(frozen=True, slots=True)
class Scene:
    """One object before a background; the name it was made from decides where, how large and in which
    colours.
    """

    shape: str  # box, disc or wedge
    x: int
    y: int
    radius: int
    paint: tuple[int, int, int]
    back: tuple[int, int, int]


def scene(name: str, shape: str) -> Scene:
    """The scene that belongs to `name`; other names give other scenes."""
    d = hashlib.sha256(name.encode()).digest()
    paint = (128 + d[3] // 2, 64 + d[4] // 2, d[5])
    return Scene(
        shape, 11 + d[0] % 10, 11 + d[1] % 10, 6 + d[2] % 5, paint, (d[6] // 3, d[7] // 3, d[8] // 2)
    )


def photo(of: Scene) -> bytes:
    """A PNG of the object in colour over a shaded background."""
    rows = bytearray()
    for y in range(SIDE):
        shaded = bytes(min(255, channel + 2 * y) for channel in of.back)
        left, right = _span(of, y)
        rows += b"\0" + shaded * left + bytes(of.paint) * (right - left) + shaded * (SIDE - right)
    return _png(2, bytes(rows))


def mask(of: Scene) -> bytes:
    """A PNG of one channel: 255 where the object is, 0 elsewhere."""
    rows = bytearray()
    for y in range(SIDE):
        left, right = _span(of, y)
        rows += b"\0" + b"\0" * left + b"\xff" * (right - left) + b"\0" * (SIDE - right)
    return _png(0, bytes(rows))


def _span(of: Scene, y: int) -> tuple[int, int]:
    """Where the object begins and ends in row `y`."""
    rise = y - of.y
    if abs(rise) > of.radius:
        return 0, 0
    match of.shape:
        case "box":
            half = of.radius
        case "disc":
            half = int((of.radius**2 - rise**2) ** 0.5)
        case _:
            half = (rise + of.radius) // 2
    return max(0, of.x - half), min(SIDE, of.x + half + 1)


def _png(colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, colour, 0, 0, 0)
    # One stored deflate block (RFC 1951, 3.2.4): compressors differ between versions, stored bytes do not.
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    data = stored + struct.pack(">I", zlib.adler32(rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
