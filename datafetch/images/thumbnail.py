"""Small copies of pictures for people to look at, with their masks laid over them; and how large pictures are."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from datafetch.images.check import FORMATS

if TYPE_CHECKING:
    from PIL.Image import Image

EDGE = 128  # pixels of the longer side
LARGEST = 8 << 20  # bytes of a picture that is opened for this
PIXELS = 40_000_000
TINT, RIM, STRENGTH = (255, 45, 135), (255, 255, 255), 0.45  # of a mask: a colour that few things have

ABSENT, UNREADABLE, OTHER_SIZE, LAID = (
    "no mask",
    "a mask that is no picture",
    "a mask of another size",
    "its mask",
)


def thumbnail(data: bytes) -> bytes | None:
    """A small JPEG of a picture; None for what is none, or too large to be opened for this."""
    return masked(data, None)[0]


def masked(data: bytes, mask: bytes | None) -> tuple[bytes | None, str]:
    """`thumbnail`, tinted where the mask is above 0, as training code reads it; and what became of the mask."""
    # Damaged data makes Pillow's decoders raise whatever they trip over.
    with suppress(Exception), _open(data) as image:
        size = image.size
        if size[0] * size[1] > PIXELS:
            return None, ABSENT
        flat = _small(image)
        said = ABSENT
        if mask is not None:
            flat, said = _lay(flat, size, mask)
        out = io.BytesIO()
        flat.save(out, "JPEG", quality=74, optimize=True)
        return out.getvalue(), said
    return None, ABSENT


def bytes_of(path: Path) -> bytes | None:
    """What a file holds; None when it is not there, is a link, or is larger than what is opened for this."""
    with suppress(OSError), _plain(path) as file:
        if os.fstat(file.fileno()).st_size <= LARGEST:
            return file.read(LARGEST)
    return None


def dimensions(path: Path) -> tuple[int, int] | None:
    """Width and height as a picture's header says, without decoding it; None for what is no picture here."""
    with suppress(Exception), _plain(path) as file, _open(file) as image:
        return image.size
    return None


def _plain(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb")


def _open(source: bytes | BinaryIO) -> Image:
    from PIL import Image

    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # it would warn on stderr; the limit here is PIXELS
    known = tuple(name for name in FORMATS if name in Image.OPEN)
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=known)


def _small(image: Image) -> Image:
    """A copy in RGB, on white where the picture is transparent."""
    from PIL import Image as Images

    image.draft("RGB", (2 * EDGE, 2 * EDGE))
    if image.mode in ("P", "LA", "PA", "RGBA"):
        image = image.convert("RGBA")
    image.thumbnail((EDGE, EDGE))  # before the copy: a large picture is in memory once
    flat = Images.new("RGB", image.size, "white")
    flat.paste(
        image.convert("RGBA" if image.mode == "RGBA" else "RGB"), mask=image if image.mode == "RGBA" else None
    )
    return flat


def _lay(flat: Image, size: tuple[int, int], mask: bytes) -> tuple[Image, str]:
    from PIL import Image, ImageChops, ImageFilter

    with suppress(Exception), _open(mask) as found:
        if found.size != size:
            return flat, OTHER_SIZE
        inside = found.convert("L").point([0, *[255] * 255])
        inside = inside.resize(flat.size, Image.Resampling.BOX)
        rim = ImageChops.subtract(inside.filter(ImageFilter.MaxFilter(3)), inside)
        tinted = Image.blend(flat, Image.new("RGB", flat.size, TINT), STRENGTH)
        laid = Image.composite(tinted, flat, inside)
        laid.paste(RIM, (0, 0, *flat.size), rim)
        return laid, LAID
    return flat, UNREADABLE
