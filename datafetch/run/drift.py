"""At the end of a run: whether the dataset as it stands is the one that the lock file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datafetch.errors import Drifted
from datafetch.model import Recipe
from datafetch.store.home import Home

if TYPE_CHECKING:
    from datafetch.lock.document import Entry


def drift_of(home: Home, recipe: Recipe, locked: Entry | None) -> Drifted | None:
    """What is wrong when it is another, though every step went well; None without a lock."""
    if locked is None:
        return None
    from datafetch.lock import hold

    text = hold.differs(home, recipe, locked)
    return Drifted(f"drift: {recipe.name}: {text}", hold.other_folder(locked), 13) if text else None
