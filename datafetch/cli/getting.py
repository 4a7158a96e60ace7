"""Commands that get: `get`, `plan` and `demo`. Each imports what it needs when it runs: start-up is a feature."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import DEFAULT_DIR, GET, LOCK_FILE, app, recipe_of
from datafetch.cli.asking import ask_terms
from datafetch.cli.given import check_places, choice_of, prepro_rules, subset_of, window_of, wishes_of
from datafetch.cli.options import (
    LIMITS,
    WHAT,
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
    Heartbeat,
    Include,
    Jobs,
    Json,
    KeepArchives,
    LimitRate,
    LockPath,
    MaxDisk,
    MaxDuration,
    MaxLength,
    MaxPerClass,
    MaxPerHost,
    MaxTransfer,
    MetricsFile,
    MinComplete,
    Mirror,
    MirrorOnly,
    Name,
    Names,
    NumTest,
    NumVal,
    Only,
    OutputDir,
    PanelCommand,
    Prepro,
    Progress,
    ProgressMode,
    Quiet,
    RecipeCommand,
    Registry,
    Split,
    StartDelay,
    Stream,
    Threshold,
    Verbose,
    option,
    parse_duration,
    parse_percent,
    parse_rate,
    parse_size,
)
from datafetch.cli.output import print_lines, say, watching, width
from datafetch.cli.planned import show_plan
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.model import Choice, Recipe, Settings
    from datafetch.plan.budget import Budget
    from datafetch.report import Report

JOBS, PLACES = 4, 4  # transfers at once, and from one host, unless told otherwise
ITEMS, ITEMS_PER_HOST = 64, 32  # the same of the rows of a list, which wait for the network most of the time


@app.command("get", cls=RecipeCommand, rich_help_panel=GET)
def get_command(
    ctx: typer.Context,
    name: Name,
    only: Only = [],  # noqa: B006
    everything: Everything = False,
    first: First = None,
    count: Count = None,
    split: Split = [],  # noqa: B006
    classes: Classes = [],  # noqa: B006
    max_per_class: MaxPerClass = None,
    include: Include = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
    output_dir: OutputDir = DEFAULT_DIR,
    names: Annotated[
        Names,
        option(
            "--names", help="upstream's names, or 0.jpg, 1.jpg, …", panel=WHERE_TO, metavar="keep|sequential"
        ),
    ] = Names.KEEP,
    absolute_paths: Annotated[
        bool,
        option(
            "--absolute-paths", help="in records that are made here, whole paths of pictures", panel=WHERE_TO
        ),
    ] = False,
    keep_archives: KeepArchives = False,
    stream: Stream = False,
    from_dir: FromDir = None,
    mirror: Mirror = [],  # noqa: B006
    mirror_only: MirrorOnly = False,
    allow_private: AllowPrivate = False,
    offline: Annotated[
        bool, option("--offline", help="use what is here, ask no server", panel=WHERE_FROM)
    ] = False,
    check_upstream: Annotated[
        bool,
        option(
            "--check-upstream",
            help="ask whether what is here is still what upstream has",
            panel=WHERE_FROM,
        ),
    ] = False,
    accept_terms: AcceptTerms = False,
    registry: Registry = [],  # noqa: B006
    frozen: Annotated[
        bool,
        option("--frozen", help="take what the lock file says and nothing else", panel=WHAT),
    ] = False,
    lock_file: LockPath = LOCK_FILE,
    dry_run: Annotated[
        bool, option("-n", "--dry-run", help="show the plan, fetch nothing", panel=LIMITS)
    ] = False,
    jobs: Jobs = None,
    max_per_host: MaxPerHost = None,
    connections: Annotated[
        int | None,
        option(
            "--connections",
            help="of these for one large file (default 4); more raise -x, unless it is given",
            panel=LIMITS,
            min=1,
            metavar="N",
        ),
    ] = None,
    retries: Annotated[
        int | None,
        option(
            "--retries",
            help="tries again without progress (default 5)",
            panel=LIMITS,
            min=0,
            metavar="N",
        ),
    ] = None,
    limit_rate: LimitRate = "",
    max_duration: MaxDuration = "",
    max_transfer: MaxTransfer = "",
    max_disk: MaxDisk = "",
    min_complete: MinComplete = "",
    retry_gone: Annotated[
        bool, option("--retry-gone", help="ask again for what was gone for good", panel=LIMITS)
    ] = False,
    ignore_opt_out: Annotated[
        bool,
        option("--ignore-opt-out", help="of lists, also what robots.txt or headers withhold", panel=LIMITS),
    ] = False,
    prepro: Prepro = False,
    num_val: NumVal = None,
    num_test: NumTest = None,
    word_count_threshold: Threshold = None,
    max_length: MaxLength = None,
    start_delay: StartDelay = "",
    metrics_file: MetricsFile = None,
    heartbeat: Heartbeat = "",
    progress: ProgressMode = Progress.AUTO,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Fetch, check and build a dataset; safe to repeat."""
    from datafetch import run
    from datafetch.console.screens import plan_screen
    from datafetch.model import Settings
    from datafetch.store.room import free_space

    recipe = recipe_of(name, registry, output_dir)
    choice = choice_of(ctx, only, everything)
    check_places(mirror, from_dir, mirror_only=mirror_only)
    if stream and keep_archives:
        raise UsageError(
            "--stream leaves no archive to keep", hint="give either --stream or --keep-archives, not both"
        )
    if check_upstream and offline:
        raise UsageError("--check-upstream asks servers, and --offline asks none", hint="give one of them")
    accepted_how = (
        "" if accept_terms or dry_run or quiet or as_json else ask_terms(recipe, output_dir, registry, choice)
    )
    if frozen and absolute_paths:
        raise UsageError("--frozen does not go with --absolute-paths", "whole paths differ between machines")
    settings = Settings(
        root=str(output_dir),
        frozen=str(lock_file) if frozen else "",
        jobs=jobs or JOBS,
        max_per_host=max(PLACES, connections or 0) if max_per_host is None else max_per_host,
        items=jobs or ITEMS,
        items_per_host=max_per_host or ITEMS_PER_HOST,
        connections=connections or PLACES,
        retries=retries,
        limit_rate=parse_rate(limit_rate) if limit_rate else None,
        mirrors=tuple(mirror),
        mirror_only=mirror_only,
        allow_private=allow_private,
        offline=offline,
        check_upstream=check_upstream,
        names=names.value,
        keep_archives=keep_archives,
        stream=stream,
        accept_terms=accept_terms or bool(accepted_how),
        accepted_how=accepted_how,
        from_dir=str(from_dir) if from_dir else "",
        min_complete=parse_percent(min_complete) if min_complete else None,
        max_duration=parse_duration(max_duration) if max_duration else None,
        max_transfer=parse_size(max_transfer) if max_transfer else None,
        max_disk=parse_size(max_disk) if max_disk else None,
        retry_gone=retry_gone,
        ignore_opt_out=ignore_opt_out,
        window=window_of(first, count),
        absolute_paths=absolute_paths,
        subset=subset_of(split, classes, max_per_class, include, exclude),
        prepro=prepro_rules(prepro, num_val, num_test, word_count_threshold, max_length),
    )
    wishes = wishes_of(recipe.name, start_delay, metrics_file, heartbeat, settings)
    if dry_run:
        return show_plan(recipe, choice, settings, as_json, registry)

    def show(budget: Budget) -> None:
        if not (quiet or as_json):
            lines = plan_screen(recipe, budget, free_space(output_dir)[0], width(sys.stderr))
            print("\n".join(lines), file=sys.stderr, flush=True)

    def work() -> Report:
        if recipe.members:
            return _get_group(recipe, choice, settings, registry, progress, as_json, quiet, verbose)
        with watching(recipe.name, progress, as_json=as_json, quiet=quiet, verbose=verbose) as watcher:
            return run.get(recipe, choice, settings, watcher, show)

    if wishes is None:
        report = work()
    else:
        from datafetch.unattended.attend import attended, to_stderr

        report = attended(work, recipe.name, settings.root, wishes, to_stderr, told=not quiet)
    return say_report(report, as_json=as_json, quiet=quiet)


