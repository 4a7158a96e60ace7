"""Masks from COCO's outlines: every pixel as COCO's own code has it, and no outline that never ends."""

from __future__ import annotations

import io
import json
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datafetch.errors import BadList
from datafetch.own.outlines import FARTHEST, MOST_STEPS, draw, is_inside, read
from datafetch.own.polygons import effort, spans


def pixels(png: bytes) -> list[list[int]]:
    with Image.open(io.BytesIO(png)) as image:
        data = image.tobytes()
        return [[int(v > 0) for v in data[y * image.width :][: image.width]] for y in range(image.height)]


# --- Polygons -------------------------------------------------------------------------------------------------------

# Size, polygons, and the run lengths that pycocotools 2.0.11 makes of them: merge(frPyObjects(polygons, h, w)).
AS_COCO_HAS_IT: dict[str, tuple[tuple[int, int], list[list[float]], str]] = {
    "whole corners": ((8, 4), [[1, 1, 3, 1, 3, 2, 1, 2]], "5130c0"),
    "corners between pixels": (
        (12, 9),
        [[1.3, 0.7, 9.55, 2.2, 7.05, 8.4, 2.25, 6.61]],
        "c063000010O0O1Nk0",
    ),
    "it crosses itself": ((16, 12), [[1, 1, 14, 10, 14, 1, 1, 10]], "=94N2N101N2N=0C2N2O0O2N2f0"),
    "a star, hollow in the middle": (
        (20, 20),
        [[10, 0.5, 15.8, 18.1, 0.9, 7.2, 19.1, 7.2, 4.2, 18.1]],
        "_11c01O1EN22K0661HI35NM013OL24:MD06OH3750KHO70MN219O10=",
    ),
    "out on all sides": ((10, 10), [[-7.5, 4, 5, -8.2, 17.3, 5.1, 5, 18]], "0T3"),
    "left of and above the picture": (
        (9, 9),
        [[-0.3, -0.3, 4.9, -2.7, 6.1, 5.5, -3.1, 7.7]],
        "07200O10001Oj0",
    ),
    "far away": ((10, 10), [[-200000.0, 3, 5, -100000.7, 300000.0, 7.5]], "055000000000000000000"),
    "a corner said twice": ((10, 10), [[2, 2, 2, 2, 8, 3, 8, 3, 5, 9]], "f0192N3NO0N2Nc0"),
    "a spike of no width": ((10, 10), [[2, 2, 8, 2, 8, 8, 5, 8, 5, 1, 5, 8, 2, 8]], "f064000000000b0"),
    "no width at all": ((10, 10), [[3, 1, 3, 5, 3, 9]], "T3"),
    "smaller than a pixel": ((10, 10), [[3.4, 3.4, 3.7, 3.4, 3.7, 3.8, 3.4, 3.8]], "Q11R2"),
    "two that overlap": (
        (12, 12),
        [[1, 1, 7, 1, 7, 7, 1, 7], [4.5, 4.5, 10.5, 4.5, 10.5, 10.5, 4.5, 10.5]],
        "=660000004L04L0000007",
    ),
    "one row": ((12, 1), [[2, -3, 9.6, -3, 9.6, 4, 2, 4]], "282"),
}


# Pillow filled them, edges included: up to 8 of 100 pixels of a mask were others.
@pytest.mark.parametrize(("size", "polygons", "counts"), AS_COCO_HAS_IT.values(), ids=AS_COCO_HAS_IT)
def test_polygons_are_drawn_to_the_pixel_as_coco_draws_them(
    size: tuple[int, int], polygons: list[list[float]], counts: str
) -> None:
    said = {"size": [size[1], size[0]], "counts": counts}
    assert pixels(draw([json.dumps(polygons).encode()], size)) == pixels(
        draw([json.dumps(said).encode()], size)
    )


