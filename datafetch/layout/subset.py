"""Which placed files a choice takes: one rule for archives, lists and loose files. Pure.

a file that is excluded                                   no
in a folder of a split, and that split is not wanted      no: `train_masks` belongs to `train`
outside of class folders, and no picture                  yes: documents always come along
in the folder of another class                            no
anything else                                             if its path is wanted, and it is among the first N of its
                                                          class folder, or of its folder where there are no classes,
                                                          by number or name; a mask is among them when its picture is
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from sys import intern

from datafetch.errors import UnknownName
from datafetch.layout.globs import fits
from datafetch.layout.patterns import IMAGES, SPLITS, Capture, Segment, captures_of
from datafetch.layout.sequence import natural
from datafetch.model import Subset

_MASKS = "_masks"
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Stand:
    """Which folders of a target tell its split and its class, counted below the built folder; None is none."""

    split: int | None = None
    label: int | None = None


def stand_of(to: Sequence[Segment]) -> Stand:
    """What a rule's `to` says: `<split>` or the name of one; the class is the next folder with another capture."""
    folders = to[:-1]
    split = next((at for at, segment in enumerate(folders) if _is_split(segment)), None)
    label = next(
        (
            at
            for at, segment in enumerate(folders)
            if at != split and set(captures_of((segment,))) - {"split"}
        ),
        None,
    )
    return Stand(split, label)


def _is_split(segment: Segment) -> bool:
    return Capture("split") in segment or "".join(map(str, segment)) in SPLITS


def unruled(path: str, depth: int) -> Stand:
    """Of a file of an archive without rules, `depth` folders below the built one: its own folders are classes."""
    folders = path.split("/")[depth:-1]
    split = depth if folders and folders[0] in SPLITS else None
    label = depth if split is None else depth + 1
    return Stand(split, label if label < depth + len(folders) else None)


@dataclass(frozen=True, slots=True)
class Kin:
    """A target as a choice sees it. There may be a million: it holds no text of its own."""

    target: str  # begins with the built folder
    split: str = ""
    label: str = ""  # its class
    depth: int = 0  # folders above what lies in the class folder; 0: in none

    @property
    def path(self) -> str:
        """Below the built folder."""
        return self.target.partition("/")[2]

    @property
    def inner(self) -> str:
        """Below the class folder; the name alone where there is none."""
        return self.target.split("/", self.depth or -1)[-1]

    @property
    def is_document(self) -> bool:
        return not self.label and not self.target.lower().endswith(IMAGES)

    @property
    def group(self) -> tuple[str, str]:
        """Its split and its class folder, or just its folder."""
        return self.split, self.label or f"/{self.path.rpartition('/')[0]}"


def kin(target: str, stand: Stand) -> Kin:
    if stand.split is None and stand.label is None:
        return Kin(target)
    segments = target.split("/", 2 + max(stand.split or 0, stand.label or 0))
    split = "" if stand.split is None else intern(segments[1 + stand.split])
    if stand.label is None:
        return Kin(target, split)
    return Kin(target, split, intern(segments[1 + stand.label]), 2 + stand.label)


class Chooser:
    """One subset's answer for a file by itself, the first N aside."""

    def __init__(self, subset: Subset) -> None:
        self._splits = {name for split in subset.splits for name in (split, split + _MASKS)}
        self._label = _any_of(subset.classes)
        self._include, self._exclude = subset.include, subset.exclude
        self.most = subset.most

    def split_fits(self, one: Kin) -> bool:
        return not (self._splits and one.split) or one.split in self._splits

    def fits(self, one: Kin) -> bool:
        """All of it but the split and the first N."""
        if any(fits(one.path, glob) for glob in self._exclude):
            return False
        if one.is_document:
            return True
        if one.label and self._label is not None and not self._label(one.label):
            return False
        return not self._include or any(fits(one.path, glob) for glob in self._include)


class Feed:
    """For files that come one at a time, in an order that never changes: the first N are those that come first."""

    def __init__(self, picks: Sequence[Subset]) -> None:
        self._choosers = [Chooser(one) for one in picks]
        self._seen: list[Counter[tuple[str, str]]] = [Counter() for _ in picks]

    def takes(self, one: Kin) -> bool:
        """To be asked once for each file. Of several choices each counts by itself."""
        answers = [self._takes(*each, one) for each in zip(self._choosers, self._seen, strict=True)]
        return not answers or any(answers)

    def _takes(self, chooser: Chooser, seen: Counter[tuple[str, str]], one: Kin) -> bool:
        if not (chooser.fits(one) and chooser.split_fits(one)):
            return False
        if chooser.most is None or one.is_document:
            return True
        seen[one.group] += 1
        return seen[one.group] <= chooser.most


def choose(picks: Sequence[Subset], files: Sequence[Kin]) -> list[bool]:
    """For each file whether any of the choices takes it; none takes all. Independent of the order of files."""
    if not picks:
        return [True] * len(files)
    taken = [False] * len(files)
    for subset in picks:
        chooser = Chooser(subset)
        found = [index for index, one in enumerate(files) if chooser.fits(one)]
        if subset.most is not None:
            found = _first(subset.most, files, found)
        for index in found:
            taken[index] = taken[index] or chooser.split_fits(files[index])
    return taken


def _first(most: int, files: Sequence[Kin], found: Sequence[int]) -> list[int]:
    """Of each group the first so many, and the masks of those; documents stay."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    kept: list[int] = []
    for index in found:
        one = files[index]
        if one.is_document:
            kept.append(index)
        else:
            groups[one.group].append(index)
    firsts: dict[tuple[str, str], list[int]] = {}
    for key, group in groups.items():
        firsts[key] = sorted(group, key=lambda index: natural(files[index].inner))[:most]
    for (split, label), group in groups.items():
        partner = (split.removesuffix(_MASKS), label)
        if partner == (split, label) or partner not in groups:
            kept += firsts[split, label]
            continue
        stems = {_stem(files[index].inner) for index in firsts[partner]}
        kept += [index for index in group if _stem(files[index].inner) in stems]
    return kept


def refuse_unknown(name: str, subset: Subset, files: Sequence[Kin]) -> None:
    """UnknownName when an artifact has splits or classes, and none of them is one that is asked for."""
    chooser = Chooser(subset)
    splits = {one.split for one in files if one.split}
    if subset.splits and splits and not any(chooser.split_fits(one) for one in files if one.split):
        raise _unknown(name, "--split", subset.splits, splits)
    labels = {one.label for one in files if one.label}
    named = _any_of(subset.classes)
    if named is not None and labels and not any(map(named, labels)):
        raise _unknown(name, "--classes", subset.classes, labels)


def _unknown(name: str, option: str, asked: Sequence[str], known: set[str]) -> UnknownName:
    from difflib import get_close_matches  # 4 ms that only an error needs

    ordered = sorted(known, key=natural)
    more = f" and {len(ordered) - _SHOWN:,} more" if len(ordered) > _SHOWN else ""
    near = next((hit for word in asked for hit in get_close_matches(word, ordered, 1, 0.5)), "")
    return UnknownName(
        f"{name} has nothing for {option} {','.join(asked)}; it has {', '.join(ordered[:_SHOWN])}{more}",
        f"did you mean {option} {near}?" if near else "",
    )


def _stem(inner: str) -> str:
    folder, slash, last = inner.rpartition("/")
    stem = last.rpartition(".")[0] or last
    return f"{folder}{slash}{stem}"


def _any_of(globs: Sequence[str]) -> Callable[[str], object] | None:
    return re.compile("|".join(map(translate, globs))).match if globs else None
