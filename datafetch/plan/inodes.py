"""How many files a plan will write, as far as anybody has counted them; pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from datafetch.model import Artifact, Inventory, Recipe, Rule, Seen, State


def files_to_come(
    recipe: Recipe, wanted: Sequence[Artifact], seen: Inventory, partly: Collection[str] = ()
) -> int | None:
    """The sum of what the recipe counts, of what directories that were read hold, and of files to bring back. At
    least so many: what nobody has counted is left out, and None when that is everything. `partly` names artifacts
    of which only a part is wanted.
    """
    known: list[int] = []
    whole: list[Artifact] = []
    for artifact in wanted:
        now = seen.get(artifact.name, Seen())
        if now.state in (State.STAGED, State.BUILT):
            continue
        if now.members is not None:
            known += [] if now.members.files is None else [now.members.files]
        elif now.lost:
            known.append(len(now.lost))
        elif artifact.name not in partly:
            whole.append(artifact)
    for glob, count in recipe.counts:
        if any(_brings(artifact, recipe.layout, glob) for artifact in whole):
            known.append(_least(count))
    return sum(known) if known else None


def _brings(artifact: Artifact, rules: Sequence[Rule], glob: str) -> bool:
    """Whether the layout puts files of this artifact into the folder that the glob counts."""
    match = re.match(r"(?:[^*?/]+/)*", glob)
    folder = match[0].strip("/").split("/") if match else []
    return any(
        _agree(folder, f"{artifact.folder}/{rule.to}".split("/"))
        for rule in rules
        if any(_agree(artifact.name.split("/"), source.split("/")) for source in rule.sources)
    )


def _agree(words: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path may begin with these words; `<x>` stands for any of them."""
    if len(pattern) < len(words):
        return False
    return all("<" in part or part == word for word, part in zip(words, pattern, strict=False))


def _least(count: str) -> int:
    """Of "300", ">=71" or "71..201"."""
    return int(count.removeprefix(">=").partition("..")[0])
