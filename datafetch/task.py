"""What one run is to bring, and where: the arguments of everything that acts."""

from __future__ import annotations

from dataclasses import dataclass

from datafetch.model import Artifact, Recipe, Settings
from datafetch.plan.subset import Picks, covers, joined
from datafetch.store import journal
from datafetch.store.home import Home


@dataclass(frozen=True, slots=True)
class Task:
    recipe: Recipe
    wanted: tuple[Artifact, ...]
    home: Home
    settings: Settings

    def picks(self, artifact: Artifact) -> Picks:
        """What of an artifact is to be here after this run; none is all of it."""
        built = journal.known(self.home.journal(artifact.name)).built
        return joined(None if built is None else built.picked, self.settings.subset)

    def falls_short(self, artifact: Artifact) -> bool:
        """Whether what is built of it may lack files that are wanted now."""
        built = journal.known(self.home.journal(artifact.name)).built
        return built is not None and not covers(built.picked, self.settings.subset)
