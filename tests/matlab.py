"""A MATLAB file of level 5 with one array of structs, as MATLAB writes it: packed, with small elements."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

Value = int | str | Sequence[int]


def element(kind: int, data: bytes) -> bytes:
    if 0 < len(data) <= 4:
        return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0")
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(kind: int, shape: tuple[int, int], name: str, *parts: bytes) -> bytes:
    flags = element(6, struct.pack("<II", kind, 0))
    dimensions = element(5, struct.pack("<ii", *shape))
    return element(14, flags + dimensions + element(1, name.encode()) + b"".join(parts))


def value(given: Value) -> bytes:
    match given:
        case int():  # MATLAB keeps a double as the smallest integer that holds it
            kind, form = (2, "B") if given < 256 else (4, "H")
            return matrix(6, (1, 1), "", element(kind, struct.pack(f"<{form}", given)))
        case str():
            return matrix(4, (1, len(given)), "", element(4, given.encode("utf-16-le")))
        case _:
            return matrix(6, (1, len(given)), "", element(9, struct.pack(f"<{len(given)}d", *given)))


def structs(rows: Sequence[dict[str, Value]], name: str = "synsets", *, packed: bool = True) -> bytes:
    """A file with these rows; all have the same fields."""
    fields = list(rows[0])
    width = element(5, struct.pack("<i", 32))
    names = element(1, b"".join(field.encode().ljust(32, b"\0") for field in fields))
    values = b"".join(value(row[field]) for row in rows for field in fields)
    array = matrix(2, (len(rows), 1), name, width, names, values)
    if packed:
        array = struct.pack("<II", 15, len(found := zlib.compress(array))) + found
    return b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + b"\x00\x01IM" + array
