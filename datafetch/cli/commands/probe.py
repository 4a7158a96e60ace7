"""`probe`: whether the addresses of recipes still give what they should."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import AUTHOR, app
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.declare import grouped, onto
from datafetch.cli.options.output import Json, Quiet
from datafetch.cli.options.what import complete_names
from datafetch.cli.options.where import DEFAULT_DIR, Mirrors, OutputDir, Registry
from datafetch.cli.output import print_lines, say, width
from datafetch.errors import worst

if TYPE_CHECKING:
    from datafetch.model import Recipe
    from datafetch.probe.words import Finding


@app.command("probe", cls=PanelCommand, rich_help_panel=AUTHOR)
@grouped
def probe_command(
    *,
    names: Annotated[
        list[str],
        typer.Argument(metavar="[NAME]…", help="datasets; none: every recipe", autocompletion=complete_names),
    ] = [],  # noqa: B006
    output_dir: OutputDir = DEFAULT_DIR,
    mirrors: Mirrors,
    ignore_opt_out: Annotated[
        bool, typer.Option("--ignore-opt-out", help="also ask for what robots.txt withholds")
    ] = False,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Ask every address whether its file is still there, without fetching it."""
    from datafetch.model import Settings
    from datafetch.probe.ask import probe
    from datafetch.probe.words import CODES, targets
    from datafetch.run import home_of

    settings = onto(Settings(root=str(output_dir)), mirrors)
    recipes, broken = _recipes(names, registry)
    found = probe(
        [target for recipe in recipes for target in targets(recipe)],
        settings,
        lambda dataset: home_of(settings, dataset),
        lambda text: print(f"note: {text}", file=sys.stderr),
        heed_robots=not ignore_opt_out,
    )
    code = worst([*(CODES[one.health] for one in found if one.health in CODES), *([2] if broken else [])])
    if as_json:
        say(json.dumps(_document(found, broken, code), ensure_ascii=False))
        return code
    for text in broken:
        print(f"error: {text}", file=sys.stderr)
    told = [one for one in found if one.health in CODES] if quiet else list(found)
    print_lines(_lines(told))
    if not quiet:
        print_lines([_summary(found)])
    return code


def _recipes(names: Sequence[str], folders: Sequence[Path]) -> tuple[list[Recipe], list[str]]:
    """Those that are named, members in the place of groups, or all; and why some files hold none that can be read."""
    from datafetch.recipe import registry

    if not names:
        shelf = registry.shelf(tuple(folders))
        return [one for one in shelf.recipes if not one.members], [str(error) for error in shelf.broken]
    found: dict[str, Recipe] = {}
    for name in names:
        recipe = registry.load(name, tuple(folders))
        for member in recipe.members or (name,):
            found[member] = recipe if member == name else registry.load(member, tuple(folders))
    return list(found.values()), []


def _lines(found: Sequence[Finding]) -> list[str]:
    from datafetch.console.text import size, table

    if not found:
        return []
    header = ("STATE", "DATASET", "FILE", "SIZE", "ADDRESS")
    rows = [
        (
            str(one.health),
            one.dataset,
            one.file,
            size(one.size) if one.size is not None else "-",
            " ".join(filter(None, (one.url, f"({one.text})" if one.text else ""))),
        )
        for one in found
    ]
    return table([header, *rows], right=(3,), width=width())


def _summary(found: Sequence[Finding]) -> str:
    counts = Counter(one.health for one in found)
    said = ", ".join(f"{count:,} {health}" for health, count in counts.items())
    return f"{len(found):,} addresses: {said}" if found else "no recipe has an address"


def _document(found: Sequence[Finding], broken: Sequence[str], code: int) -> dict[str, object]:
    from datafetch.probe.words import Health

    counts = Counter(one.health for one in found)
    return {
        "probed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "exit_code": code,
        "counts": {str(health): counts[health] for health in Health} | {"total": len(found)},
        "results": [one.as_json() for one in found],
        "broken": list(broken),
    }
