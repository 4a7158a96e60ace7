"""`probe`: whether the addresses of recipes still give what they should."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
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
    from datafetch.probe.words import Finding, Target


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
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows",
            metavar="N",
            min=1,
            help="also ask for N rows of each list that is here, of all its hosts",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", help="other rows for another seed (default 0)", show_default=False
        ),
    ] = 0,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Ask every address whether its file is still there, without fetching it."""
    from datafetch.model import Settings
    from datafetch.probe.ask import probe
    from datafetch.probe.sample import sampled
    from datafetch.probe.words import CODES, by_list, code_of, is_lost, targets
    from datafetch.run import home_of

    settings = onto(Settings(root=str(output_dir)), mirrors)
    recipes, broken = _recipes(names, registry)

    def asked(recipe: Recipe) -> list[Target]:
        drawn = sampled(recipe, home_of(settings, recipe.name), settings, rows, seed) if rows else {}
        return [one for target in targets(recipe) for one in drawn.get(target.file, (target,))]

    found = probe(
        [target for recipe in recipes for target in asked(recipe)],
        settings,
        lambda dataset: home_of(settings, dataset),
        lambda text: print(f"note: {text}", file=sys.stderr),
        heed_robots=not ignore_opt_out,
    )
    code = worst([code_of(found), *([2] if broken else [])])
    if as_json:
        say(json.dumps(_document(found, broken, code), ensure_ascii=False))
        return code
    for text in broken:
        print(f"error: {text}", file=sys.stderr)
    told = [one for one in found if one.health in CODES and not one.row] if quiet else list(found)
    print_lines(_lines(told))
    lists = by_list(found)
    print_lines(_of_lists({key: rows for key, rows in lists.items() if is_lost(rows)} if quiet else lists))
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
            f"{one.file} row {one.row:,}" if one.row else one.file,
            size(one.size) if one.size is not None else "-",
            " ".join(filter(None, (one.url, f"({one.text})" if one.text else ""))),
        )
        for one in found
    ]
    return table([header, *rows], right=(3,), width=width())


def _summary(found: Sequence[Finding]) -> str:
    return f"{len(found):,} addresses: {_counted(found)}" if found else "no recipe has an address"


def _of_lists(lists: Mapping[tuple[str, str], Sequence[Finding]]) -> list[str]:
    return [
        f"{dataset} {file}: of {len(rows):,} rows {_counted(rows)}" for (dataset, file), rows in lists.items()
    ]


def _counted(found: Sequence[Finding]) -> str:
    return ", ".join(f"{count:,} {health}" for health, count in Counter(one.health for one in found).items())


def _document(found: Sequence[Finding], broken: Sequence[str], code: int) -> dict[str, object]:
    from datafetch.probe.words import Health, by_list

    lists = [
        {
            "dataset": dataset,
            "file": file,
            "rows": len(rows),
            "counts": dict(Counter(str(one.health) for one in rows)),
        }
        for (dataset, file), rows in by_list(found).items()
    ]
    counts = Counter(one.health for one in found)
    return {
        "probed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "exit_code": code,
        "counts": {str(health): counts[health] for health in Health} | {"total": len(found)},
        "lists": lists,
        "results": [one.as_json() for one in found],
        "broken": list(broken),
    }
