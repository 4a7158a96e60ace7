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
from datafetch.store.journal import Upstream

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

    def version(self, name: str, shard: str = "") -> Upstream | None:
        """What upstream said of a file that the run is held to, or of a shard of it; None where no file is locked."""
        locked = self.locked.of(name) if self.locked is not None else None
        if locked is None:
            return None
        file = next((one for one in locked.shard if one.name == shard), None) if shard else locked.file
        if file is None or not file.sha256:
            return None
        return Upstream("", file.url, file.etag, file.last_modified, file.size)

    def keeps_archive(self, artifact: Artifact) -> bool:
        """Whether an archive stays when its files are durable: as the user wants, or to make documents anew of it
        when more pictures come.
        """
        return self.settings.keep_archives or bool(documents(self.recipe, artifact))
