"""Numbers for names: 0.jpg, 1.jpg, … within each folder, masks with the numbers of their pictures. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

Numbering = Mapping[str, str]

_DIGITS = re.compile(r"([0-9]+)")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")
_MASKS = "_masks"


def natural(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key: runs of digits as numbers, the rest by code point, which is the order of UTF-8 bytes."""
    parts = _DIGITS.split(name)  # text, digits, text, …: what is compared always has one type
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), name


def number(paths: Sequence[str], kept: Collection[str] = frozenset()) -> Numbering:
    """A new path for each path: same folder, same extension, the name a number.

    Numbers follow the natural order within the folder, from 0, leaving out those that a path in `kept`
    bears. Below `X_masks/` a file takes the number of the file of the same name under `X/`, else of the same
    stem; those without one continue after. Paths stay distinct; their order does not matter.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders[folder].append(name)
    taken: dict[str, set[int]] = defaultdict(set)
    for path in kept:
        folder, _, name = path.rpartition("/")
        stem = _split(name)[0]
        if stem.isascii() and stem.isdigit():
            taken[folder].add(int(stem))

    numbers: dict[str, dict[str, int]] = {}
    # A folder of masks comes after the folder of pictures it follows: that one has one `_masks` less.
    for folder in sorted(folders, key=lambda folder: (_depth(folder), folder)):
        partner = _partner(folder)
        pictures = numbers.get(partner, {}) if partner is not None else {}
        numbers[folder] = _number_folder(folders[folder], pictures, taken[folder])
    return {
        f"{folder}/{name}": f"{folder}/{number}{_split(name)[1]}"
        for folder, names in numbers.items()
        for name, number in names.items()
    }


def _number_folder(names: Iterable[str], pictures: Mapping[str, int], taken: set[int]) -> dict[str, int]:
    ordered = sorted(names, key=natural)
    by_stem: dict[str, int] = {}
    for name in sorted(pictures, key=natural):
        by_stem.setdefault(_split(name)[0], pictures[name])
    found: dict[str, int] = {}
    alone = []
    for name in ordered:
        twin = pictures.get(name, by_stem.get(_split(name)[0]))
        if twin is None or twin in taken:
            alone.append(name)
        else:
            found[name] = twin
    free = max(pictures.values(), default=-1) + 1
    for name in alone:
        while free in taken:
            free += 1
        found[name] = free
        free += 1
    return found


def _split(name: str) -> tuple[str, str]:
    """Stem and extension; a dot followed by more than a short word is part of the stem."""
    found = _SUFFIX.search(name, 1)  # from 1: `.jpg` alone is a name, not an extension
    return (name[: found.start()], found[0]) if found else (name, "")


def _depth(folder: str) -> int:
    return sum(part.endswith(_MASKS) for part in folder.split("/"))


def _partner(folder: str) -> str | None:
    """The folder whose pictures these masks belong to, if this is a folder of masks."""
    parts = folder.split("/")
    for index, part in enumerate(parts):
        if part.endswith(_MASKS) and part != _MASKS:
            parts[index] = part.removesuffix(_MASKS)
            return "/".join(parts)
    return None
