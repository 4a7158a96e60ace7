"""Which of a person's files stands where: folder, labels, splits and masks put together, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from datafetch.errors import UsageError
from datafetch.foldnames import fold
from datafetch.images.check import FORMATS, Limits, check_file
from datafetch.layout.names import meeting, meets
from datafetch.model import Outcome, Own, Why
from datafetch.own.gathered import Gathered, Placed, Stop, each, files_below, segment
from datafetch.own.labels import Label, Labels, joined, read_labels, unused
from datafetch.own.masking import place_drawn, place_masks
from datafetch.own.sorting import FOREIGN, SPLITS, UNREAD, File, Sorted, extension, sort_out
from datafetch.own.splits import for_testing

LARGEST = Limits(max_bytes=1 << 30, formats=(*FORMATS, "PPM"))


def gather(own: Own, where: Path, stop: Stop) -> Gathered:
    """Looks at every file below `where`, the folder of `own` or what its zip held, and decodes every picture.

    What is left out and why is counted and named; nothing is left out in silence. Raises UsageError when there is no
    picture at all, two files would get one place or a folder cannot be read, BadList for annotation files that
    cannot be used.
    """
    result = Gathered()
    found = sort_out(files_below(where, result))
    result.drop("hidden file", outcome=Outcome.SKIPPED, count=found.junk)
    foreign = [path for path in found.others if extension(path) in FOREIGN]
    for path in foreign:
        result.drop("a picture of a kind that loaders do not read: convert it", path)
    result.drop("no picture by its name", outcome=Outcome.SKIPPED, count=len(found.others) - len(foreign))
    if own.flat:
        _place_flat(found, where, result, stop)
        return _whole(result, own)
    labels = joined(read_labels(Path(file)) for file in (*own.labels, *own.splits))
    for why, count in labels.dropped.items():
        result.drop(why, count=count)
    result.notes += labels.notes
    masks = [(file, where) for file in found.files if file.mask or labels.masks(file.path)]
    inside = {file.path for file, _ in masks}
    known = list(_labelled([file for file in found.files if file.path not in inside], labels, result))
    good = _decodable([picture.path for picture in known], where, result, stop)
    # Only then the draw: one that does not decode could be all that a class has for testing.
    pictures = _split([picture for picture in known if picture.path in good], own)
    names = _names(pictures)
    for picture in pictures:
        target = f"{picture.split}/{picture.label}/{names[picture.path]}"
        result.placed.append(Placed(picture.path, target, where / picture.path))
        if extension(picture.name) in UNREAD:
            result.notes.append(f"{picture.path}: loaders ignore its extension; kept")
    if own.masks:
        beside = sort_out(files_below(Path(own.masks), result), masks=True)
        masks += [(file, Path(own.masks)) for file in beside.files]
    place_masks(pictures, names, masks, labels, where, result, stop)
    if own.draw:
        place_drawn(pictures, names, labels, where, result)
    for name in unused(labels.by_file, {labels.find(file.path) or "" for file in found.files}):
        result.drop("spoken of by the annotations, and not here", name, Outcome.MISSING)
    return _whole(result, own)


def _whole(result: Gathered, own: Own) -> Gathered:
    if not result.placed:
        whys = [f"{count:,} times {why}" for why, count in result.dropped.get(Outcome.REJECTED, {}).items()]
        told = f": {', '.join(whys)}" if whys else ""
        told += f"; the first, {result.notes[0]}" if result.notes else ""
        raise UsageError(f"{own.where}: no picture that can be placed{told}", "see datafetch build --help")
    if met := meeting(placed.target for placed in result.placed):
        first, second = meets(met, ((placed.target, placed.name) for placed in result.placed))
        raise UsageError(f"{first} and {second} would meet: {met}", "rename one of them")
    return result


def _labelled(files: Sequence[File], labels: Labels, result: Gathered) -> Iterator[File]:
    """Each picture with its class and split; the annotations' word counts for more than the folder's.

    Where annotations say classes, they say all of them: a picture they forget would stand in the wrong one.
    """
    classes = any(label.label for label in labels.by_file.values())
    for file in files:
        said = labels.by_file.get(labels.find(file.path) or "", Label(""))
        split = SPLITS.get(said.split.lower(), said.split) or file.split
        known = replace(file, label=segment(said.label or file.label), split=segment(split))
        if classes and not said.label:
            result.drop("no annotation says its class", file.path)
        elif not known.label:
            result.drop("no folder and no annotation says its class", file.path)
        else:
            yield known


def _split(pictures: Sequence[File], own: Own) -> list[File]:
    testing = for_testing([picture for picture in pictures if not picture.split], own.test, own.seed)
    return [p if p.split else replace(p, split="test" if p.path in testing else "train") for p in pictures]


def _names(pictures: Sequence[File]) -> dict[str, str]:
    """The file name of each picture below its class: its own, or with the folders above where two would meet."""
    keys = {picture.path: (picture.split, picture.label, fold(picture.name)) for picture in pictures}
    count = Counter(keys.values())
    return {p.path: p.name if count[keys[p.path]] == 1 else p.path.replace("/", "_") for p in pictures}


def _decodable(paths: Sequence[str], where: Path, result: Gathered, stop: Stop) -> set[str]:
    def look(path: str) -> str:
        try:
            judged = check_file(where / path, LARGEST)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return f"does not decode ({judged})" if isinstance(judged, Why) else ""

    good = set()
    for path, why in each(look, paths, stop):
        if why:
            result.drop(why, path)
        else:
            good.add(path)
    return good


def _place_flat(found: Sorted, where: Path, result: Gathered, stop: Stop) -> None:
    """One folder without classes; names that would meet get the folders above them in front."""
    count = Counter(fold(file.path.rpartition("/")[2]) for file in found.files)
    good = _decodable([file.path for file in found.files], where, result, stop)
    for file in found.files:
        last = file.path.rpartition("/")[2]
        target = last if count[fold(last)] == 1 else file.path.replace("/", "_")
        if file.path in good:
            result.placed.append(Placed(file.path, target, where / file.path))
