"""Which pixels a polygon of COCO covers, to the pixel as COCO's own code has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Polygon = Sequence[float]  # x and y by turns
Span = tuple[int, int]  # pixels from the first to before the second, counted down one column after the other

FINE = 5  # fine steps to a pixel
MIDDLE = 2  # of a pixel's fine steps, the one below its middle


def spans(polygon: Polygon, size: tuple[int, int]) -> Iterator[Span]:
    """The covered pixels of a picture of `size`, width and height; in order, some may be empty.

    The rule is that of cocoapi, common/maskApi.c, rleFrPoly: corners are rounded to a grid five times as fine, edges
    walk it step by step along their longer side, and a column turns on or off at each step over its middle, at the
    lesser of the two heights that the step joins. Such a step is computed here instead of walked to, with the same
    sums of doubles: so coordinates far outside cost nothing, and the result is the same.
    """
    width, height = size
    turns: list[int] = []
    for start, end in _edges(polygon):
        columns = _columns(start[0], end[0], width)
        if columns:
            rows = _flat(start, end, columns) if _is_flat(start, end) else _steep(start, end, columns)
            turns += [
                column * height + min(max(row, 0), height) for column, row in zip(columns, rows, strict=True)
            ]
    turns.sort()  # a closed line passes a column's middle an even number of times, so no turn is left alone
    return zip(turns[::2], turns[1::2], strict=True)


def effort(polygon: Polygon, width: int) -> int:
    """How many steps `spans` computes, without computing them."""
    return sum(len(_columns(start[0], end[0], width)) for start, end in _edges(polygon))


_Point = tuple[int, int]  # on the fine grid


def _edges(polygon: Polygon) -> Iterator[tuple[_Point, _Point]]:
    """Each from its lower end to its higher one, by the side it is longer in."""
    fine = [int(FINE * value + 0.5) for value in polygon]
    corners = list(zip(fine[::2], fine[1::2], strict=True))
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        side = 0 if _is_flat(start, end) else 1
        yield (start, end) if start[side] <= end[side] else (end, start)


def _is_flat(start: _Point, end: _Point) -> bool:
    return abs(end[0] - start[0]) >= abs(end[1] - start[1])


def _columns(left: int, right: int, width: int) -> range:
    """The columns of the picture whose middle lies between the two."""
    if left > right:
        left, right = right, left
    return range(max(0, -((MIDDLE - left) // FINE)), min(width, (right - MIDDLE - 1) // FINE + 1))


def _flat(start: _Point, end: _Point, columns: range) -> Iterator[int]:
    """Where an edge that is wider than high passes the middle of each column."""
    (x, y), slope = start, (end[1] - start[1]) / (end[0] - start[0])
    first = (
        MIDDLE - x if slope >= 0 else MIDDLE + 1 - x
    )  # of the two steps about the middle the one that is less high
    return (_row(int(y + slope * (FINE * column + first) + 0.5)) for column in columns)


def _steep(start: _Point, end: _Point, columns: range) -> Iterator[int]:
    """Where an edge that is higher than wide passes the middle of each column."""
    (x, y), slope = start, (end[0] - start[0]) / (end[1] - start[1])
    for column in columns:
        beyond = FINE * column + MIDDLE + 1
        step = int(
            (beyond - 0.5 - x) / slope
        )  # near the last step before the middle is passed; now to it exactly
        while (x + slope * step + 0.5 >= beyond) == (slope > 0):
            step -= 1
        while (x + slope * (step + 1) + 0.5 >= beyond) != (slope > 0):
            step += 1
        yield _row(y + step)


def _row(fine: int) -> int:
    """The first row whose middle is not above a height of the fine grid."""
    return -((MIDDLE - fine) // FINE)
