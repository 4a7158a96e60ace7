"""Masks drawn from COCO's outlines: polygons, and run lengths plain or compressed."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from datafetch.errors import BadList

MOST_PIXELS = 200_000_000


class _RunLengths(msgspec.Struct):
    """`counts` of pixels off and on by turns, column by column: numbers, or COCO's compressed text."""

    size: tuple[int, int]  # height, width
    counts: str | list[int]


_Segmentation = list[list[float]] | _RunLengths


Polygons = list[list[float]]
Counts = tuple[int, ...]  # of pixels off and on by turns, down the columns


def parse(raw: bytes, size: tuple[int, int]) -> Polygons | Counts:
    """One outline of a picture of `size`, width and height. BadList for what is none, lies or has another size."""
    width, height = size
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise BadList(f"no picture is {width} x {height}")
    try:
        found = msgspec.json.decode(raw, type=_Segmentation)
    except msgspec.MsgspecError:
        raise BadList("an outline that is neither polygons nor run lengths") from None
    if isinstance(found, _RunLengths):
        if tuple(found.size) != (height, width):
            raise BadList(f"run lengths of {found.size[1]} x {found.size[0]} for {width} x {height}")
        return _checked(found, width * height)
    polygons: Polygons = found
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            raise BadList(f"a polygon of {len(polygon)} numbers")
    return polygons


def is_inside(outline: Polygons | Counts, size: tuple[int, int]) -> bool:
    """Whether it may hold a pixel of the picture: of a polygon its bounding box counts."""
    if isinstance(outline, tuple):
        return any(outline[1::2])
    width, height = size
    return any(
        min(polygon[::2]) < width
        and max(polygon[::2]) >= 0
        and min(polygon[1::2]) < height
        and max(polygon[1::2]) >= 0
        for polygon in outline
    )


def draw(segmentations: Iterable[bytes], size: tuple[int, int]) -> bytes:
    """A PNG of one channel with 255 where any of the outlines is and 0 elsewhere; `size` is width and height.

    Polygons are filled by Pillow, edges included: at an edge that may differ by a pixel from what COCO's own code
    fills. Raises BadList as `parse` does.
    """
    from PIL import Image, ImageDraw

    width, height = size
    found = [parse(raw, size) for raw in segmentations if raw]
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    for outline in found:
        if isinstance(outline, tuple):
            pixels = b"".join((b"\xff" if turn % 2 else b"\0") * count for turn, count in enumerate(outline))
            filled = Image.frombytes("L", (height, width), pixels).transpose(Image.Transpose.TRANSPOSE)
            mask.paste(255, mask=filled)
            continue
        for polygon in outline:
            pen.polygon(list(zip(polygon[::2], polygon[1::2], strict=True)), fill=255)
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def _checked(runs: _RunLengths, pixels: int) -> Counts:
    counts = tuple(_uncompressed(runs.counts) if isinstance(runs.counts, str) else runs.counts)
    if min(counts, default=0) < 0 or sum(counts) != pixels:
        raise BadList(f"run lengths of {sum(counts):,} pixels for {pixels:,}")
    return counts


def _uncompressed(text: str) -> Iterator[int]:
    """COCO's text: groups of five bits, lowest first, from character 48 on, with a bit for more and one for the sign;
    from the third number on each is the difference to the last but one (cocoapi, common/maskApi.c, rleFrString).
    """
    counts: list[int] = []
    at = 0
    while at < len(text):
        number, shift, more = 0, 0, True
        while more:
            if at >= len(text) or shift > 60:
                raise BadList("run lengths that break off")
            group = ord(text[at]) - 48
            if not 0 <= group < 64:
                raise BadList(f"run lengths with the character {text[at]!r}")
            number |= (group & 31) << shift
            more = bool(group & 32)
            at, shift = at + 1, shift + 5
        if group & 16:
            number -= 1 << shift
        counts.append(number + _before(counts))
    yield from counts


def _before(counts: Sequence[int]) -> int:
    return counts[-2] if len(counts) > 2 else 0
