"""Whether a body is a whole image: the one module that imports Pillow, and only when an image comes."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

from datafetch.model import Why

# Of Pillow's formats those that hosts serve; others bring interpreters (EPS) and decoders nobody needs here.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may be. The pixel limit bounds the memory and the time of a decode."""

    min_bytes: int = 0
    max_bytes: int = 32 << 20
    max_pixels: int = 200_000_000
    formats: tuple[str, ...] = FORMATS  # of Pillow


@dataclass(frozen=True, slots=True)
class Checked:
    """A whole image, as stored: before any rotation that its EXIF data asks for."""

    width: int
    height: int


def check(data: bytes, limits: Limits) -> Checked | Why:
    """Decodes every pixel of the first frame; the bytes stay as they are. Nothing is raised for bad data.

    TOO_SMALL and TOO_LARGE stand for the limits, SHORT for an image that breaks off, NOT_AN_IMAGE for all
    else.
    """
    if (why := weigh(data, limits)) is not None:
        return why
    from PIL import Image, UnidentifiedImageError

    Image.init()  # once; what this Pillow was built without is then absent from OPEN
    known = tuple(name for name in limits.formats if name in Image.OPEN)
    # Pillow would warn on stderr; the limit below is ours and is checked before a pixel is decoded.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(io.BytesIO(data), formats=known) as image:
            if image.width * image.height > limits.max_pixels:
                return Why.TOO_LARGE
            found = Checked(image.width, image.height)
            image.load()
            return found
    except UnidentifiedImageError:
        return Why.NOT_AN_IMAGE
    except Exception as error:
        # Damaged data makes Pillow's decoders raise whatever they trip over: OSError, SyntaxError,
        # struct.error, …
        return Why.SHORT if "truncated" in str(error) else Why.NOT_AN_IMAGE


def check_file(path: Path, limits: Limits) -> Checked | Why:
    """`check` of a file, of which nothing is read when it is too large. Raises OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limits.max_bytes:
            return Why.TOO_LARGE
        return check(file.read(size), limits)


def weigh(data: bytes, limits: Limits) -> Why | None:
    """TOO_SMALL or TOO_LARGE by bytes alone; an empty body is always too small."""
    if len(data) < max(limits.min_bytes, 1):
        return Why.TOO_SMALL
    return Why.TOO_LARGE if len(data) > limits.max_bytes else None
