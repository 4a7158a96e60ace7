"""The command that looks at any folder as training code would: `check`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import CHECK, app
from datafetch.cli.options import Json, PanelCommand, Progress, ProgressMode, Quiet, option
from datafetch.cli.output import print_lines, say, watching

if TYPE_CHECKING:
    from datafetch.loaders.found import Checked


@app.command("check", cls=PanelCommand, rich_help_panel=CHECK)
def check_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="a dataset: train/ test/ …, or one folder for each class")
    ],
    no_decode: Annotated[
        bool, option("--no-decode", help="names and sizes only: read no picture, which is fast")
    ] = False,
    strict: Annotated[bool, option("--strict", help="exit code 13 for warnings too")] = False,
    every: Annotated[bool, option("--all", help="name every finding, not the first five of a kind")] = False,
    progress: ProgressMode = Progress.AUTO,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Whether a folder satisfies the layout, and what training code would trip over; reads only.

    The layout: train/ and test/ (val/, test_dense/), in each a folder for every class, and in the same way
    train_masks/ …; or the folders of classes alone, as synthetic sets are; or X_negatives/, which has none.

    An error stops training, or makes it learn what is wrong: stray files that become classes, empty classes,
    pictures that do not decode, masks of another size. A warning is left out in silence: other extensions,
    missing masks, deep folders, links. The same bytes in train/ and test/ are told as well.

    The exit code is 0 where there is no error, else 13.
    """
    from datafetch.errors import Interrupted
    from datafetch.loaders.check import check
    from datafetch.stops import stoppable

    def work(go_on: Callable[[], None]) -> Checked:
        return check(folder, decode=not no_decode, every=every or as_json, emit=watcher, go_on=go_on)

    with watching(folder.name, progress, as_json=as_json, quiet=quiet, verbose=False) as watcher:
        try:
            checked = stoppable(work, None)
        except Interrupted as stopped:
            stopped.hint = "--no-decode takes seconds: it reads names and sizes only"
            raise
    code = 13 if not checked.satisfied or (strict and checked.found.counts) else 0
    if as_json:
        say(json.dumps(document(checked, code)))
    elif code or not quiet:
        print_lines(lines(checked))
    return code


def document(checked: Checked, code: int) -> dict[str, object]:
    """What `--json` prints."""
    from dataclasses import asdict

    from datafetch.loaders.rules import ERROR, WARNING

    found = checked.found
    return {
        "root": checked.root,
        "taken_for": checked.shape,
        "satisfied": checked.satisfied,
        "exit_code": code,
        "decoded": checked.decoded,
        "splits": [asdict(split) for split in checked.splits],
        "counts": {"errors": found.total(ERROR), "warnings": found.total(WARNING)},
        "findings": [
            {
                "kind": kind.word,
                "severity": kind.severity,
                "text": kind.text,
                "count": found.counts[kind],
                "files": [{"path": path, "text": said} for path, said in found.examples.get(kind, ())],
            }
            for kind in found.kinds()
        ],
        "seconds": round(checked.seconds, 3),
    }


def lines(checked: Checked) -> list[str]:
    """What it was taken for, each kind of finding with its first files, and the verdict."""
    from datafetch.console.text import duration, number, plural, table
    from datafetch.loaders.rules import ERROR, WARNING
    from datafetch.recipe.issues import printable

    found = checked.found
    said = [f"{printable(checked.root)}: taken for {TAKEN_FOR[checked.shape]}"]
    rows = [
        (
            *([f"{split.name}/"] if split.name else []),
            plural(split.classes, "class") if split.classes else "no classes",
            plural(split.pictures, "picture"),
            plural(split.masks, "mask") if split.masks else "",
        )
        for split in checked.splits
    ]
    said += [f"  {line}" for line in table(rows)]
    wide = max((len(number(count)) for count in found.counts.values()), default=0)
    for kind in found.kinds():
        count = found.counts[kind]
        examples = found.examples.get(kind, [])
        said.append(f"{kind.severity:7}  {number(count):>{wide}}  {kind.text}")
        indent = " " * (11 + wide)
        for path, detail in examples:
            told = f": {printable(detail, 200)}" if detail else ""
            said.append(f"{indent}{printable(path, 4096)}{told}")
        if count > len(examples):
            said.append(f"{indent}… and {number(count - len(examples))} more; --all names them")
    errors, warnings = found.total(ERROR), found.total(WARNING)
    sums = [plural(count, word) for count, word in ((errors, ERROR), (warnings, WARNING)) if count]
    verdict = "satisfies the layout" if checked.satisfied else "does not satisfy the layout"
    how = f"looked at in {duration(checked.seconds)}" if checked.decoded else "no picture was read"
    said.append(f"{printable(checked.root)} {verdict}: {', '.join([*sums, how])}")
    if not checked.satisfied and any(split.pictures for split in checked.splits):
        where = printable(shlex.quote(checked.root), 4096)
        said.append(
            f"hint: datafetch build NAME --from {where} makes a dataset of what fits, and names the rest"
        )
    return said


TAKEN_FOR = {
    "splits": "a dataset of splits and classes",
    "classes": "a folder of classes, without splits",
    "pictures": "a folder of pictures, without classes",
    "nothing": "nothing: no splits, no classes, no pictures",
}
