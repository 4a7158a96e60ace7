"""Small copies of pictures, for people to look at."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

from datafetch.images.check import FORMATS

EDGE = 104  # pixels of the longer side
LARGEST = 8 << 20  # bytes of a picture that is opened for this
PIXELS = 40_000_000


def thumbnail(data: bytes) -> bytes | None:
    """A small JPEG of a picture; None for what is none, or too large to be opened for this."""
    from PIL import Image

    Image.init()
    known = tuple(name for name in FORMATS if name in Image.OPEN)
    # Damaged data makes Pillow's decoders raise whatever they trip over.
    with suppress(Exception), Image.open(io.BytesIO(data), formats=known) as image:
        if image.width * image.height > PIXELS:
            return None
        image.draft("RGB", (2 * EDGE, 2 * EDGE))
        small = image.convert("RGBA") if image.mode in ("P", "LA", "PA", "RGBA") else image.convert("RGB")
        small.thumbnail((EDGE, EDGE))
        flat = Image.new("RGB", small.size, "white")
        flat.paste(small, mask=small if small.mode == "RGBA" else None)
        out = io.BytesIO()
        flat.save(out, "JPEG", quality=74, optimize=True)
        return out.getvalue()
    return None


def thumbnail_of(path: Path) -> bytes | None:
    """Of a file; None as well when it is not there, or a link."""
    with suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            if os.fstat(fd).st_size <= LARGEST:
                return thumbnail(file.read(LARGEST))
    return None
