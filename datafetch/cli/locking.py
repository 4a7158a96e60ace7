"""Commands about what a dataset was made of: `lock`, and `recipe pin` for authors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import AUTHOR, CHECK, DEFAULT_DIR, LOCK_FILE, app, recipe_of, refuse_group
from datafetch.cli.given import choice_of, subset_of, window_of
from datafetch.cli.options import (
    WHERE_TO,
    Classes,
    Count,
    Everything,
    Exclude,
    First,
    Include,
    Json,
    LockPath,
    MaxPerClass,
    Name,
    Names,
    Only,
    OutputDir,
    PanelCommand,
    Quiet,
    RecipeCommand,
    Registry,
    Split,
    complete_names,
    option,
)
from datafetch.cli.output import print_lines, say
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.lock.document import Entry
    from datafetch.lock.take import Wish
    from datafetch.model import Choice, Recipe, Settings


@app.command("lock", cls=RecipeCommand, rich_help_panel=CHECK)
def lock_command(
    ctx: typer.Context,
    datasets: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME", help="datasets that are here, see: datafetch list", autocompletion=complete_names
        ),
    ],
    only: Only = [],  # noqa: B006
    everything: Everything = False,
    first: First = None,
    count: Count = None,
    split: Split = [],  # noqa: B006
    classes: Classes = [],  # noqa: B006
    max_per_class: MaxPerClass = None,
    include: Include = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
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

    settings = Settings(
        root=str(output_dir),
        names=names.value,
        window=window_of(first, count),
        subset=subset_of(split, classes, max_per_class, include, exclude),
    )
    choice = choice_of(ctx, only, everything)
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


recipe_app = typer.Typer(
    help="What this machine has learned, for the recipe of a dataset.", rich_markup_mode=None
)
app.add_typer(recipe_app, name="recipe", rich_help_panel=AUTHOR, no_args_is_help=True)


@recipe_app.command("pin", cls=PanelCommand)
def pin_command(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="FILE",
            help="your recipe: write into its checksum file; without it the lines are printed",
            show_default=False,
        ),
    ] = None,
    output_dir: OutputDir = DEFAULT_DIR,
    registry: Registry = [],  # noqa: B006
) -> int:
    """SHA-256 of what was fetched here, as a checksum file."""
    from datafetch.lock import pin
    from datafetch.model import Settings
    from datafetch.recipe.files import checksum_files, read_recipes
    from datafetch.recipe.sources import names_of
    from datafetch.run import home_of

    home = home_of(Settings(root=str(output_dir)), name)
    if file is None:
        recipe = recipe_of(name, registry, output_dir)
        refuse_group(recipe, "pin")
        learned = pin.learned(home, recipe, names_of)
        _say_left(learned.left)
        print_lines(pin.lines(learned))
        return 0
    found = next((one for one in read_recipes(file) if one.recipe.name == name), None)
    if found is None:
        raise UsageError(f"{file} holds no recipe {name}", f"datafetch lint {file} says what it holds")
    refuse_group(found.recipe, "pin")
    learned = pin.learned(home, found.recipe, names_of)
    _say_left(learned.left)
    wrote = pin.write(learned, file, checksum_files(file), found.known.of)
    say(f"{wrote.file}: {wrote.added} added, {wrote.there} there already")
    if wrote.hint:
        print(f"hint: {wrote.hint}", file=sys.stderr)
    return 0


def _say_left(texts: Sequence[str]) -> None:
    for text in texts:
        print(f"note: {text}", file=sys.stderr)
