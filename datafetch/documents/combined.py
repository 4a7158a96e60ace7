"""combine: the captions of several published datasets in one document, for a trainer to read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datafetch.documents.finish import write_document
from datafetch.errors import Damaged, UsageError
from datafetch.extras import HDF5, demand
from datafetch.layout import manifest
from datafetch.model import Event, Prepro, Recipe
from datafetch.store.home import Home
from datafetch.talk.combine import Set, Taken, combine

if TYPE_CHECKING:
    from datafetch.talk.prepro import Prepared


@dataclass(frozen=True, slots=True)
class Combined:
    """What was written, and of what."""

    file: Path
    root: Path  # of all pictures
    sets: tuple[Taken, ...]
    h5: Path | None = None
    prepared: Prepared | None = None

    @property
    def records(self) -> int:
        return sum(each.records for each in self.sets)

    def lines(self) -> list[str]:
        said = [each.words for each in self.sets]
        said.append(f"{self.file}: {self.records:,} records, paths below {self.root}")
        return [*said, f"{self.h5}: {self.prepared.words_told}"] if self.prepared else said

    def as_json(self) -> dict[str, object]:
        made = {"h5": str(self.h5), **asdict(self.prepared)} if self.prepared else None
        return {
            "file": str(self.file),
            "images_root": str(self.root),
            "records": self.records,
            "sets": [asdict(each) for each in self.sets],
            "prepro": made,
        }


def combine_datasets(
    recipes: Sequence[Recipe],
    root: Path,
    target: Path,
    prepro: Prepro | None,
    tell: Callable[[Event], None],
    go_on: Callable[[], None],
) -> Combined:
    """Write the captions of these datasets below `root` to `target`, durably.

    With `prepro` also `<stem>_talk.json` and `.h5` beside it. Raises UsageError for a dataset that has no captions or
    is named twice, Damaged for one that is not here; then nothing is written. What
    `go_on` raises, which is called for each record, ends it: each file is whole then, or as it was.
    """
    if prepro is not None:
        demand(HDF5, "--prepro")
    names = [recipe.name for recipe in recipes]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(
            f"expected two datasets or more, each once, found {' '.join(names)}",
            hint="for example: datafetch combine mscoco im2text -o all.json",
        )
    if target.is_dir():
        raise UsageError(f"-o {target} is a folder", "name the file to write: -o all.json")
    base = Path(os.path.realpath(root))
    known = [(recipe.name, _documents(recipe)) for recipe in recipes]
    sets = [_set(name, paths, base) for name, paths in known]
    records, taken = combine(sets, base, go_on)
    path = Path(os.path.abspath(target))
    write_document(path, records)
    if prepro is None:
        return Combined(target, root, tuple(taken))
    from datafetch.talk.prepro import prepare

    to_json, to_h5 = (path.with_name(f"{path.stem}_talk{end}") for end in (".json", ".h5"))
    prepared = prepare(path, base, to_json, to_h5, prepro, tell, go_on)
    return Combined(target, root, tuple(taken), target.with_name(to_h5.name), prepared)


def _documents(recipe: Recipe) -> list[str]:
    """Where the captions of a dataset may stand."""
    paths = [
        f"{folder}/{finish.to}" for finish in recipe.finish if finish.prepro for folder in recipe.folders
    ]
    if not paths:
        raise UsageError(f"{recipe.name} has no captions to combine", hint="mscoco and im2text have")
    return paths


def _set(name: str, paths: Sequence[str], root: Path) -> Set:
    """The captions of a dataset: the first of these documents that is published."""
    published = manifest.sizes(Home(root, name).manifest)
    for path in paths:
        if path in published and (root / path).is_file():
            return Set(name, root / path, path.partition("/")[0])
    raise Damaged(f"{name} is not in {root}: there is no {paths[0]}", f"datafetch get {name} fetches it")
