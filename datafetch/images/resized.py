"""A picture as a trainer wants it: three channels of a fixed side."""

from __future__ import annotations

import io

from datafetch.images.check import FORMATS, Limits
from datafetch.model import Why


def planes(data: bytes, side: int, limits: Limits) -> bytes | Why:
    """Red, green and blue of the picture, each `side` rows of `side` bytes, one after the other; why not, else.

    Bilinear, as `scipy.misc.imresize` was; grey pictures have three equal channels. Any rotation that EXIF data asks
    for is not made.
    """
    from PIL import Image

    Image.init()
    known = tuple(name for name in FORMATS if name in Image.OPEN)
    Image.MAX_IMAGE_PIXELS = None  # the limit below is ours
    try:
        with Image.open(io.BytesIO(data), formats=known) as image:
            if image.width * image.height > limits.max_pixels:
                return Why.TOO_LARGE
            small = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
            return b"".join(band.tobytes() for band in small.split())
    except Exception:
        # Damaged data makes Pillow's decoders raise whatever they trip over.
        return Why.NOT_AN_IMAGE
