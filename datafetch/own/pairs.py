"""Masks and the pictures they belong to: by stem, and what is wrong with a pair."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from datafetch.own.sorting import File


@dataclass(frozen=True, slots=True)
class Pairs:
    of: dict[str, File]  # path of a picture -> its mask
    alone: tuple[File, ...]  # masks without a picture
    unsure: tuple[File, ...]  # masks that fit several
    twice: tuple[File, ...]  # masks of a picture that has one already


def pair(pictures: Iterable[File], masks: Iterable[File]) -> Pairs:
    """Each mask to the picture with its stem: in its split and class, as far as the mask's path says them, whether
    folders or annotations gave them to the picture.

    A mask may end in `_mask`, `-mask` or `_seg` where its picture does not. A mask that fits several pictures fits
    none.
    """
    exact: dict[tuple[str, str, str], list[File]] = {}
    for picture in pictures:
        for split in {picture.split, picture.found_split, ""}:
            for label in {picture.label, picture.found_label, ""}:
                exact.setdefault((split, label, picture.stem), []).append(picture)
    of: dict[str, File] = {}
    alone: list[File] = []
    unsure: list[File] = []
    twice: list[File] = []
    for mask in masks:
        found = next(
            (f for stem in _stems(mask.stem) if (f := exact.get((mask.split, mask.label, stem)))), []
        )
        if len(found) != 1:
            (unsure if found else alone).append(mask)
        elif found[0].path in of:
            twice.append(mask)
        else:
            of[found[0].path] = mask
    return Pairs(of, tuple(alone), tuple(unsure), tuple(twice))


def _stems(stem: str) -> Iterable[str]:
    yield stem
    for ending in ("_mask", "-mask", "_seg", "_masks"):
        if stem.lower().endswith(ending):
            yield stem[: -len(ending)]


def fault(picture: Path, mask: Path) -> str:
    """What is wrong with a mask: no image, another size, empty; "" when nothing is. Both are decoded whole.

    A picture counts as it is stored: EXIF may turn it for the eye, a mask has none.
    """
    from PIL import Image

    try:
        with Image.open(picture) as image:
            size = image.size
        with Image.open(mask) as found:
            if found.size != size:
                return f"{found.width} x {found.height} pixels for {size[0]} x {size[1]}"
            extremes = found.convert("L").getextrema()
    except Exception as error:  # damaged data makes Pillow's decoders raise whatever they trip over
        return f"no image: {type(error).__name__}" if os.path.exists(mask) else "gone"
    return EMPTY if extremes[1] == 0 else ""


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height of a picture that decodes, as it is stored."""
    from PIL import Image

    with Image.open(picture) as image:
        return image.size


EMPTY = "empty"
