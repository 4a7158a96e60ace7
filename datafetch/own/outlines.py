"""Masks drawn from COCO's outlines: polygons, and run lengths plain or compressed."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from datafetch.errors import BadList
from datafetch.own.polygons import Span, effort, spans

MOST_PIXELS = 200_000_000
MOST_STEPS = (
    4_000_000  # of all outlines of a picture: some seconds and 150 MB; a crowd in COCO takes thousands
)
FARTHEST = 100_000_000  # about where the integers of COCO's own code end, so nothing says what to draw beyond


class _RunLengths(msgspec.Struct):
    """`counts` of pixels off and on by turns, column by column: numbers, or COCO's compressed text."""

    size: tuple[int, int]  # height, width
    counts: str | list[int]


_Segmentation = list[list[float]] | _RunLengths


Polygons = list[list[float]]
Counts = tuple[int, ...]  # of pixels off and on by turns, down the columns


def read(segmentations: Iterable[bytes], size: tuple[int, int]) -> list[Polygons | Counts]:
    """The outlines of a picture of `size`, width and height; none for no bytes. BadList for what is none, lies, has
    another size, or would take too long to draw.
    """
    width, height = size
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise BadList(f"no picture is {width} x {height}")
    found = [_parsed(raw, size) for raw in segmentations if raw]
    steps = sum(effort(polygon, width) for one in found if isinstance(one, list) for polygon in one)
    if steps > MOST_STEPS:
        raise BadList(f"polygons that pass columns of the picture {steps:,} times, of {MOST_STEPS:,} at most")
    return found


def is_inside(outlines: Iterable[Polygons | Counts], size: tuple[int, int]) -> bool:
    """Whether any of them covers a pixel of the picture."""
    return any(start < stop for outline in outlines for start, stop in _covered(outline, size))


def draw(segmentations: Iterable[bytes], size: tuple[int, int]) -> bytes:
    """A PNG of one channel with 255 where any of the outlines is and 0 elsewhere; `size` is width and height.

    Every pixel is as COCO's own code has it. Raises BadList as `read` does.
    """
    from PIL import Image

    width, height = size
    columns = bytearray(width * height)
    for outline in read(segmentations, size):
        for start, stop in _covered(outline, size):
            columns[start:stop] = b"\xff" * (stop - start)
    mask = Image.frombytes("L", (height, width), columns).transpose(Image.Transpose.TRANSPOSE)
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def _covered(outline: Polygons | Counts, size: tuple[int, int]) -> Iterator[Span]:
    if isinstance(outline, list):
        for polygon in outline:
            yield from spans(polygon, size)
        return
    at = 0
    for turn, count in enumerate(outline):
        if turn % 2:
            yield at, at + count
        at += count


def _parsed(raw: bytes, size: tuple[int, int]) -> Polygons | Counts:
    width, height = size
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
        far = max(polygon, key=abs)
        if abs(far) > FARTHEST:
            raise BadList(f"a polygon with a corner at {far:,.10g}, of {FARTHEST:,} at most")
    return polygons


def _checked(runs: _RunLengths, pixels: int) -> Counts:
    counts = tuple(_uncompressed(runs.counts) if isinstance(runs.counts, str) else runs.counts)
    least = min(counts, default=0)
    if least < 0:
        raise BadList(f"a run length is negative: {least:,}")
    if sum(counts) != pixels:
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
