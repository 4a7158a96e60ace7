"""`status`: how far a dataset is here, and what is missing and why."""

from __future__ import annotations

from typing import Annotated

import typer

from datafetch.cli.app import LOOK, app, recipe_of, refuse_group
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.output import Json
from datafetch.cli.options.what import Name
from datafetch.cli.options.where import DEFAULT_DIR, OutputDir, Registry
from datafetch.cli.output import print_lines, stream, width


@app.command("status", cls=PanelCommand, rich_help_panel=LOOK)
def status_command(
    name: Name,
    output_dir: OutputDir = DEFAULT_DIR,
    why: Annotated[
        str, typer.Option("--why", help="only what is missing for this reason", show_default=False)
    ] = "",
    urls: Annotated[bool, typer.Option("--urls", help="one URL a line, for other tools")] = False,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
) -> int:
    """State of a dataset here, and what is missing and why."""
    from datafetch.cli.answers.status import Look
    from datafetch.model import Settings
    from datafetch.run import home_of

    recipe = recipe_of(name, registry, output_dir)
    refuse_group(recipe, "ask for the status of")
    _check_reason(why)
    files = not urls or why in ("", "lost")  # else no file need be looked at
    look = Look(recipe, home_of(Settings(root=str(output_dir)), recipe.name), why, files=files)
    if as_json:
        stream(look.json())
    elif urls:
        stream(look.urls())
    else:
        print_lines(list(look.lines(width())))
    return 0


def _check_reason(why: str) -> None:
    """Raises UnknownName for what can be no reason: a list of nothing would look like good news."""
    from difflib import get_close_matches

    from datafetch.errors import UnknownName
    from datafetch.model import Outcome, Why

    reasons = ["lost", *map(str, Why), *map(str, Outcome)]
    if why and why not in reasons:
        near = get_close_matches(why, reasons, 1)
        hint = (
            f"did you mean --why {near[0]!r}?"
            if near
            else "datafetch status NAME lists the reasons there are"
        )
        raise UnknownName(f"--why {why!r} is no reason: expected {', '.join(sorted(set(reasons)))}", hint)
