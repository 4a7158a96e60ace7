"""`list`: every dataset, and what of it is here."""

from __future__ import annotations

import json
import sys

from datafetch.cli.app import LOOK, app
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.output import Json
from datafetch.cli.options.where import DEFAULT_DIR, OutputDir, Registry
from datafetch.cli.output import print_lines, say, width


@app.command("list", cls=PanelCommand, rich_help_panel=LOOK)
def list_command(output_dir: OutputDir = DEFAULT_DIR, registry: Registry = [], as_json: Json = False) -> int:  # noqa: B006
    """Every dataset: how it is obtained, its size, and what of it is here."""
    from datafetch.cli.answers.list import list_lines, listed, own_datasets
    from datafetch.recipe import registry as recipes

    shelf = recipes.shelf(tuple(registry))
    found = [*listed(shelf.recipes, output_dir), *own_datasets(output_dir)]
    if as_json:
        say(json.dumps([one.as_json() for one in found]))
    else:
        print_lines(list_lines(found, width()))
    for error in shelf.broken:
        print(f"note: left out: {error}", file=sys.stderr)
    return 0
