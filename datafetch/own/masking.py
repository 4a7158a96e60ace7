"""Masks where the loaders look for them: those that are here, and those that are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from datafetch.errors import BadList
from datafetch.model import Outcome
from datafetch.own.gathered import Gathered, Placed, Stop, each
from datafetch.own.labels import Labels
from datafetch.own.outlines import is_inside, read
from datafetch.own.pairs import EMPTY, fault, pair, size_of
from datafetch.own.sorting import File

Names = Mapping[str, str]  # path of a picture -> its file name in the tree


def place_masks(
    pictures: Sequence[File],
    names: Names,
    masks: Sequence[tuple[File, Path]],
    labels: Labels,
    where: Path,
    result: Gathered,
    stop: Stop,
) -> None:
    """Each mask beside its picture, when it fits; whatever does not is named and counted."""
    matched: dict[str, tuple[File, Path]] = {}
    by_key = {labels.find(picture.path): picture for picture in pictures}
    loose: list[tuple[File, Path]] = []
    for mask, root in masks:
        claimed = [by_key[key] for key in labels.masks(mask.path) if key in by_key]
        mine = _claimants(mask, claimed, labels)
        if not claimed:
            loose.append((mask, root))
        elif not mine:
            result.drop("a mask that several pictures claim", mask.path)
        for picture in mine:
            if matched.setdefault(picture.path, (mask, root)) != (mask, root):
                result.drop("a second mask of the same picture", mask.path)
    roots = {id(mask): root for mask, root in loose}
    pairs = pair([p for p in pictures if p.path not in matched], [mask for mask, _ in loose])
    for path, mask in pairs.of.items():
        matched[path] = mask, roots[id(mask)]
    for why, several in (
        ("a mask without its picture", pairs.alone),
        ("a mask that fits several pictures", pairs.unsure),
        ("a second mask of the same picture", pairs.twice),
    ):
        for mask in several:
            result.drop(why, mask.path)
    having = {p.split for p in pictures if p.path in matched}
    chosen = [(p, *matched[p.path]) for p in pictures if p.path in matched]

    def look(one: tuple[File, File, Path]) -> str:
        picture, mask, root = one
        return fault(where / picture.path, root / mask.path)

    for (picture, mask, root), why in each(look, chosen, stop):
        if why and why != EMPTY:
            result.drop("a mask that does not fit its picture", f"{mask.path}: {why}")
            continue
        if why:
            result.notes.append(f"{mask.path}: a mask without a pixel that is set; kept")
        ending = mask.name.rpartition(".")[2]
        target = _target(picture, names[picture.path], ending)
        result.placed.append(Placed(mask.path, target, root / mask.path))
    for picture in pictures:
        said = labels.by_file.get(labels.find(picture.path) or "")
        if picture.path in matched:
            continue
        if said is not None and said.mask:
            result.drop("the mask that the annotations name is not here", picture.path, Outcome.MISSING)
        elif picture.split in having:
            result.notes.append(f"{picture.path}: a picture without its mask; kept")


def _claimants(mask: File, claimed: Sequence[File], labels: Labels) -> Sequence[File]:
    """Of the pictures whose annotations name a mask so, those that mean this one: by the folder they stand in, if
    several say the same name.
    """
    if len(claimed) < 2:
        return claimed
    near = [p for p in claimed if p.path.rpartition("/")[0] == mask.path.rpartition("/")[0]]
    whole = [p for p in claimed if labels.by_file[labels.find(p.path) or ""].mask == mask.path]
    return near or whole


def place_drawn(
    pictures: Sequence[File], names: Names, labels: Labels, where: Path, result: Gathered
) -> None:
    """A mask for each picture that has none but has outlines, drawn later; they must be of the picture's size."""
    taken = {placed.target.rpartition(".")[0] for placed in result.placed}
    for picture in pictures:
        said = labels.by_file.get(labels.find(picture.path) or "")
        target = _target(picture, names[picture.path], "png")
        if target.rpartition(".")[0] in taken:
            continue
        outlines = tuple(one for one in said.outlines if one.segmentation) if said else ()
        if said is None or not outlines:
            result.notes.append(f"{picture.path}: no outline to draw a mask from; kept without")
            continue
        try:
            size = size_of(where / picture.path)
            if 0 not in said.size and size != said.size:  # 0: the document does not say it
                raise BadList(
                    f"outlines for {said.size[0]} x {said.size[1]} pixels, of {size[0]} x {size[1]}"
                )
            drawn = is_inside(read((one.segmentation for one in outlines), size), size)
        except BadList as error:
            result.drop("outlines that cannot be drawn", f"{picture.path}: {error}")
            continue
        if not drawn:
            result.notes.append(f"{picture.path}: its outlines hold no pixel of it; kept without a mask")
            continue
        result.placed.append(Placed(f"{picture.path} (drawn)", target, None, outlines, size))


def _target(picture: File, name: str, ending: str) -> str:
    """A train mask keeps its extension, any other is called as its picture: so the loaders look for them."""
    if picture.split != "train":
        return f"{picture.split}_masks/{picture.label}/{name}"
    return f"train_masks/{picture.label}/{name.rpartition('.')[0] or name}.{ending}"
