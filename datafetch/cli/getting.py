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
from datafetch.cli.options import (
    LIMITS,
    PICKED,
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
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch import model
    from datafetch.model import Choice, Recipe, Settings, Subset, Window
    from datafetch.plan.budget import Budget
    from datafetch.report import Report
    from datafetch.unattended.attend import Wishes

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
        return _show_plan(recipe, choice, settings, as_json, registry)

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
    return _show_plan(
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


def wishes_of(
    name: str, delay: str, metrics_file: Path | None, heartbeat: str, settings: Settings
) -> Wishes | None:
    """What is to be done around a run; None for nothing. UsageError for what cannot be done."""
    if not (delay or metrics_file or heartbeat):
        return None
    from datafetch.unattended.attend import Wishes
    from datafetch.unattended.heartbeat import Heartbeat
    from datafetch.unattended.metrics import target

    monitor = Heartbeat.of(heartbeat, allow_private=settings.allow_private) if heartbeat else None
    return Wishes(
        parse_duration(delay) if delay else 0.0,
        target(metrics_file, name) if metrics_file else None,
        None if settings.offline else monitor,
    )


def choice_of(ctx: typer.Context, only: Sequence[str], everything: bool) -> Choice:
    """What the options of a recipe's own, --only and --all pick."""
    from datafetch.model import Choice

    groups = tuple(group.strip() for given in only for group in given.split(",") if group.strip())
    return Choice(tuple(ctx.meta.get(PICKED, ())), groups, everything)


def prepro_rules(
    wanted: bool, num_val: int | None, num_test: int | None, threshold: int | None, max_length: int | None
) -> model.Prepro | None:
    """The rules of --prepro, or None without it. UsageError for options that only it reads."""
    from datafetch.model import Prepro

    asked = {
        "num_val": num_val,
        "num_test": num_test,
        "word_count_threshold": threshold,
        "max_length": max_length,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    if wanted:
        return Prepro(**given)
    if given:
        raise UsageError(f"--{next(iter(given)).replace('_', '-')} goes with --prepro", "add --prepro")
    return None


def window_of(first: int | None, count: int | None) -> Window:
    """The rows that --first and --count choose."""
    from datafetch.model import Window

    start = first or 1
    return Window(start, None if count is None else start + count - 1)


def subset_of(
    split: Sequence[str],
    classes: Sequence[str],
    most: int | None,
    include: Sequence[str],
    exclude: Sequence[str],
) -> Subset:
    """The files that --split, --classes and their like choose."""
    from datafetch.model import Subset

    return Subset(_listed(split), _listed(classes), most, _listed(include), _listed(exclude))


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    """The words of an option that takes A,B and may be repeated; one order, so that one choice is one value."""
    return tuple(sorted({word.strip() for each in given for word in each.split(",") if word.strip()}))


def check_places(mirrors: Sequence[str], from_dir: Path | None, *, mirror_only: bool) -> None:
    """Refuse at once what would fail later, file by file."""
    if mirror_only and not mirrors:
        raise UsageError("--mirror-only without a mirror leaves nobody to ask", "name one with --mirror URL")
    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")) or not mirror.partition("://")[2].strip("/"):
            raise UsageError(
                f"--mirror {mirror} is no http or https address", "write it like http://host:port"
            )
    if from_dir is not None and not from_dir.is_dir():
        raise UsageError(f"--from {from_dir} is not a folder", "name the folder that holds the files")


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


def _show_plan(
    recipe: Recipe, choice: Choice, settings: Settings, as_json: bool, registry: Sequence[Path]
) -> int:
    if recipe.members:
        return _show_plans(recipe, choice, settings, as_json, registry)
    from datafetch import run
    from datafetch.cli.look import plan_document
    from datafetch.console.screens import plan_screen
    from datafetch.store.room import free_space
    from datafetch.store.subsets import subsets, words

    budget = run.plan(recipe, choice, settings)
    here = subsets(run.home_of(settings, recipe.name), recipe)
    free = free_space(Path(settings.root))[0]
    if as_json:
        say(json.dumps(plan_document(recipe, settings, budget, free, here), ensure_ascii=False))
    else:
        print_lines([*words(here), *plan_screen(recipe, budget, free, width())])
    return 0


def _show_plans(
    recipe: Recipe, choice: Choice, settings: Settings, as_json: bool, registry: Sequence[Path]
) -> int:
    """The plans of the members of a group, one after the other."""
    from datafetch import run
    from datafetch.cli.look import plan_document
    from datafetch.console.screens import plan_screen
    from datafetch.model import Choice
    from datafetch.run import group
    from datafetch.store.room import free_space
    from datafetch.store.subsets import subsets

    free = free_space(Path(settings.root))[0]
    documents, lines = [], list[str]()
    for member in group.members(recipe, registry, choice.only):
        budget = run.plan(member, Choice(everything=choice.everything), settings)
        here = subsets(run.home_of(settings, member.name), member)
        documents.append(plan_document(member, settings, budget, free, here))
        lines += [*([""] if lines else []), *plan_screen(member, budget, free, width())]
    if as_json:
        complete = all(one["complete"] for one in documents)
        whole = {
            "dataset": recipe.name,
            "root": documents[0]["root"],
            "members": documents,
            "complete": complete,
        }
        say(json.dumps(whole, ensure_ascii=False))
    else:
        print_lines(lines)
    return 0


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
