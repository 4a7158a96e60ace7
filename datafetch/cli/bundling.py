"""Commands for machines without a network: `bundle export`, `bundle import` and `serve`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import DEFAULT_DIR, GET, app, recipe_of
from datafetch.cli.getting import ITEMS, ITEMS_PER_HOST, JOBS, PLACES, say_report
from datafetch.cli.given import check_places, choice_of, subset_of, window_of
from datafetch.cli.options import (
    WHERE_FROM,
    WHERE_TO,
    AcceptTerms,
    AllowPrivate,
    Classes,
    Count,
    Everything,
    Exclude,
    First,
    FromDir,
    Include,
    Jobs,
    Json,
    KeepArchives,
    LimitRate,
    MaxDisk,
    MaxDuration,
    MaxPerClass,
    MaxPerHost,
    MaxTransfer,
    MinComplete,
    Mirror,
    MirrorOnly,
    Name,
    Only,
    OutputDir,
    PanelCommand,
    Panels,
    Progress,
    ProgressMode,
    Quiet,
    RecipeCommand,
    Registry,
    Split,
    Stream,
    Verbose,
    option,
    parse_duration,
    parse_percent,
    parse_rate,
    parse_size,
)
from datafetch.cli.output import print_lines, say, watching, width
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.model import Recipe
    from datafetch.plan.budget import Budget
    from datafetch.report import Report

bundles = typer.Typer(
    cls=Panels,
    help="Datasets in a folder that goes where no network is.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(bundles, name="bundle", rich_help_panel=GET)

LOOPBACK = "127.0.0.1"

Bundle = Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a bundle")]


@bundles.command("export", cls=RecipeCommand)
def export_command(
    ctx: typer.Context,
    name: Name,
    where: Annotated[
        Path,
        option("-o", "--bundle", help="the folder of the bundle", panel=WHERE_TO, metavar="DIR"),
    ],
    only: Only = [],  # noqa: B006
    everything: Everything = False,
    first: First = None,
    count: Count = None,
    split: Split = [],  # noqa: B006
    classes: Classes = [],  # noqa: B006
    max_per_class: MaxPerClass = None,
    include: Include = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
    have: Annotated[
        Path | None,
        option(
            "--have",
            help="where datasets are built already: such files get a second name, and are not fetched",
            panel=WHERE_FROM,
            metavar="DIR",
        ),
    ] = None,
    from_dir: FromDir = None,
    mirror: Mirror = [],  # noqa: B006
    mirror_only: MirrorOnly = False,
    allow_private: AllowPrivate = False,
    accept_terms: AcceptTerms = False,
    registry: Registry = [],  # noqa: B006
    jobs: Jobs = None,
    max_per_host: MaxPerHost = None,
    limit_rate: LimitRate = "",
    max_duration: MaxDuration = "",
    max_transfer: MaxTransfer = "",
    max_disk: MaxDisk = "",
    min_complete: MinComplete = "",
    progress: ProgressMode = Progress.AUTO,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Fetch a dataset into a bundle, on a machine with a network; safe to repeat.

    The dataset is built once inside of DIR, which proves it, and removed: what stays is what came over the network,
    what you brought with --from, the recipe, and SHA256SUMS. More datasets may go into the same bundle.
    """
    from datafetch.bundle import exporting
    from datafetch.model import Settings
    from datafetch.store.files import make_folder

    recipe = recipe_of(name, registry)
    check_places(mirror, from_dir, mirror_only=mirror_only)
    if have is not None and not have.is_dir():
        raise UsageError(f"--have {have} is not a folder", "name the folder in which datasets are built")
    settings = Settings(
        root="",
        jobs=jobs or JOBS,
        max_per_host=max_per_host or PLACES,
        items=jobs or ITEMS,
        items_per_host=max_per_host or ITEMS_PER_HOST,
        limit_rate=parse_rate(limit_rate) if limit_rate else None,
        mirrors=tuple(mirror),
        mirror_only=mirror_only,
        allow_private=allow_private,
        accept_terms=accept_terms,
        from_dir=str(from_dir) if from_dir else "",
        min_complete=parse_percent(min_complete) if min_complete else None,
        max_duration=parse_duration(max_duration) if max_duration else None,
        max_transfer=parse_size(max_transfer) if max_transfer else None,
        max_disk=parse_size(max_disk) if max_disk else None,
        window=window_of(first, count),
        subset=subset_of(split, classes, max_per_class, include, exclude),
    )
    make_folder(where)
    asked = exporting.Export(recipe, choice_of(ctx, only, everything), settings, where.resolve(), have)
    with watching(recipe.name, progress, as_json=as_json, quiet=quiet, verbose=verbose) as watcher:
        report = exporting.export_all(asked, registry, watcher, _showing(where, quiet or as_json))
    return _say_exported(where.resolve(), report, as_json=as_json, quiet=quiet)


