"""`recipe pin`: what this machine has learned of a dataset, for those who write its recipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from datafetch.cli.app import AUTHOR, app, recipe_of, refuse_group
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.what import Name
from datafetch.cli.options.where import DEFAULT_DIR, OutputDir, Registry
from datafetch.cli.output import print_lines, say
from datafetch.errors import UsageError

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
