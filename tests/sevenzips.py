"""7z archives by hand, stored, with any name in them: no program that makes them would."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

END, HEADER, STREAMS, FILES, PACK, UNPACK, SUBSTREAMS, SIZE, CRC, FOLDER, CODER_SIZES, COUNTS, NAMES = (
    *(0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17),
)


def sevenzip_of(members: Sequence[tuple[str, bytes]], attributes: Sequence[int] = ()) -> bytes:
    """Members of at least one byte, copied into one folder; `attributes` as Windows has them, Unix' above them."""
    packed = b"".join(data for _, data in members)
    sizes = b"".join(_number(len(data)) for _, data in members[:-1])
    digests = b"\1" + b"".join(struct.pack("<I", zlib.crc32(data)) for _, data in members)
    streams = (
        bytes((STREAMS, PACK))
        + _number(0)
        + _number(1)
        + bytes((SIZE,))
        + _number(len(packed))
        + bytes((END,))
    )
    streams += bytes((UNPACK, FOLDER)) + _number(1) + b"\0" + b"\1\1\0"  # one coder: copy
    streams += bytes((CODER_SIZES,)) + _number(len(packed)) + bytes((END,))
    streams += (
        bytes((SUBSTREAMS, COUNTS)) + _number(len(members)) + (bytes((SIZE,)) + sizes if sizes else b"")
    )
    streams += bytes((CRC,)) + digests + bytes((END, END))
    names = b"\0" + b"".join(f"{name}\0".encode("utf-16-le", "surrogatepass") for name, _ in members)
    files = bytes((FILES,)) + _number(len(members)) + bytes((NAMES,)) + _number(len(names)) + names
    if attributes:
        told = b"\1\0" + b"".join(struct.pack("<I", each) for each in attributes)
        files += bytes((21,)) + _number(len(told)) + told
    header = bytes((HEADER,)) + streams + files + bytes((END, END))
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + packed + header


def _number(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else b"\xff" + struct.pack("<Q", value)