def test_a_square_holds_the_pixels_whose_middles_it_holds_and_several_are_joined() -> None:
    squares = json.dumps([[1, 1, 3, 1, 3, 2, 1, 2], [6, 0, 8, 0, 8, 3, 6, 3]]).encode()
    one_more = json.dumps([[2, 1, 4, 1, 4, 2, 2, 2]]).encode()
    assert pixels(draw([squares, b"", one_more], (8, 4))) == [
        [0, 0, 0, 0, 0, 0, 1, 1],
        [0, 1, 1, 1, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]


def walked(polygon: list[float], width: int, height: int) -> list[list[int]]:
    """The published rule as it is told, step by step: slow, and without the short cuts of the code under test."""
    corners = [(int(5 * x + 0.5), int(5 * y + 0.5)) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
    walk: list[tuple[int, int]] = []
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        long = max(abs(bx - ax), abs(by - ay))
        wide = abs(bx - ax) >= abs(by - ay)
        back = ax > bx if wide else ay > by
        (fx, fy), (tx, ty) = ((bx, by), (ax, ay)) if back else ((ax, ay), (bx, by))
        slope = 0.0 if not long else (ty - fy) / long if wide else (tx - fx) / long
        steps = [
            (fx + t, int(fy + slope * t + 0.5)) if wide else (int(fx + slope * t + 0.5), fy + t)
            for t in range(long + 1)
        ]
        walk += reversed(steps) if back else steps
    flips = [[0] * (height + 1) for _ in range(width)]
    for (ux, uy), (vx, vy) in pairwise(walk):
        column = (min(ux, vx) + 0.5) / 5 - 0.5
        if ux != vx and column == math.floor(column) and 0 <= column < width:
            row = math.ceil(min(max((min(uy, vy) + 0.5) / 5 - 0.5, 0), height))
            flips[int(column)][row] ^= 1
    return [[sum(flips[x][: y + 1]) % 2 for x in range(width)] for y in range(height)]


NUMBERS = st.one_of(
    st.integers(-9, 29).map(float),
    st.integers(-90, 290).map(lambda tenths: tenths / 10),
    st.floats(-40, 70, allow_nan=False),
    st.floats(-900, 900, allow_nan=False),
)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=9),
)
def test_short_cuts_end_where_the_walk_along_every_edge_ends(
    width: int, height: int, corners: list[tuple[float, float]]
) -> None:
    polygon = [number for corner in corners for number in corner]
    assert pixels(draw([json.dumps([polygon]).encode()], (width, height))) == walked(polygon, width, height)


def test_no_polygon_takes_longer_than_the_columns_it_passes() -> None:
    """Coordinates of a hostile document; the walk as it is told would take 500 million steps an edge."""
    polygon = [-FARTHEST, -FARTHEST, FARTHEST, -FARTHEST / 3, FARTHEST / 7, FARTHEST]
    assert effort(polygon, 640) == 2 * 640
    found = list(spans(polygon, (640, 480)))
    assert len(found) == 640 and all(0 <= start <= stop <= 640 * 480 for start, stop in found)


def test_outlines_that_would_be_drawn_for_ever_are_refused() -> None:
    to_and_fro = [[0, 0, 1000, 1] * (MOST_STEPS // 3000)]
    assert read([json.dumps(to_and_fro).encode()], (1000, 2))
    with pytest.raises(
        BadList, match=r"pass columns of the picture \d,\d{3},\d{3} times, of 4,000,000 at most"
    ):
        read([json.dumps(to_and_fro).encode()] * 2, (1000, 2))
    with pytest.raises(BadList, match=r"a corner at -1e\+300, of 100,000,000 at most"):
        read([b"[[0,0,-1e300,5,5,5]]"], (8, 4))


@pytest.mark.parametrize(
    ("outline", "inside"),
    [
        ([[1, 1, 3, 1, 3, 2]], True),
        ([[1, 1, 3, 1, 5, 1]], False),  # on one line
        ([[-5, 1, -3, 1, -3, 2]], False),
        ([[-9, 2, 2, 9, -9, 9]], False),  # its bounding box lies on the picture, and it does not
        ({"size": [4, 8], "counts": [32]}, False),
        ({"size": [4, 8], "counts": [0, 1, 31]}, True),
    ],
)
def test_an_outline_is_inside_when_it_holds_a_pixel(outline: object, inside: bool) -> None:
    assert is_inside(read([json.dumps(outline).encode()], (8, 4)), (8, 4)) is inside


# --- Run lengths ----------------------------------------------------------------------------------------------------


def compressed(counts: list[int]) -> str:
    """COCO's text of run lengths, written from its description and not from the code under test."""
    text = ""
    for at, count in enumerate(counts):
        left = count - (counts[at - 2] if at > 2 else 0)
        while True:
            group, left = left & 31, left >> 5
            more = left != (-1 if group & 16 else 0)
            text += chr(48 + group + (32 if more else 0))
            if not more:
                break
    return text


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_run_lengths_go_down_the_columns_plain_and_compressed(
    width: int, height: int, data: st.DataObject
) -> None:
    on = data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
    counts, now = [0], False
    for one in on:
        if one != now:
            counts.append(0)
            now = one
        counts[-1] += 1
    expected = [[int(on[x * height + y]) for x in range(width)] for y in range(height)]
    for said in (counts, compressed(counts)):
        raw = json.dumps({"size": [height, width], "counts": said}).encode()
        assert pixels(draw([raw], (width, height))) == expected


@pytest.mark.parametrize(
    "outline",
    [
        '"text"',
        "[[1,2,3]]",
        '{"size":[4,8],"counts":[5]}',
        '{"size":[9,9],"counts":[81]}',
        '{"size":[4,8],"counts":"~"}',
    ],
)
def test_outlines_that_are_none_are_refused(outline: str) -> None:
    with pytest.raises(BadList):
        draw([outline.encode()], (8, 4))


@pytest.mark.parametrize("counts", [[40, -8], compressed([40, -8])])
def test_a_negative_run_length_is_called_that(counts: object) -> None:
    """It was told as "run lengths of 32 pixels for 32"."""
    with pytest.raises(BadList, match=r"^a run length is negative: -8$"):
        draw([json.dumps({"size": [4, 8], "counts": counts}).encode()], (8, 4))
