"""`lock`: writes down what a dataset was made of."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import CHECK, app, recipe_of
from datafetch.cli.choices import RecipeCommand
from datafetch.cli.options.declare import WHERE_TO, grouped, onto, option
from datafetch.cli.options.output import Json, Quiet
from datafetch.cli.options.what import LOCK_FILE, LockPath, Part, complete_names
from datafetch.cli.options.where import DEFAULT_DIR, Names, OutputDir, Registry
from datafetch.cli.output import print_lines, say
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.lock.document import Entry
    from datafetch.lock.take import Wish
    from datafetch.model import Choice, Recipe, Settings


@app.command("lock", cls=RecipeCommand, rich_help_panel=CHECK)
@grouped
def lock_command(
    *,
    ctx: typer.Context,
    datasets: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", help="datasets that are here, see: datafetch list", autocompletion=complete_names
        ),
    ],
    part: Part,
    lock_file: LockPath = LOCK_FILE,
    output_dir: OutputDir = DEFAULT_DIR,
    names: Annotated[
        Names, option("--names", help="as it was built", panel=WHERE_TO, metavar="keep|sequential")
    ] = Names.KEEP,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Write down what is here, so that `get --frozen` makes the same."""
    from datafetch.lock import hold
    from datafetch.lock.document import LockFile, text
    from datafetch.model import Settings
    from datafetch.store.files import write_atomic

    settings = onto(Settings(root=str(output_dir), names=names.value), part)
    choice = part.choice(ctx)
    recipes = [recipe_of(name, registry, output_dir) for name in datasets]
    if len(recipes) > 1 and (choice.picked or choice.only):
        raise UsageError("choices go with one dataset", "lock each with its own: they share the file")
    before = hold.load(lock_file) or LockFile()
    entries = [
        _entry(wish, before)
        for recipe in recipes
        for wish in _wishes(recipe, choice, settings, tuple(registry))
    ]
    after = before.holding(entries)
    if after != before:
        write_atomic(Path(os.path.realpath(lock_file)), text(after).encode())
    if as_json:
        import msgspec

        say(json.dumps(msgspec.to_builtins(tuple(entries)), ensure_ascii=False))
    elif not quiet:
        state = "locked" if after != before else "is locked already"
        print_lines([_line(entry, state, lock_file) for entry in entries])
    return 0


def _wishes(recipe: Recipe, choice: Choice, settings: Settings, folders: Sequence[Path]) -> list[Wish]:
    """What is to be locked: of a group each member, as `get` takes it."""
    from datafetch.lock.take import Wish
    from datafetch.model import Choice
    from datafetch.plan.choose import choose
    from datafetch.plan.difference import with_holders
    from datafetch.run import group

    if recipe.members:
        if choice.picked:
            raise UsageError(
                f"{recipe.name} is a group and has no --{choice.picked[0][0]}", "lock its members"
            )
        each = group.members(recipe, folders, choice.only)
        choice = Choice(everything=choice.everything)
    else:
        each = (recipe,)
    return [Wish(one, choice, settings, with_holders(choose(one, choice), one.artifacts)) for one in each]


def _entry(wish: Wish, before: object) -> Entry:
    from datafetch.lock import take
    from datafetch.lock.choices import words
    from datafetch.lock.document import LockFile
    from datafetch.run import home_of

    assert isinstance(before, LockFile)
    old = before.find(wish.recipe.name, words(wish.recipe, wish.choice, wish.settings))
    return take.entry(wish, home_of(wish.settings, wish.recipe.name), old)


def _line(entry: Entry, state: str, file: Path) -> str:
    from datafetch.console.text import plural, size

    what = f"{plural(len(entry.artifact), 'artifact')}, {plural(entry.files, 'file')}, {size(entry.bytes)}"
    return f"{entry.typed}: {state} in {file}: {what}, tree {entry.tree[:16]}"
