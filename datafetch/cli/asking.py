"""Questions to a person at a terminal; where nobody sits at one, none is asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datafetch.model import Choice, Recipe, Terms
    from datafetch.store.home import Home


def ask_terms(recipe: Recipe, output_dir: Path, registry: Sequence[Path], choice: Choice) -> str:
    """How a person has accepted, just now, all terms that a `get` would ask for; empty when nobody has, nothing is to
    be accepted, or nobody can be asked. The terms are shown on stderr, and no answer is no.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    from datafetch.store.home import Home
    from datafetch.store.terms import BY_ANSWER

    recipes: Sequence[Recipe] = (recipe,)
    if recipe.members:
        from datafetch.run import group

        recipes = group.members(recipe, tuple(registry), choice.only)
    root = Path(os.path.realpath(output_dir))
    found = [(one, one.terms) for one in recipes if one.terms is not None and one.terms.accept]
    found = [(one, terms) for one, terms in found if _is_open(Home(root, one.name), terms)]
    if not found:
        return ""
    for one, terms in found:
        print(
            f"{one.name} is given under these terms:\n  {terms.text} {terms.link}".rstrip(), file=sys.stderr
        )
    print("do you accept? [y/N] ", end="", file=sys.stderr, flush=True)
    return BY_ANSWER if sys.stdin.readline().strip().lower() in ("y", "yes") else ""


def _is_open(home: Home, terms: Terms) -> bool:
    """Whether these terms are to be asked about: of a dataset that is built only if others were accepted for it."""
    from datafetch.store.terms import accepted, ledger

    return accepted(home, terms) is None and (not home.manifest.exists() or bool(ledger(home)))
