"""Paper to draw on with Pillow: blocks of one width, each as high as it needs, put below each other."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from datafetch.model import Outcome
from datafetch.show.html import UNSEEN

if TYPE_CHECKING:
    from PIL import ImageDraw
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont, ImageFont

WIDTH, MARGIN = 1400, 48
INNER = WIDTH - 2 * MARGIN
HIGHEST = 12_000  # of all blocks: what comes after is left out
PAGE, CARD, INK, SOFT, LINE, TRACK = "#f6f5f1", "#fffefb", "#1d2330", "#626a7a", "#e2dfd6", "#eceae3"
OUTCOMES = {
    Outcome.OK: "#0b8f6a",
    Outcome.MISSING: "#e0a100",
    Outcome.FAILED: "#d0521b",
    Outcome.REJECTED: "#b05c98",
    Outcome.SKIPPED: "#a3a9b5",
}
# Pillow brings a font of its own, with little beyond ASCII; the first of these that is installed knows more.
FONTS = (
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "DejaVuSans.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
)


@cache
def _font(size: int, known: bool) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    for name in () if known else FONTS:
        with suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)


def plain(said: str) -> str:
    """One line of what can be drawn: nothing that turns its direction, no ends of lines."""
    return " ".join(UNSEEN.sub("\ufffd", said).split()).replace("\ufffd", "?")


class Block:
    """A piece of paper; `y` is where the next thing goes."""

    def __init__(self, height: int) -> None:
        from PIL import Image, ImageDraw

        self.image: Picture = Image.new("RGB", (INNER, height), CARD)
        self.pen: ImageDraw.ImageDraw = ImageDraw.Draw(self.image)
        self.y = 0

    def text(self, x: int, y: int, said: str, size: int = 17, colour: str = INK, room: int = INNER) -> int:
        """Draws one line, shortened to the room it has; where it ends."""
        said = plain(said)[:400]
        font = _font(size, said.isascii())
        if self.pen.textlength(said, font=font) > room:
            while said and self.pen.textlength(said + "...", font=font) > room:
                said = said[:-1]
            said += "..."
        self.pen.text((x, y), said, fill=colour, font=font)
        return x + round(self.pen.textlength(said, font=font))

    def bar(self, x: int, y: int, wide: int, high: int, parts: Sequence[tuple[int, str]], whole: int) -> None:
        """Parts of a whole side by side, in their colours."""
        self.pen.rounded_rectangle((x, y, x + wide, y + high), high // 2, fill=TRACK)
        at = float(x)
        for count, colour in parts:
            end = at + wide * count / (whole or 1)
            if count:
                self.pen.rectangle((round(at), y, max(round(end) - 2, round(at) + 1), y + high), fill=colour)
            at = end

    def cut(self) -> Picture:
        return self.image.crop((0, 0, INNER, max(self.y, 1)))


def headed(title: str, lead: str, height: int) -> Block:
    """A block with its title and a line that explains it, and room for `height` more."""
    block = Block(height + 80)
    block.text(0, 0, title, 24)
    block.text(0, 36, lead, 16, SOFT)
    block.y = 70 if lead else 44
    return block


def square(jpeg: bytes, side: int) -> Picture:
    """A small picture, cut to a square."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        return ImageOps.fit(image, (side, side))


def wrapped(said: str, columns: int, most: int) -> list[str]:
    """Lines of a longer text, with its own ends of lines; the rest is said to be left out."""
    lines = [part for line in said.strip().splitlines() for part in textwrap.wrap(line, columns) or [""]]
    return lines if len(lines) <= most else [*lines[: most - 1], "..."]


def stacked(blocks: Sequence[Picture]) -> bytes:
    """A PNG of the blocks, each on a card of its own."""
    from PIL import Image, ImageDraw

    gap, pad = 22, 26
    tall = gap + sum(block.height + 2 * pad + gap for block in blocks)
    paper = Image.new("RGB", (WIDTH, min(tall, HIGHEST)), PAGE)
    pen, y = ImageDraw.Draw(paper), gap
    for block in blocks:
        low = y + block.height + 2 * pad
        pen.rounded_rectangle((MARGIN - pad, y, WIDTH - MARGIN + pad, low), 14, fill=CARD, outline=LINE)
        paper.paste(block, (MARGIN, y + pad))
        y = low + gap
    out = io.BytesIO()
    paper.save(out, "PNG", optimize=True)
    return out.getvalue()
