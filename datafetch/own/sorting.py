"""What each file of a folder is, by the words of its path: a picture or a mask, of which split and class. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

IMAGES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"))
UNREAD = frozenset((".gif",))  # of these what no loader reads, see loaders.rules
# Pictures that neither we nor the loaders take.
FOREIGN = frozenset(
    (".avif", ".heic", ".heif", ".jp2", ".jfif", ".jpe", ".jxl", ".svg", ".ico", ".tga", ".psd")
)
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    "test_dense": "test_dense",
}
MASKS = frozenset(("mask", "masks"))
_JUNK_NAMES = frozenset(("thumbs.db", "desktop.ini"))


@dataclass(frozen=True, slots=True)
class File:
    """One file by what its path says; what it does not say is empty."""

    path: str  # relative, with /, as found
    split: str
    label: str  # its class
    name: str  # below its class: one segment
    mask: bool = False
    found_split: str = ""  # what the path said, whatever annotations say
    found_label: str = ""

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0] or self.name


@dataclass(frozen=True, slots=True)
class Sorted:
    files: tuple[File, ...]  # pictures and masks, in the order of their paths
    others: tuple[str, ...]  # paths that are neither: no extension of a picture
    junk: int  # hidden files, and what desktops leave


def sort_out(paths: Iterable[str], *, masks: bool = False) -> Sorted:
    """Sorts relative paths. The first folder on the way that is called like a split, or `<split>_masks`, is one;
    the folder below it is the class, or the one above it where pictures lie in it directly. Without a split the
    first folder is the class, after the one that holds everything, if there is one.

    What lies deeper than its class keeps the folders between in its name, joined by `_`. With `masks` every picture
    is one.
    """
    found: list[File] = []
    others: list[str] = []
    junk = 0
    kept: list[tuple[str, tuple[str, ...]]] = []
    for path in sorted(paths):
        parts = tuple(path.split("/"))
        if _is_junk(parts):
            junk += 1
        elif extension(parts[-1]) not in IMAGES:
            others.append(path)
        else:
            kept.append((path, parts))
    # Masks may lie beside the folder that holds every picture: they say nothing of classes.
    top = _common([parts for _, parts in kept if not any(split_of(folder)[1] for folder in parts[:-1])])
    for path, parts in kept:
        one = _sort(path, parts, top, masks)
        found.append(replace(one, found_split=one.split, found_label=one.label))
    return Sorted(tuple(found), tuple(others), junk)


def _sort(path: str, parts: tuple[str, ...], top: int, masks: bool) -> File:
    folders = parts[:-1]
    for at, folder in enumerate(folders):
        split, is_mask = split_of(folder)
        if not split and not is_mask:
            continue
        below = folders[at + 1 :]
        if not split:  # masks/train/cat, masks/cat, train/masks/cat
            return _below_masks(path, parts, at)
        if below and below[0].lower() in MASKS:
            below, is_mask = below[1:], True
        if below:
            return File(path, split, below[0], "_".join((*below[1:], parts[-1])), is_mask or masks)
        above = [one for one in folders[top:at] if one.lower() != "images"]
        return File(path, split, above[-1] if above else "", parts[-1], is_mask or masks)
    rest = [one for one in folders[top:] if one.lower() != "images"]
    if not rest:
        return File(path, "", "", parts[-1], masks)
    return File(path, "", rest[0], "_".join((*rest[1:], parts[-1])), masks)


def _below_masks(path: str, parts: tuple[str, ...], at: int) -> File:
    inner = _sort(path, parts[at + 1 :], 0, True)
    label = inner.label or (parts[at - 1] if at and not split_of(parts[at - 1])[0] else "")
    return File(path, inner.split, label, inner.name, True)


def split_of(folder: str) -> tuple[str, bool]:
    """(split, whether it is one of masks) that a folder's name says."""
    name = folder.lower()
    for ending in ("_masks", "_mask", "-masks"):
        if name.endswith(ending) and name.removesuffix(ending) in SPLITS:
            return SPLITS[name.removesuffix(ending)], True
    return SPLITS.get(name, ""), name in MASKS


def _common(paths: Sequence[tuple[str, ...]]) -> int:
    """How many folders at the top hold everything and are themselves no split, mask or class.

    The last folder above the files is a class and never counted. Files beside several folders make no class of the
    folder that holds them all.
    """
    depth = 0
    while paths:
        top = paths[0][depth]
        if any(len(parts) < depth + 2 or parts[depth] != top for parts in paths) or any(split_of(top)):
            break
        below = {parts[depth + 1] for parts in paths if len(parts) > depth + 2}
        beside = any(len(parts) == depth + 2 for parts in paths)
        several = len(below) > 1 or any(any(split_of(name)) for name in below)
        if not below or (beside and not several):
            break
        depth += 1
    return depth


def _is_junk(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return hidden or parts[-1].lower() in _JUNK_NAMES


def extension(name: str) -> str:
    """With its dot and in lower case; "" for none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""
