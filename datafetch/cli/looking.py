"""Commands that look: `list`, `info`, `status` and `show`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from datafetch.cli.app import DEFAULT_DIR, LOOK, app, recipe_of, refuse_group, to_have
from datafetch.cli.options import (
    DataDir,
    Json,
    Name,
    OutputDir,
    PanelCommand,
    Registry,
)
from datafetch.cli.output import print_lines, say, stream, width, write
from datafetch.errors import UsageError

PAGES = (".html", ".htm", ".png")


@app.command("list", cls=PanelCommand, rich_help_panel=LOOK)
def list_command(output_dir: OutputDir = DEFAULT_DIR, registry: Registry = [], as_json: Json = False) -> int:  # noqa: B006
    """Every dataset: how it is obtained, its size, and what of it is here."""
    from datafetch.cli.look import list_lines, listed, own_datasets
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


@app.command("info", cls=PanelCommand, rich_help_panel=LOOK)
def info_command(
    name: Name,
    output_dir: OutputDir = DEFAULT_DIR,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
) -> int:
    """What a dataset is: choices, files, checksums, terms, citation."""
    from datafetch.cli.look import info_document, summaries
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
    from datafetch.cli.status import Look
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


@app.command("show", cls=PanelCommand, rich_help_panel=LOOK)
def show_command(
    name: Name,
    page: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--page",
            metavar="FILE",
            help="the page (default NAME.html; - is stdout); a picture of it when called .png",
        ),
    ] = None,
    output_dir: DataDir = DEFAULT_DIR,
    registry: Registry = [],  # noqa: B006
) -> int:
    """One page to look at: pictures, counts, what is not here and why."""
    import time

    from datafetch.model import Settings
    from datafetch.run import home_of
    from datafetch.show.facts import gather
    from datafetch.store.files import write_atomic

    recipe = recipe_of(name, registry, output_dir)
    refuse_group(recipe, "show")
    home = home_of(Settings(root=str(output_dir)), recipe.name)
    if not home.state.is_dir():
        raise UsageError(f"there is nothing of {name} in {home.root}", to_have(recipe))
    target = page or Path(f"{name}.html")
    if target.is_dir():
        raise UsageError(f"-o {target} is a folder", "name the file to write: -o page.html")
    if str(page) != "-":
        if target.suffix.lower() not in PAGES:
            raise UsageError(f"-o {target}: expected a name in .html, .htm or .png, or -", "-o page.html")
        if not target.absolute().parent.is_dir():
            raise UsageError(f"-o {target}: there is no folder {target.parent}", f"mkdir -p {target.parent}")
    facts = gather(recipe, home, time.time())
    if target.suffix.lower() == ".png":
        from datafetch.show.drawing import drawing

        document = drawing(facts)
    else:
        from datafetch.show.page import page as written

        document = written(facts).encode()
    if str(page) == "-":
        write(document.decode())
        return 0
    write_atomic(Path(os.path.abspath(target)), document)
    print(f"{target} is written", file=sys.stderr)
    return 0
