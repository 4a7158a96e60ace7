"""What one run is to bring, and where: the arguments of everything that acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from datafetch.model import Artifact, Recipe, Settings
from datafetch.plan.documents import documents
from datafetch.plan.subset import Picks, covers, joined
from datafetch.store import journal
from datafetch.store.held import Held
from datafetch.store.home import Home

if TYPE_CHECKING:
    from datafetch.lock.document import Entry


@dataclass(frozen=True, slots=True)
class Task:
    recipe: Recipe
    wanted: tuple[Artifact, ...]
    home: Home
    settings: Settings
    held: Held = field(default_factory=Held)  # what it takes on disk
    locked: Entry | None = None  # what it is held to; None: nothing but the recipe

    def picks(self, artifact: Artifact) -> Picks:
        """What of an artifact is to be here after this run; none is all of it."""
        built = journal.known(self.home.journal(artifact.name)).built
        return joined(None if built is None else built.picked, self.settings.subset)

    def falls_short(self, artifact: Artifact) -> bool:
        """Whether what is built of it may lack files that are wanted now."""
        built = journal.known(self.home.journal(artifact.name)).built
        return built is not None and not covers(built.picked, self.settings.subset)

    def keeps_archive(self, artifact: Artifact) -> bool:
        """Whether an archive stays when its files are durable: as the user wants, or to make documents anew of it
        when more pictures come.
        """
        return self.settings.keep_archives or bool(documents(self.recipe, artifact))
