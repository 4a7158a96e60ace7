"""`info`: what a dataset is."""

from __future__ import annotations

import json
import os
from pathlib import Path

from datafetch.cli.app import LOOK, app, recipe_of
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.output import Json
from datafetch.cli.options.what import Name
from datafetch.cli.options.where import DEFAULT_DIR, OutputDir, Registry
from datafetch.cli.output import print_lines, say, width


@app.command("info", cls=PanelCommand, rich_help_panel=LOOK)
def info_command(
    name: Name,
    output_dir: OutputDir = DEFAULT_DIR,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
) -> int:
    """What a dataset is: choices, files, checksums, terms, citation."""
    from datafetch.cli.answers.info import info_document, summaries
    from datafetch.console.screens import info_screen
    from datafetch.store.home import Home
    from datafetch.store.subsets import subsets, words

    recipe = recipe_of(name, registry, output_dir)
    home = Home(Path(os.path.realpath(output_dir)), recipe.name)
    if as_json:
        say(json.dumps(info_document(recipe, home), ensure_ascii=False))
    else:
        here = words(subsets(home, recipe))
        lines = info_screen(recipe, width(), summaries(recipe, home))
        print_lines([*lines, *(["", *here] if here else [])])
    return 0
