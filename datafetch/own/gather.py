"""Which of a person's files stands where: folder, labels, splits and masks put together, and what was left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from datafetch.errors import Interrupted, UsageError
from datafetch.images.check import Limits, check_file
from datafetch.layout.names import meeting
from datafetch.model import Outcome, Own, Why
from datafetch.own.labels import Label, Labels, Outline, joined, read_labels, unused
from datafetch.own.pairs import EMPTY, fault, pair
from datafetch.own.sorting import File, Sorted, sort_out
from datafetch.own.splits import for_testing

Stop = Callable[[], bool]

_LARGEST = Limits(max_bytes=1 << 30)
_THREADS = 4  # decoding frees the lock


@dataclass(frozen=True, slots=True)
class Placed:
    """One file to be: from a file that is here, or drawn from outlines."""

    name: str  # as the person knows it
    target: str  # below the artifact's folder
    source: Path | None
    outlines: tuple[Outline, ...] = ()
    size: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Gathered:
    placed: list[Placed] = field(default_factory=list)
    dropped: dict[Outcome, Counter[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # one for each finding, in the order of paths

    def drop(self, why: str, name: str = "", outcome: Outcome = Outcome.REJECTED, count: int = 1) -> None:
        if count:
            self.dropped.setdefault(outcome, Counter())[why] += count
        if name:
            self.notes.append(f"{name}: {why}")


def gather(own: Own, where: Path, stop: Stop) -> Gathered:
    """Looks at every file below `where`, the folder of `own` or what its zip held, and decodes every picture.

    What is left out and why is counted and named; nothing is left out in silence. Raises UsageError when there is no
    picture at all or two files would get one place, BadList for annotation files that cannot be used.
    """
    result = Gathered()
    found = sort_out(_walk(where))
    result.drop("hidden file", outcome=Outcome.SKIPPED, count=found.junk)
    result.drop("no picture by its name", outcome=Outcome.SKIPPED, count=len(found.others))
    if own.flat:
        _place_flat(found, where, result, stop)
        return _whole(result, own)
    labels = joined(read_labels(Path(file)) for file in (*own.labels, *own.splits))
    for why, count in labels.dropped.items():
        result.drop(why, count=count)
    result.notes += labels.notes
    beside = sort_out(_walk(Path(own.masks)), masks=True) if own.masks else Sorted((), (), 0)
    masked = {label.mask for label in labels.by_file.values() if label.mask}
    places = {file.path: where / file.path for file in found.files}
    masks = [file for file in found.files if file.mask or _named(file.path, masked)]
    others = set(found.files).difference(masks)
    pictures = list(_labelled((file for file in found.files if file in others), labels, own, result))
    pictures = _split(pictures, own)
    good = set(_decodable([picture.path for picture in pictures], where, result, stop))
    pictures = [picture for picture in pictures if picture.path in good]
    for picture in pictures:
        target = f"{picture.split}/{picture.label}/{picture.name}"
        result.placed.append(Placed(picture.path, target, places[picture.path]))
    files = [(replace(mask, label=_segment(mask.label)), where / mask.path) for mask in masks]
    files += [(mask, Path(own.masks) / mask.path) for mask in beside.files]
    _place_masks(pictures, files, labels, where, result, stop)
    if own.draw:
        _place_drawn(pictures, labels, result)
    for name in unused(labels.by_file, {labels.find(file.path) or "" for file in found.files}):
        result.drop("spoken of by the annotations, and not here", name, Outcome.MISSING)
    return _whole(result, own)


def _whole(result: Gathered, own: Own) -> Gathered:
    if not result.placed:
        told = f": {result.notes[0]}" if result.notes else ""
        raise UsageError(f"{own.where}: no picture that can be placed{told}", "see datafetch build --help")
    if pair_ := meeting(placed.target for placed in result.placed):
        by_target = {placed.target: placed.name for placed in result.placed}
        one, two = (by_target.get(target, target) for target in pair_)
        raise UsageError(f"{one} and {two} would stand at the same place", "rename one of them")
    return result


def _walk(root: Path) -> Iterator[str]:
    """Relative paths of all regular files; links are not followed, for they may lead out."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not os.path.islink(os.path.join(folder, name))]
        base = os.path.relpath(folder, root)
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield name if base == "." else f"{base}/{name}"


def _labelled(files: Iterable[File], labels: Labels, own: Own, result: Gathered) -> Iterator[File]:
    """Each picture with its class and split; the annotations' word counts for more than the folder's."""
    for file in files:
        said = labels.by_file.get(labels.find(file.path) or "", Label(""))
        known = replace(
            file, label=_segment(said.label or file.label), split=_segment(said.split or file.split)
        )
        if own.labels and not said.label and not file.label:
            result.drop("no annotation says its class", file.path)
        elif not known.label:
            result.drop("no folder and no annotation says its class", file.path)
        else:
            yield known