@bundles.command("import", cls=PanelCommand)
def import_command(
    where: Bundle,
    only: Annotated[
        list[str], option("--only", help="these datasets of the bundle (repeatable)", metavar="NAME,…")
    ] = [],  # noqa: B006
    output_dir: OutputDir = DEFAULT_DIR,
    keep_archives: KeepArchives = False,
    stream: Stream = False,
    accept_terms: AcceptTerms = False,
    max_duration: MaxDuration = "",
    max_disk: MaxDisk = "",
    progress: ProgressMode = Progress.AUTO,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Build the datasets of a bundle, on a machine without a network; safe to repeat.

    Every file is compared with SHA256SUMS first. Then it is an ordinary get that asks nobody but the bundle, and its
    tree must be the one that was exported.
    """
    from datafetch.bundle import importing
    from datafetch.model import Settings

    if stream and keep_archives:
        raise UsageError(
            "--stream leaves no archive to keep", hint="give either --stream or --keep-archives, not both"
        )
    settings = Settings(
        root=str(output_dir),
        keep_archives=keep_archives,
        stream=stream,
        accept_terms=accept_terms,
        max_duration=parse_duration(max_duration) if max_duration else None,
        max_disk=parse_size(max_disk) if max_disk else None,
    )
    names = [name.strip() for given in only for name in given.split(",") if name.strip()]
    with watching(where.name, progress, as_json=as_json, quiet=quiet, verbose=verbose) as watcher:
        show = _showing(output_dir, quiet or as_json)
        report = importing.bring(where.resolve(), names, settings, watcher, show)
    return say_report(report, as_json=as_json, quiet=quiet)


@app.command("serve", cls=PanelCommand, rich_help_panel=GET)
def serve_command(
    where: Bundle,
    host: Annotated[
        str, option("--host", help="address to listen at (default 127.0.0.1)", metavar="HOST")
    ] = "",
    port: Annotated[int, option("--port", help="and port (default: a free one)", min=0, metavar="N")] = 0,
    check: Annotated[
        bool, option("--check/--no-check", help="first compare every file with SHA256SUMS (default)")
    ] = True,
    progress: ProgressMode = Progress.AUTO,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Offer a bundle as a --mirror to other machines, until Ctrl-C.

    Only files that SHA256SUMS names below mirror/ are given, to whoever asks: listen where you trust the network.
    """
    from datafetch.bundle import importing
    from datafetch.bundle.server import until_stopped

    with watching(where.name, progress, as_json=as_json, quiet=quiet, verbose=False) as watcher:
        document = importing.opened(where.resolve(), watcher, whole=check)

    def told(url: str) -> None:
        lines = {one.name: importing.command(where, one, url) for one in document.datasets}
        if as_json:
            say(json.dumps({"url": url, "datasets": lines}, ensure_ascii=False))
        else:
            print_lines([f"serving {where} at {url} until Ctrl-C", *lines.values()])

    until_stopped(where.resolve(), host or LOOPBACK, port, told)
    if not quiet:
        print("stopped", file=sys.stderr)
    return 0


def _showing(where: Path, silent: bool) -> Callable[[Recipe, Budget], None]:
    """Tells the plan of each dataset, its peak on disk with it, before the first byte."""

    def show(recipe: Recipe, budget: Budget) -> None:
        from datafetch.console.screens import plan_screen
        from datafetch.store.room import free_space

        if not silent:
            lines = plan_screen(recipe, budget, free_space(where)[0], width(sys.stderr))
            print("\n".join(lines), file=sys.stderr, flush=True)

    return show


def _say_exported(where: Path, report: Report, *, as_json: bool, quiet: bool) -> int:
    from datafetch.bundle import document as documents
    from datafetch.bundle.exporting import WHOLE
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
