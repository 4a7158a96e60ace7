"""What `plan` and `get --dry-run` print, and what other commands tell before the first byte."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datafetch import run
from datafetch.cli.output import print_lines, say, width
from datafetch.console.screens import plan_screen
from datafetch.model import Choice, Recipe, Settings, State
from datafetch.plan.budget import Budget
from datafetch.run import group
from datafetch.store.room import free_space
from datafetch.store.subsets import Partial, subsets, words


def before_the_first_byte(where: Path, *, silent: bool) -> Callable[[Recipe, Budget], None]:
    """Tells the plan of a dataset, its peak on the disk of `where` with it, on stderr."""

    def show(recipe: Recipe, budget: Budget) -> None:
        if not silent:
            lines = plan_screen(recipe, budget, free_space(where)[0], width(sys.stderr))
            print("\n".join(lines), file=sys.stderr, flush=True)

    return show


def show_plan(
    recipe: Recipe, choice: Choice, settings: Settings, as_json: bool, registry: Sequence[Path]
) -> int:
    """Prints what `get` would do; the exit code."""
    if recipe.members:
        return _show_plans(recipe, choice, settings, as_json, registry)
    budget = run.plan(recipe, choice, settings)
    here = subsets(run.home_of(settings, recipe.name), recipe)
    free = free_space(Path(settings.root))[0]
    if as_json:
        say(json.dumps(_document(recipe, settings, budget, free, here), ensure_ascii=False))
    else:
        print_lines([*words(here), *plan_screen(recipe, budget, free, width())])
    return 0


def _show_plans(
    recipe: Recipe, choice: Choice, settings: Settings, as_json: bool, registry: Sequence[Path]
) -> int:
    """The plans of the members of a group, one after the other."""
    free = free_space(Path(settings.root))[0]
    documents, lines = [], list[str]()
    for member in group.members(recipe, registry, choice.only):
        budget = run.plan(member, Choice(everything=choice.everything), settings)
        here = subsets(run.home_of(settings, member.name), member)
        documents.append(_document(member, settings, budget, free, here))
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


def _document(
    recipe: Recipe, settings: Settings, budget: Budget, free: int, here: Sequence[Partial]
) -> dict[str, Any]:
    return {
        "dataset": recipe.name,
        "root": os.path.realpath(settings.root),
        "files": [asdict(line) for line in budget.lines],
        "bytes": {"fetch": budget.fetch, "disk": budget.disk, "free": free, "peak": budget.peak},
        "inodes": budget.files,
        "order": str(budget.order),
        "at_least": not budget.sure,
        "fits": budget.fits,
        "unknown_sizes": budget.unknown,
        "subset": [each.as_json() for each in here],
        "complete": all(line.state is State.BUILT for line in budget.lines),
    }