@app.command("plan", cls=RecipeCommand, rich_help_panel=GET)
def plan_command(
    ctx: typer.Context,
    name: Name,
    only: Only = [],  # noqa: B006
    everything: Everything = False,
    first: First = None,
    count: Count = None,
    split: Split = [],  # noqa: B006
    classes: Classes = [],  # noqa: B006
    max_per_class: MaxPerClass = None,
    include: Include = [],  # noqa: B006
    exclude: Exclude = [],  # noqa: B006
    output_dir: OutputDir = DEFAULT_DIR,
    keep_archives: KeepArchives = False,
    stream: Stream = False,
    registry: Registry = [],  # noqa: B006
    max_disk: MaxDisk = "",
    as_json: Json = False,
) -> int:
    """What `get` would do now: files, bytes, disk."""
    from datafetch.model import Settings

    subset = subset_of(split, classes, max_per_class, include, exclude)
    settings = Settings(
        root=str(output_dir),
        keep_archives=keep_archives,
        max_disk=parse_size(max_disk) if max_disk else None,
        window=window_of(first, count),
        subset=subset,
        stream=stream,
    )
    return show_plan(
        recipe_of(name, registry, output_dir), choice_of(ctx, only, everything), settings, as_json, registry
    )


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


def _get_group(
    recipe: Recipe,
    choice: Choice,
    settings: Settings,
    registry: Sequence[Path],
    progress: Progress,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> Report:
    from datafetch.console.screens import plan_screen, report_line
    from datafetch.run import group
    from datafetch.store.room import free_space

    def show(member: Recipe, budget: Budget) -> None:
        if not (quiet or as_json):
            free = free_space(Path(settings.root))[0]
            print(
                "\n".join(plan_screen(member, budget, free, width(sys.stderr))), file=sys.stderr, flush=True
            )

    with watching(recipe.name, progress, as_json=as_json, quiet=quiet, verbose=verbose) as watcher:
        report = group.get_group(recipe, choice, settings, watcher, show, registry)
    if not as_json:
        for problem in report.problems:
            if problem.why == group.NOT_BEGUN:
                print(f"error: {problem.text}\nhint: {problem.hint}", file=sys.stderr)
        if not quiet:
            print_lines([report_line(one) for one in report.members.values()])
    return report


def say_report(report: Report, *, as_json: bool, quiet: bool) -> int:
    from datafetch.console.screens import report_line
    from datafetch.console.text import size

    if as_json:
        say(json.dumps(report.as_json(), ensure_ascii=False))
    elif report.exit_code in (130, 143):
        kept = f"{size(report.transferred)} fetched and kept" if report.transferred else "nothing is lost"
        say(f"{report.dataset}: interrupted, {kept}; run the same command again to go on")
    elif not quiet or report.exit_code:
        say(report_line(report))
        for note in report.notes if quiet else ():  # else they were told as they came
            print(f"note: {note}", file=sys.stderr)
    elif report.upstream:  # all is well here, and yet there is something to decide
        from datafetch.run.standing import told, worth_telling

        for one in filter(worth_telling, report.upstream):
            print(f"note: {told(one)}", file=sys.stderr)
    return report.exit_code
