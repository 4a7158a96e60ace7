"""`bundle export` and `bundle import`: datasets for machines without a network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import GET, app, recipe_of
from datafetch.cli.choices import RecipeCommand
from datafetch.cli.help import PanelCommand, Panels
from datafetch.cli.options.declare import WHERE_FROM, WHERE_TO, grouped, onto, option
from datafetch.cli.options.limits import Budget, MaxDisk, MaxDuration, Workers
from datafetch.cli.options.output import Telling, Verbose
from datafetch.cli.options.units import given, parse_duration, parse_size
from datafetch.cli.options.what import Name, Part, words
from datafetch.cli.options.where import (
    DEFAULT_DIR,
    AcceptTerms,
    Archives,
    Brought,
    Mirrors,
    OutputDir,
    Registry,
)
from datafetch.cli.output import print_lines, say, watching
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.report import Report

bundles = typer.Typer(
    cls=Panels,
    help="Datasets in a folder that goes where no network is.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(bundles, name="bundle", rich_help_panel=GET)

Bundle = Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a bundle")]


@bundles.command("export", cls=RecipeCommand)
@grouped
def export_command(
    *,
    ctx: typer.Context,
    name: Name,
    where: Annotated[
        Path,
        option("-o", "--bundle", help="the folder of the bundle", panel=WHERE_TO, metavar="DIR"),
    ],
    part: Part,
    have: Annotated[
        Path | None,
        option(
            "--have",
            help="where datasets are built already: such files get a second name, and are not fetched",
            panel=WHERE_FROM,
            metavar="DIR",
        ),
    ] = None,
    brought: Brought,
    mirrors: Mirrors,
    accept_terms: AcceptTerms = False,
    registry: Registry = [],  # noqa: B006
    workers: Workers,
    budget: Budget,
    telling: Telling,
    verbose: Verbose = False,
) -> int:
    """Fetch a dataset into a bundle, on a machine with a network; safe to repeat.

    The dataset is built once inside of DIR, which proves it, and removed: what stays is what came over the network,
    what you brought with --from, the recipe, and SHA256SUMS. More datasets may go into the same bundle.
    """
    from datafetch.bundle import exporting
    from datafetch.cli.answers.plan import before_the_first_byte
    from datafetch.model import Settings
    from datafetch.store.files import make_folder

    recipe = recipe_of(name, registry)
    if have is not None and not have.is_dir():
        raise UsageError(f"--have {have} is not a folder", "name the folder in which datasets are built")
    settings = Settings(root="", accept_terms=accept_terms)
    settings = onto(settings, mirrors, brought, workers, budget, part)
    make_folder(where)
    asked = exporting.Export(recipe, part.choice(ctx), settings, where.resolve(), have)
    with watching(recipe.name, telling, verbose=verbose) as watcher:
        report = exporting.export_all(
            asked, registry, watcher, before_the_first_byte(where, silent=telling.silent)
        )
    return _say_exported(where.resolve(), report, as_json=telling.as_json, quiet=telling.quiet)


@bundles.command("import", cls=PanelCommand)
@grouped
def import_command(
    *,
    where: Bundle,
    only: Annotated[
        list[str], option("--only", help="these datasets of the bundle (repeatable)", metavar="NAME,…")
    ] = [],  # noqa: B006
    output_dir: OutputDir = DEFAULT_DIR,
    archives: Archives,
    accept_terms: AcceptTerms = False,
    max_duration: MaxDuration = "",
    max_disk: MaxDisk = "",
    telling: Telling,
    verbose: Verbose = False,
) -> int:
    """Build the datasets of a bundle, on a machine without a network; safe to repeat.

    Every file is compared with SHA256SUMS first. Then it is an ordinary get that asks nobody but the bundle, and its
    tree must be the one that was exported.
    """
    from datafetch.bundle import importing
    from datafetch.cli.answers.plan import before_the_first_byte
    from datafetch.cli.answers.report import say_report
    from datafetch.model import Settings

    settings = Settings(
        root=str(output_dir),
        accept_terms=accept_terms,
        max_duration=given(parse_duration, max_duration),
        max_disk=given(parse_size, max_disk),
    )
    settings = onto(settings, archives)
    with watching(where.name, telling, verbose=verbose) as watcher:
        show = before_the_first_byte(output_dir, silent=telling.silent)
        report = importing.bring(where.resolve(), words(only), settings, watcher, show)
    return say_report(report, as_json=telling.as_json, quiet=telling.quiet)


def _say_exported(where: Path, report: Report, *, as_json: bool, quiet: bool) -> int:
    from datafetch.bundle import document as documents
    from datafetch.bundle.exporting import WHOLE
    from datafetch.cli.answers.report import say_report
    from datafetch.console.text import plural, size

    if report.exit_code not in WHOLE:
        return say_report(report, as_json=as_json, quiet=quiet)
    held = documents.read(where)
    sums = documents.sums_digest(where)
    if as_json:
        about = {"path": str(where), "datasets": [one.name for one in held.datasets], "sha256sums": sums}
        say(json.dumps(report.as_json() | {"bundle": about}, ensure_ascii=False))
        return report.exit_code
    say_report(report, as_json=False, quiet=quiet)
    if not quiet:
        total = sum(part.bytes for one in held.datasets for part in one.artifacts)
        count = plural(len(held.datasets), "dataset")
        print_lines([f"bundle {where}: {count}, {size(total)}, SHA256SUMS is {sums}"])
        print(f"where no network is: datafetch bundle import {where}", file=sys.stderr)
    return report.exit_code
