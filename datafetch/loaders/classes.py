"""The classes of a split and what lies in them, by names and sizes alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from datafetch.foldnames import fold
from datafetch.loaders import rules
from datafetch.loaders.folder import files_below, joined, listed
from datafetch.loaders.found import Findings
from datafetch.loaders.rules import SPLITS, Kind
from datafetch.loaders.shape import Shape, Split


@dataclass(frozen=True, slots=True)
class Class:
    split: Split
    name: str  # "" where pictures lie in the root directly

    @property
    def folder(self) -> str:
        return joined(self.split.folder, self.name)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture or mask by its name."""

    name: str  # below its class
    size: int  # bytes


def classes_of(root: str, shape: Shape, found: Findings) -> Iterator[Class]:
    """Every class of every split, in order. Files and hidden folders where classes stand are findings."""
    for split in shape.splits:
        if shape.word == "pictures":
            yield Class(split, "")
            continue
        here = listed(root, split.folder, found)
        splits = split.folder or os.path.basename(root) in SPLITS
        for name, _ in here.files:
            found.add(Kind.STRAY if splits else Kind.TOP_STRAY, joined(split.folder, name))
        for name in here.links if split.folder else ():
            found.add(Kind.LINK, joined(split.folder, name))
        names = []
        for name in here.folders:
            if rules.is_hidden(name):
                found.add(Kind.HIDDEN_CLASS, f"{joined(split.folder, name)}/")
            else:
                names.append(name)
        _clashes(split.folder, names, found)
        if not names:
            found.add(Kind.NO_CLASSES, f"{split.folder}/" if split.folder else ".")
        yield from (Class(split, name) for name in names)


def pictures_of(root: str, one: Class, found: Findings) -> list[Picture]:
    """The pictures of a class that some loader reads, in order; what is wrong by name or size is a finding.

    Holds the names of this one class. The same again for the same folder.
    """
    pictures = []
    others, links = 0, found.counts.get(Kind.LINK, 0)
    for name, size in files_below(root, one.folder, found):
        path = joined(one.folder, name)
        last = name.rpartition("/")[2]
        if not rules.is_read(last) and rules.is_junk(last):
            continue
        why = rules.why_not_read(last)
        if not rules.is_read(last):
            assert why is not None
            others += 1
            found.add(why, path)
            continue
        pictures.append(Picture(name, size))
        if not size:
            found.add(Kind.EMPTY_FILE, path)
        if any(part.startswith(".") for part in name.split("/")):
            found.add(Kind.HIDDEN_PICTURE, path)
        elif name.count("/") > rules.DEPTH:
            found.add(Kind.DEEP, path)
        elif why is not None:
            found.add(why, path, _ending(last))
    if not pictures and one.name and links == found.counts.get(Kind.LINK, 0):
        told = f"{others:,} files that no loader reads" if others > 1 else ""
        found.add(Kind.EMPTY_CLASS, f"{one.folder}/", told)
    _same(one.folder, pictures, found)
    return pictures


def masks_of(root: str, one: Class, found: Findings) -> list[Picture]:
    """The masks of a class, in order; none where its split has none."""
    if not one.split.masks or not one.name:
        return []
    folder = joined(one.split.masks, one.name)
    masks = []
    for name, size in files_below(root, folder, found) if _is_folder(f"{root}/{folder}") else ():
        if rules.is_read(name):
            masks.append(Picture(name, size))
        elif not rules.is_junk(name.rpartition("/")[2]):
            found.add(Kind.IGNORED_FILE, joined(folder, name))
    return masks


def masks_of_no_class(root: str, split: Split, classes: Iterable[str], found: Findings) -> None:
    """Masks beside the folders of classes, and those of a class that the split does not have."""
    if not split.masks:
        return
    known = set(classes)
    here = listed(root, split.masks, found)
    for name, _ in here.files:
        found.add(Kind.MASK_ALONE, joined(split.masks, name))
    for name in here.links:
        found.add(Kind.LINK, joined(split.masks, name))
    for folder in here.folders:
        if folder not in known and not rules.is_hidden(folder):
            below = joined(split.masks, folder)
            for name, _ in files_below(root, below, found):
                found.add(Kind.MASK_ALONE, joined(below, name))


def compare(classes: Mapping[Split, Sequence[str]], found: Findings) -> None:
    """Classes of each split against those of train: loaders number the classes of a folder by themselves."""
    train = next((names for split, names in classes.items() if split.name == "train"), None)
    if train is None:
        return
    known, folded = set(train), {fold(name): name for name in train}
    for split, names in classes.items():
        for name in names:
            if name not in known:
                other = folded.get(fold(name), "")
                told = f"train/ spells it {other}" if other else ""
                found.add(Kind.UNKNOWN_CLASS, f"{split.folder}/{name}/", told)
        for name in sorted(known.difference(names)) if names else ():
            found.add(Kind.MISSING_CLASS, f"{split.folder}/{name}/")


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _same(folder: str, pictures: Iterable[Picture], found: Findings) -> None:
    stems: dict[str, str] = {}
    folded: dict[str, str] = {}
    for picture in pictures:
        name = picture.name
        if (first := folded.setdefault(fold(name), name)) is not name:
            found.add(Kind.CLASH, joined(folder, name), f"and {first}")
        elif (first := stems.setdefault(name.rpartition(".")[0], name)) is not name:
            found.add(Kind.SAME_STEM, joined(folder, name), f"and {first}")


def _clashes(folder: str, names: Iterable[str], found: Findings) -> None:
    folded: dict[str, str] = {}
    for name in names:
        if (first := folded.setdefault(fold(name), name)) is not name:
            found.add(Kind.CLASH, f"{joined(folder, name)}/", f"and {first}/")


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2]}"
