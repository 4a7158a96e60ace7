"""What of the tree a lock file speaks of: files by artifact, and all of them, as digests. Read as it comes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice

from datafetch.layout.manifest import Line
from datafetch.model import Recipe
from datafetch.store.stock import Digest

_TOGETHER = 2000
_DERIVED = "derived"  # what begins the address of a document that is derived


@dataclass(slots=True)
class Sum:
    """Of files that came sorted by path bytes."""

    files: int = 0
    bytes: int = 0
    _digest: Digest = field(default_factory=Digest)

    def add(self, lines: Collection[Line]) -> None:
        self.files += len(lines)
        self.bytes += sum(line.size for line in lines)
        self._digest.add(lines)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Sums:
    all: Sum
    brought: dict[str, Sum]  # artifact -> what it brought, without documents that are made here

    def of(self, name: str) -> Sum:
        return self.brought.get(name) or Sum()


def sums(recipe: Recipe, names: Collection[str], lines: Iterable[Line]) -> Sums:
    """Of the files of these artifacts; `lines` come sorted by path bytes."""
    wanted, made = frozenset(names), documents(recipe)
    found = Sums(Sum(), {name: Sum() for name in wanted})
    rest = iter(lines)
    while some := list(islice(rest, _TOGETHER)):
        ours = [line for line in some if line.artifact in wanted]
        found.all.add(ours)
        by_artifact: dict[str, list[Line]] = {}
        for line in ours:
            if not made(line):
                by_artifact.setdefault(line.artifact, []).append(line)
        for name, theirs in by_artifact.items():
            found.brought[name].add(theirs)
    return found


def documents(recipe: Recipe) -> Callable[[Line], bool]:
    """Whether a file was made here, of others, so that it says nothing of upstream."""
    makers = {_DERIVED, *(finish.make for finish in recipe.finish)}
    anew = {
        f"{folder}/{finish.to}"
        for folder in recipe.folders
        for finish in recipe.finish
        if not finish.list and not finish.sources
    }
    return lambda line: line.path in anew or line.url.partition(":")[0] in makers
