"""`show`: one page to look at."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from datafetch.cli.app import LOOK, app, recipe_of, refuse_group, to_have
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.what import Name
from datafetch.cli.options.where import DEFAULT_DIR, DataDir, Registry
from datafetch.cli.output import write
from datafetch.errors import UsageError

PAGES = (".html", ".htm", ".png")


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
