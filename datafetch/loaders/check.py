"""Whether a folder satisfies the layout: names first, then, if wanted, every picture. Only ever reads."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from datafetch.errors import UsageError
from datafetch.loaders import desks
from datafetch.loaders.classes import Class, classes_of, compare, masks_of, masks_of_no_class, pictures_of
from datafetch.loaders.found import FEW, Checked, Findings, SplitSum
from datafetch.loaders.info import compare_info
from datafetch.loaders.pictures import Job, jobs_of
from datafetch.loaders.rules import Kind
from datafetch.loaders.shape import Shape, shape_of
from datafetch.loaders.twins import Twins
from datafetch.model import Event

SAY_EVERY = 0.2  # seconds
TESTS = {"test_dense": "test"}  # pictures of test, chosen again: no leak between the two


def check(
    folder: Path, *, decode: bool, every: bool, emit: Callable[[Event], None], go_on: Callable[[], None]
) -> Checked:
    """What training code would make of it. With `every` each finding is kept, else the first few of a kind.

    `go_on` is called now and then, and may raise to end it. Holds the names of one class, and sixteen bytes for each
    picture. Raises UsageError for what is no folder, or one of datasets.
    """
    started = time.monotonic()
    root = os.path.realpath(folder)
    if not os.path.exists(root):
        raise UsageError(f"{folder}: there is nothing", "name the folder of a dataset, such as data/pods")
    if not os.path.isdir(root):
        hint = f"datafetch build NAME --from {folder} makes a dataset of a zip"
        raise UsageError(f"{folder} is not a folder", hint)
    found = Findings(None if every else FEW)
    shape = shape_of(root, str(folder), found)
    classes = list(classes_of(root, shape, found))
    sums, total = _by_names(root, shape, classes, found, go_on)
    if not any(one.pictures for one in sums):
        links = "what lies behind links is not looked at" if Kind.LINK in found.counts else ""
        found.add(Kind.NO_PICTURES, ".", links)
    if decode and total:
        _by_bytes(root, classes, total, found, emit, go_on)
    return Checked(str(folder), shape.word, tuple(sums), found, decode, time.monotonic() - started)


def _by_names(
    root: str, shape: Shape, classes: Sequence[Class], found: Findings, go_on: Callable[[], None]
) -> tuple[list[SplitSum], int]:
    """What each split holds, and how many jobs that makes."""
    sums = {split.folder: SplitSum(split.folder) for split in shape.splits}
    endings: Counter[str] = Counter()
    total = 0
    for one in classes:
        go_on()
        pictures, masks = pictures_of(root, one, found), masks_of(root, one, found)
        total += len(jobs_of(one, pictures, masks, found))
        into = sums[one.split.folder]
        into.classes += bool(one.name)
        into.pictures += len(pictures)
        into.masks += len(masks)
        if one.split.name == "train":
            endings.update(mask.name.rpartition(".")[2] for mask in masks)
    if len(endings) > 1:
        told = ", ".join(f"{count:,} .{ending}" for ending, count in endings.most_common())
        found.add(Kind.MASK_ENDINGS, "train_masks/", told)
    names = {split: [one.name for one in classes if one.split is split] for split in shape.splits}
    for split in shape.splits:
        masks_of_no_class(root, split, names[split], found)
    if shape.word == "splits":
        compare(names, found)
        compare_info(root, [one.name for one in classes], found)
    return list(sums.values()), total


def _by_bytes(
    root: str,
    classes: Sequence[Class],
    total: int,
    found: Findings,
    emit: Callable[[Event], None],
    go_on: Callable[[], None],
) -> None:
    name = os.path.basename(root)
    twins = Twins()
    places: deque[tuple[int, int]] = deque()  # of the jobs that are under way

    def jobs() -> Iterator[Job]:
        for number, one in enumerate(classes):
            for at, job in enumerate(_jobs(root, one)):
                places.append((number, at))
                yield job

    said = 0.0
    with closing(desks.seen(root, jobs(), desks.processes(total))) as each:
        for done, (job, seen) in enumerate(each, 1):
            place = places.popleft()
            for kind, path, detail in seen.wrong:
                found.add(kind, path, detail)
            if seen.digest and job.picture:
                twins.add(seen.digest, place)
            if time.monotonic() - said >= SAY_EVERY:
                said = time.monotonic()
                go_on()
                emit(Event("verifying", name, done=done, total=total))
    _tell_twins(root, classes, twins, found, go_on)


def _jobs(root: str, one: Class) -> list[Job]:
    """Those of a class once more: what is wrong with its names has been told."""
    told = Findings(0)
    return jobs_of(one, pictures_of(root, one, told), masks_of(root, one, told), told)


def _tell_twins(
    root: str, classes: Sequence[Class], twins: Twins, found: Findings, go_on: Callable[[], None]
) -> None:
    @lru_cache(maxsize=64)
    def jobs(number: int) -> list[Job]:
        return _jobs(root, classes[number])

    def path(place: tuple[int, int]) -> str:
        of_class = jobs(place[0])
        return of_class[place[1]].picture if place[1] < len(of_class) else classes[place[0]].folder

    for first, *others in twins.groups():
        go_on()
        mine = classes[first[0]]
        for place in others:
            theirs = classes[place[0]]
            if _tested(mine) != _tested(theirs):
                kind = Kind.LEAK
            elif mine.split is theirs.split and mine.name != theirs.name:
                kind = Kind.TWO_CLASSES
            else:
                continue
            wanted = found.wants(kind)
            found.add(kind, path(place) if wanted else "", f"as {path(first)}" if wanted else "")


def _tested(one: Class) -> str:
    return TESTS.get(one.split.name, one.split.name)
