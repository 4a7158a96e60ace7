"""The command that combines: captions of several datasets in one document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from datafetch.cli.app import DEFAULT_DIR, GET, app, recipe_of
from datafetch.cli.given import prepro_rules
from datafetch.cli.options import (
    DataDir,
    Json,
    MaxLength,
    NumTest,
    NumVal,
    PanelCommand,
    Prepro,
    Progress,
    ProgressMode,
    Quiet,
    Registry,
    Threshold,
    complete_names,
    option,
)
from datafetch.cli.output import print_lines, say, watching


@app.command("combine", cls=PanelCommand, rich_help_panel=GET)
def combine_command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="datasets with captions", autocompletion=complete_names),
    ],
    target: Annotated[Path, option("-o", "--out", help="the document to write", metavar="FILE")],
    output_dir: DataDir = DEFAULT_DIR,
    prepro: Prepro = False,
    num_val: NumVal = None,
    num_test: NumTest = None,
    word_count_threshold: Threshold = None,
    max_length: MaxLength = None,
    registry: Registry = [],  # noqa: B006
    progress: ProgressMode = Progress.AUTO,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Captions of several datasets in one file, under one rule for ids.

    The place of a dataset among those named, from 0, times 10^12, plus its own id: ids of the first stay as they are.
    """
    from datafetch.documents.combined import combine_datasets
    from datafetch.stops import stoppable

    rules = prepro_rules(prepro, num_val, num_test, word_count_threshold, max_length)
    recipes = [recipe_of(name, registry) for name in names]
    with watching("combine", progress, as_json=as_json, quiet=quiet, verbose=False) as watcher:
        done = stoppable(
            lambda go_on: combine_datasets(recipes, output_dir, target, rules, watcher, go_on), None
        )
    if as_json:
        say(json.dumps(done.as_json(), ensure_ascii=False))
    elif not quiet:
        print_lines(done.lines())
    return 0
