"""`demo`: a complete run against a server on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from datafetch.cli.app import GET, app
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.output import Json
from datafetch.cli.output import print_lines, say


@app.command("demo", cls=PanelCommand, rich_help_panel=GET)
def demo_command(
    output_dir: Annotated[
        Path | None,
        typer.Option("-o", "--output-dir", metavar="DIR", help="keep the result here", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """A complete run in seconds, against a server on this machine that misbehaves."""
    import tempfile
    from contextlib import nullcontext

    from datafetch.demo.play import play

    kept = output_dir is not None
    with nullcontext(str(output_dir)) if kept else tempfile.TemporaryDirectory() as folder:
        played = play(Path(folder))
    if as_json:
        say(json.dumps(played.report.as_json(), ensure_ascii=False))
    else:
        print_lines(played.lines)
        if not kept:
            print("\nthis was a temporary folder: -o DIR keeps it", file=sys.stderr)
    return played.report.exit_code
