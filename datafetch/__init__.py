"""datafetch: vision datasets from recipes, verified and laid out for training code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datafetch.report import Report

__version__ = "0.1.0"


def get(
    name: str,
    *,
    root: str | Path = "data",
    only: Sequence[str] = (),
    everything: bool = False,
    registry: Sequence[str | Path] = (),
    settings: Any = None,
    **choices: str | bool,
) -> Report:
    """`datafetch get NAME` from Python; safe to repeat. What comes back is the report, failures included.

    `choices` are the recipe's own, as in `get("pods", synthetic="dreambooth_llm", cfg="5")`; a flag takes True.
    `settings`, a `datafetch.model.Settings`, says the rest, and then its root counts. Raises DatafetchError for what
    stops a run before it begins: an unknown name, terms to accept, a lease that another run holds.
    """
    from datafetch import run
    from datafetch.model import Choice, Settings
    from datafetch.recipe import registry as recipes

    picked = tuple(
        (option.replace("_", "-"), "true" if value is True else str(value))
        for option, value in choices.items()
        if value is not False and value is not None
    )
    folders = tuple(Path(folder) for folder in registry)
    recipe = recipes.load(name, folders)
    choice, asked = Choice(picked, tuple(only), everything), settings or Settings(root=str(root))
    if recipe.members:
        from datafetch.run import group

        return group.get_group(recipe, choice, asked, folders=folders)
    return run.get(recipe, choice, asked)
