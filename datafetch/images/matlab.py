"""Tables that are an array of structs in a MATLAB file: level 5, little-endian, as most tools write it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from datafetch.errors import BadList
from datafetch.images.opened import faults
from datafetch.images.rows import Row, Rows

LARGEST = 64 << 20  # bytes, packed or not: a table of classes has some hundred thousand
_HEADER = 128
_PACKED, _MATRIX = 15, 14
_STRUCT, _CHARS, _LOGICAL_OR_NUMBER = 2, 4, range(6, 16)
_COMPLEX = 0x800
# Type of the elements of a number or text -> how `struct` calls it; 16 to 18 are UTF-8, UTF-16 and UTF-32.
_FORMATS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
_ENCODINGS = {2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le", 18: "utf-32-le"}


def read_matlab(path: Path) -> Rows:
    """A row for each struct of the first array of structs, with its fields that are one number or a text.

    Numbered from 1. BadList when the file holds no such array, or is damaged. Memory is the file's.
    """
    with faults(path.name), path.open("rb") as file:
        data = file.read(LARGEST + 1)
    try:
        if len(data) > LARGEST:
            raise ValueError(f"more than {LARGEST:,} bytes")
        if data[124:128] != b"\x00\x01IM":
            raise ValueError("no MATLAB file of level 5")
        yield from _rows(data)
    except (ValueError, struct.error, zlib.error) as error:
        raise BadList(f"{path.name}: not a MATLAB table: {error}") from error


class _Matrix(NamedTuple):
    kind: int
    size: int  # how many elements
    parts: list[tuple[int, bytes]]  # what follows kind, dimensions and name


def _rows(data: bytes) -> Rows:
    for kind, body in _elements(data, _HEADER):
        if kind == _PACKED:
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(body, LARGEST)
            if unpacker.unconsumed_tail or not unpacker.eof:
                raise ValueError(f"more than {LARGEST:,} bytes, or cut off")
            kind, body = next(_elements(unpacked, 0), (0, b""))
        if kind == _MATRIX and (found := _matrix(body)).kind == _STRUCT:
            yield from _structs(found)
            return
    raise ValueError("no array of structs")


def _structs(array: _Matrix) -> Rows:
    (_, length), (_, names), *values = array.parts
    (width,) = struct.unpack("<i", length)
    if width <= 0:
        raise ValueError("field names without a length")
    if not names:  # then nothing in the file would say how many structs there are but their number
        raise ValueError("structs without fields")
    fields = [names[at : at + width].split(b"\0")[0].decode("ascii") for at in range(0, len(names), width)]
    if len(values) != len(fields) * array.size:
        raise ValueError(f"{len(values)} values for {array.size} structs of {len(fields)} fields")
    for number in range(array.size):
        here = values[number * len(fields) : (number + 1) * len(fields)]
        told = ((field, _value(body)) for field, (_, body) in zip(fields, here, strict=True))
        yield Row(number + 1, {field: value for field, value in told if value is not None})


def _value(body: bytes) -> str | None:
    """One number or a text, as text; None for anything else."""
    if not body:
        return None
    matrix = _matrix(body)
    if not matrix.parts:
        return None
    kind, raw = matrix.parts[0]
    if matrix.kind == _CHARS:
        if kind not in _ENCODINGS:
            raise ValueError(f"characters of type {kind}")
        return raw.decode(_ENCODINGS[kind])
    if matrix.kind not in _LOGICAL_OR_NUMBER or matrix.size != 1 or kind not in _FORMATS:
        return None
    (number,) = struct.unpack(f"<{_FORMATS[kind]}", raw)
    return str(int(number)) if number == number // 1 else str(number)


def _matrix(body: bytes) -> _Matrix:
    flags, dimensions, _name, *parts = _elements(body, 0)
    (kind,) = struct.unpack_from("<I", flags[1])
    if kind & _COMPLEX:
        parts = []
    count = 1
    for (each,) in struct.iter_unpack("<i", dimensions[1]):
        if each < 0:
            raise ValueError(f"a dimension of {each}")
        count *= each
    return _Matrix(kind & 0xFF, count, parts)


def _elements(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each element; a small one keeps both sizes in one word."""
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        start = at + 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
            at += 8
        else:
            at = start + (size if kind == _PACKED else -(-size // 8) * 8)
        if start + size > len(data):
            raise ValueError("it ends in the middle of an element")
        yield kind, data[start : start + size]
