"""`combine`: captions of several datasets in one document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from datafetch.cli.app import GET, app, recipe_of
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.declare import grouped, option
from datafetch.cli.options.output import Telling
from datafetch.cli.options.talk import Prepro
from datafetch.cli.options.what import complete_names
from datafetch.cli.options.where import DEFAULT_DIR, DataDir, Registry
from datafetch.cli.output import print_lines, say, watching


@app.command("combine", cls=PanelCommand, rich_help_panel=GET)
@grouped
def combine_command(
    *,
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="datasets with captions", autocompletion=complete_names),
    ],
    target: Annotated[Path, option("-o", "--out", help="the document to write", metavar="FILE")],
    output_dir: DataDir = DEFAULT_DIR,
    prepro: Prepro,
    registry: Registry = [],  # noqa: B006
    telling: Telling,
) -> int:
    """Captions of several datasets in one file, under one rule for ids.

    The place of a dataset among those named, from 0, times 10^12, plus its own id: ids of the first stay as they are.
    """
    from datafetch.documents.combined import combine_datasets
    from datafetch.stops import stoppable

    rules = prepro.rules()
    recipes = [recipe_of(name, registry) for name in names]
    with watching("combine", telling) as watcher:
        done = stoppable(
            lambda go_on: combine_datasets(recipes, output_dir, target, rules, watcher, go_on), None
        )
    if telling.as_json:
        say(json.dumps(done.as_json(), ensure_ascii=False))
    elif not telling.quiet:
        print_lines(done.lines())
    return 0
