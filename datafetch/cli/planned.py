"""What `plan` and `get --dry-run` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datafetch.cli.output import print_lines, say, width

if TYPE_CHECKING:
    from datafetch.model import Choice, Recipe, Settings


def show_plan(
    recipe: Recipe, choice: Choice, settings: Settings, as_json: bool, registry: Sequence[Path]
) -> int:
    """Prints what `get` would do; the exit code."""
    if recipe.members:
        return _show_plans(recipe, choice, settings, as_json, registry)
    from datafetch import run
    from datafetch.cli.look import plan_document
    from datafetch.console.screens import plan_screen
    from datafetch.store.room import free_space
    from datafetch.store.subsets import subsets, words

    budget = run.plan(recipe, choice, settings)
    here = subsets(run.home_of(settings, recipe.name), recipe)
    free = free_space(Path(settings.root))[0]
    if as_json:
        say(json.dumps(plan_document(recipe, settings, budget, free, here), ensure_ascii=False))
    else:
        print_lines([*words(here), *plan_screen(recipe, budget, free, width())])
    return 0


def _show_plans(
    recipe: Recipe, choice: Choice, settings: Settings, as_json: bool, registry: Sequence[Path]
) -> int:
    """The plans of the members of a group, one after the other."""
    from datafetch import run
    from datafetch.cli.look import plan_document
    from datafetch.console.screens import plan_screen
    from datafetch.model import Choice
    from datafetch.run import group
    from datafetch.store.room import free_space
    from datafetch.store.subsets import subsets

    free = free_space(Path(settings.root))[0]
    documents, lines = [], list[str]()
    for member in group.members(recipe, registry, choice.only):
        budget = run.plan(member, Choice(everything=choice.everything), settings)
        here = subsets(run.home_of(settings, member.name), member)
        documents.append(plan_document(member, settings, budget, free, here))
        lines += [*([""] if lines else []), *plan_screen(member, budget, free, width())]
    if as_json:
        complete = all(one["complete"] for one in documents)
        whole = {
            "dataset": recipe.name,
            "root": documents[0]["root"],
            "members": documents,
            "complete": complete,
        }
        say(json.dumps(whole, ensure_ascii=False))
    else:
        print_lines(lines)
    return 0
