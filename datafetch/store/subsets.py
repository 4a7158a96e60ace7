"""Which artifacts are here in part only, because somebody chose a part of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datafetch.model import Artifact, Outcome, Recipe, Why
from datafetch.store import journal
from datafetch.store.home import Home


@dataclass(frozen=True, slots=True)
class Partial:
    artifact: Artifact
    files: int
    total: int
    choices: tuple[str, ...]  # as they are typed; together

    def __str__(self) -> str:
        chosen = " and ".join(self.choices)
        return f"{self.artifact.name}: {self.files:,} of {self.total:,} files ({chosen})"

    def as_json(self) -> dict[str, object]:
        choices = list(self.choices)
        return {"name": self.artifact.name, "files": self.files, "total": self.total, "choices": choices}


def subsets(home: Home, recipe: Recipe) -> tuple[Partial, ...]:
    """The built artifacts of which some files were left out by choice, in the order of the recipe."""
    found = (_partial(home, artifact) for artifact in recipe.artifacts)
    return tuple(each for each in found if each is not None)


def _partial(home: Home, artifact: Artifact) -> Partial | None:
    known = journal.known(home.journal(artifact.name))
    if known.built is None or not known.built.picked or known.staged is None:
        return None
    left = known.staged.dropped.get(Outcome.SKIPPED, {}).get(Why.NOT_CHOSEN, 0)
    choices = tuple(map(str, known.built.picked))
    return Partial(artifact, known.built.files, known.built.files + left, choices) if left else None


def not_locked(home: Home, artifact: Artifact) -> int:
    """How many rows of a list were left out because a lock file has none of them."""
    staged = journal.known(home.journal(artifact.name)).staged
    return 0 if staged is None else staged.dropped.get(Outcome.SKIPPED, {}).get(Why.NOT_LOCKED, 0)


def words(found: Sequence[Partial]) -> list[str]:
    """A line for each, and one for each checksum that says nothing of a part."""
    lines = [f"subset: {each}" for each in found]
    for each in found:
        name, checksums = each.artifact.name, each.artifact.checksums
        lines += [f"{name}: its {one.algorithm} is not applicable: subset" for one in checksums]
    return lines