def _segment(text: str) -> str:
    """A class or split as the name of a folder; the way out is no name."""
    name = "".join("_" if ch in "/\\:" or ord(ch) < 32 else ch for ch in text).strip().rstrip(".")
    return name[:200]


def _named(path: str, masked: set[str]) -> bool:
    return any(path == mask or path.endswith(f"/{mask}") for mask in masked) if masked else False


def _split(pictures: Sequence[File], own: Own) -> list[File]:
    undecided = [picture for picture in pictures if not picture.split]
    testing = for_testing(undecided, own.test, own.seed)
    return [p if p.split else replace(p, split="test" if p.path in testing else "train") for p in pictures]


def _decodable(paths: Sequence[str], where: Path, result: Gathered, stop: Stop) -> Iterator[str]:
    def look(path: str) -> str:
        if stop():
            raise Interrupted("stopped while looking at pictures", "run the same command again")
        try:
            judged = check_file(where / path, _LARGEST)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return str(judged) if isinstance(judged, Why) else ""

    with ThreadPoolExecutor(_THREADS) as pool:
        for path, why in zip(paths, pool.map(look, paths), strict=True):
            if why:
                result.drop(f"does not decode ({why})" if "read" not in why else why, path)
            else:
                yield path


def _place_flat(found: Sorted, where: Path, result: Gathered, stop: Stop) -> None:
    """One folder without classes; names that would meet get the folders above them in front."""
    meeting_names = Counter(file.path.rpartition("/")[2].casefold() for file in found.files)
    good = set(_decodable([file.path for file in found.files], where, result, stop))
    for file in found.files:
        last = file.path.rpartition("/")[2]
        target = last if meeting_names[last.casefold()] == 1 else file.path.replace("/", "_")
        if file.path in good:
            result.placed.append(Placed(file.path, target, where / file.path))


def _place_masks(
    pictures: Sequence[File],
    files: Sequence[tuple[File, Path]],
    labels: Labels,
    where: Path,
    result: Gathered,
    stop: Stop,
) -> None:
    """A train mask keeps its extension, any other is called as its picture: so the loaders look for them."""
    paths = {id(mask): path for mask, path in files}
    named = {label.mask: key for key, label in labels.by_file.items() if label.mask}
    by_key = {labels.find(p.path): p for p in pictures} if named else {}
    matched: dict[str, File] = {}
    loose: list[File] = []
    for mask, _ in files:
        key = next((key for name, key in named.items() if _named(mask.path, {name})), None)
        picture = by_key.get(key) if key else None
        if picture is None:
            loose.append(mask)
        else:
            matched[picture.path] = mask
    pairs = pair([p for p in pictures if p.path not in matched], loose)
    matched |= pairs.of
    for mask in pairs.alone:
        result.drop("a mask without its picture", mask.path)
    for mask in pairs.twice:
        result.drop("a second mask of the same picture", mask.path)
    having = {p.split for p in pictures if p.path in matched}
    chosen = [(p, matched[p.path]) for p in pictures if p.path in matched]

    def look(both: tuple[File, File]) -> str:
        if stop():
            raise Interrupted("stopped while looking at masks", "run the same command again")
        return fault(where / both[0].path, paths[id(both[1])])

    with ThreadPoolExecutor(_THREADS) as pool:
        for (picture, mask), why in zip(chosen, pool.map(look, chosen), strict=True):
            if why and why != EMPTY:
                result.drop("a mask that does not fit its picture", f"{mask.path}: {why}")
                continue
            if why:
                result.notes.append(f"{mask.path}: a mask without a pixel that is set; kept")
            result.placed.append(Placed(mask.path, _mask_target(picture, mask.name), paths[id(mask)]))
    for picture in pictures:
        if picture.path not in matched and picture.split in having:
            result.notes.append(f"{picture.path}: a picture without its mask; kept")


def _mask_target(picture: File, name: str) -> str:
    if picture.split != "train":
        return f"{picture.split}_masks/{picture.label}/{picture.name}"
    return f"train_masks/{picture.label}/{picture.stem}.{name.rpartition('.')[2]}"


def _place_drawn(pictures: Sequence[File], labels: Labels, result: Gathered) -> None:
    taken = {placed.target.rpartition(".")[0] for placed in result.placed}
    for picture in pictures:
        said = labels.by_file.get(labels.find(picture.path) or "")
        target = _mask_target(picture, "mask.png")
        if target.rpartition(".")[0] in taken:
            continue
        outlines = tuple(one for one in said.outlines if one.segmentation) if said else ()
        if not outlines or said is None:
            result.notes.append(f"{picture.path}: no outline to draw a mask from; kept without")
            continue
        result.placed.append(Placed(f"{picture.path} (drawn)", target, None, outlines, said.size))
