"""At the start of a run that is held to a lock file: its entry, and the recipe with the checksums of that."""

from __future__ import annotations

from collections.abc import Sequence

from datafetch.lock import hold
from datafetch.lock.document import Entry
from datafetch.model import Artifact, Choice, Recipe, Settings
from datafetch.plan.choose import choose
from datafetch.plan.difference import with_holders


def held_to(
    recipe: Recipe, choice: Choice, settings: Settings, wanted: Sequence[Artifact]
) -> tuple[Recipe, tuple[Artifact, ...], Entry]:
    """Recipe and artifacts as they were locked, and the entry that says so. Reads the lock file of the settings.

    Raises UsageError when it has nothing of this choice, Drifted when it speaks of another recipe.
    """
    entry = hold.entry_for(recipe, choice, settings, wanted)
    hold.refuse_changed(recipe, wanted, entry)
    held = hold.pinned(recipe, entry)
    return held, with_holders(choose(held, choice), held.artifacts), entry
