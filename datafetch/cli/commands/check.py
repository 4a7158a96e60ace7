"""`check`: any folder, looked at as training code would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import CHECK, app
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.declare import grouped, option
from datafetch.cli.options.output import Telling
from datafetch.cli.output import print_lines, say, watching

if TYPE_CHECKING:
    from datafetch.loaders.found import Checked


@app.command("check", cls=PanelCommand, rich_help_panel=CHECK)
@grouped
def check_command(
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="a dataset: train/ test/ …, or one folder for each class")
    ],
    no_decode: Annotated[
        bool, option("--no-decode", help="names and sizes only: read no picture, which is fast")
    ] = False,
    strict: Annotated[bool, option("--strict", help="exit code 13 for warnings too")] = False,
    every: Annotated[bool, option("--all", help="name every finding, not the first five of a kind")] = False,
    telling: Telling,
) -> int:
    """Whether a folder satisfies the layout, and what training code would trip over; reads only.

    The layout: train/ and test/ (val/, test_dense/), in each a folder for every class, and in the same way
    train_masks/ …; or the folders of classes alone, as synthetic sets are; or X_negatives/, which has none.

    An error stops training, or makes it learn what is wrong: stray files that become classes, empty classes,
    pictures that do not decode, masks of another size. A warning is left out in silence: other extensions,
    missing masks, deep folders, links. The same bytes in train/ and test/ are told as well.

    The exit code is 0 where there is no error, else 13.
    """
    from datafetch.cli.answers.check import document, lines
    from datafetch.errors import Interrupted
    from datafetch.loaders.check import check
    from datafetch.stops import stoppable

    def work(go_on: Callable[[], None]) -> Checked:
        return check(folder, decode=not no_decode, every=every or telling.as_json, emit=watcher, go_on=go_on)

    with watching(folder.name, telling) as watcher:
        try:
            checked = stoppable(work, None)
        except Interrupted as stopped:
            stopped.hint = "--no-decode takes seconds: it reads names and sizes only"
            raise
    code = 13 if not checked.satisfied or (strict and checked.found.counts) else 0
    if telling.as_json:
        say(json.dumps(document(checked, code)))
    elif code or not telling.quiet:
        print_lines(lines(checked))
    return code
