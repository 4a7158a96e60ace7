"""What a folder is taken for: splits of classes, classes, pictures without classes, or nothing of this."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from datafetch.errors import UsageError
from datafetch.loaders.folder import Listing, joined, listed
from datafetch.loaders.found import Findings
from datafetch.loaders.rules import MASKS, SPLITS, Kind, is_hidden, is_read
from datafetch.own import sorting

LOOKED_INTO = 50  # folders of a folder of classes, to see what kind of thing it is


@dataclass(frozen=True, slots=True)
class Split:
    name: str  # "" for the one of a folder of classes
    folder: str  # below the root
    masks: str  # folder of its masks below the root; "" where there is none


@dataclass(frozen=True, slots=True)
class Shape:
    word: str  # splits, classes, pictures, nothing
    splits: tuple[Split, ...]


def shape_of(root: str, named: str, found: Findings) -> Shape:
    """What the root, as a person `named` it, is taken for; what stands beside that is a finding. UsageError for a
    folder of datasets.
    """
    here = listed(root, "", found)
    for name in here.links:
        found.add(Kind.LINK, name)
    names = [*here.folders, *here.links]
    spelt = _splits(names)
    if spelt:
        return Shape("splits", _arranged(here, spelt, found))
    if folders := [name for name in here.folders if not is_hidden(name)]:
        _refuse_datasets(root, named, here, folders, found)
        return Shape("classes", (Split("", "", ""),))
    if any(is_read(name) for name, _ in here.files):
        if not os.path.basename(root).lower().endswith("negatives"):
            found.add(Kind.NO_CLASSES, ".", "pictures lie in it directly")
        return Shape("pictures", (Split("", "", ""),))
    return Shape("nothing", ())


def _splits(names: Sequence[str]) -> dict[str, str]:
    """Split, or split with `_masks` -> the folder that is called so, as loaders want it or in other words.

    Other words alone make no splits unless two of them stand side by side: a class may be called `validation`.
    """
    exact = {name: name for name in names if name.removesuffix(MASKS) in SPLITS}
    others: dict[str, str] = {}
    for name in names:
        split, is_mask = sorting.split_of(name)
        if split and name not in exact:
            others.setdefault(split + (MASKS if is_mask else ""), name)
    if not exact and len(others) < 2:
        return {}
    return {**others, **exact}


def _arranged(here: Listing, spelt: dict[str, str], found: Findings) -> tuple[Split, ...]:
    for word, name in spelt.items():
        if word != name:
            found.add(Kind.SPLIT_NAME, f"{name}/", f"they look for {word}/")
    for name in here.folders:
        if name not in spelt.values() and not is_hidden(name):
            found.add(Kind.OTHER_FOLDER, f"{name}/")
    there = {word: name for word, name in spelt.items() if name in here.folders}
    if "train" not in spelt:
        found.add(Kind.NO_TRAIN, ".")
    for word, name in there.items():
        if word.endswith(MASKS) and word.removesuffix(MASKS) not in spelt:
            found.add(Kind.MASKS_ALONE, f"{name}/", f"there is no {word.removesuffix(MASKS)}/")
    return tuple(
        Split(split, there[split], there.get(split + MASKS, "")) for split in SPLITS if split in there
    )


def _refuse_datasets(root: str, named: str, here: Listing, folders: Sequence[str], found: Findings) -> None:
    """UsageError where datasets stand in the folders; a finding for each class that holds splits."""
    datasets = []
    for name in folders[:LOOKED_INTO]:
        inner = listed(root, name, Findings())
        splits = [one for one in inner.folders if one in SPLITS]
        if any(listed(root, joined(name, one), Findings()).folders for one in splits):
            datasets.append(name)
        elif splits:
            found.add(Kind.SPLIT_INSIDE, f"{name}/", f"{', '.join(splits)}; datafetch build turns it round")
    if datasets or ".datafetch" in here.folders:
        several = datasets or folders
        raise UsageError(
            f"{named} holds datasets and is none itself: {', '.join(several[:3])}",
            f"datafetch check {shlex.quote(os.path.join(named, several[0]))}",
        )
