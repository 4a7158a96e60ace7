"""The commands, in panels by what a person wants. Each imports what it needs when it runs: start-up is a feature."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from datafetch import __version__
from datafetch.cli.options import (
    LIMITS,
    PICKED,
    WHERE_FROM,
    WHERE_TO,
    AllowPrivate,
    Count,
    DataDir,
    Everything,
    First,
    FromDir,
    Json,
    Mirror,
    MirrorOnly,
    Name,
    Names,
    Only,
    OutputDir,
    PanelCommand,
    Panels,
    Progress,
    ProgressMode,
    Quiet,
    RecipeCommand,
    Registry,
    Verbose,
    option,
    parse_duration,
    parse_percent,
    parse_rate,
    parse_size,
)
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.model import Choice, Event, Recipe, Settings, Window
    from datafetch.plan.budget import Budget
    from datafetch.report import Report

GET, LOOK, CHECK, AUTHOR = "Get", "Look", "Check", "Author"
DEFAULT_DIR = Path("data")
PLACES = 4  # transfers from one host at once, unless told otherwise

app = typer.Typer(
    cls=Panels,
    help="Vision datasets from recipes: fetched, checked, and laid out as training code reads them.",
    epilog="Start with: datafetch demo. Then: datafetch get NAME --help shows what a dataset offers.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"datafetch {__version__}")
        raise typer.Exit


@app.callback()
def shell(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and leave")
    ] = False,
) -> None:
    pass


@app.command("get", cls=RecipeCommand, rich_help_panel=GET)
def get_command(
    ctx: typer.Context,
    name: Name,
    only: Only = [],  # noqa: B006
    everything: Everything = False,
    first: First = None,
    count: Count = None,
    output_dir: OutputDir = DEFAULT_DIR,
    names: Annotated[
        Names,
        option(
            "--names", help="upstream's names, or 0.jpg, 1.jpg, …", panel=WHERE_TO, metavar="keep|sequential"
        ),
    ] = Names.KEEP,
    keep_archives: Annotated[
        bool, option("--keep-archives", help="keep archives after the build", panel=WHERE_TO)
    ] = False,
    from_dir: FromDir = None,
    mirror: Mirror = [],  # noqa: B006
    mirror_only: MirrorOnly = False,
    allow_private: AllowPrivate = False,
    offline: Annotated[
        bool, option("--offline", help="use what is here, ask no server", panel=WHERE_FROM)
    ] = False,
    accept_terms: Annotated[
        bool, option("--accept-terms", help="you have read and accept the terms", panel=WHERE_FROM)
    ] = False,
    registry: Registry = [],  # noqa: B006
    dry_run: Annotated[
        bool, option("-n", "--dry-run", help="show the plan, fetch nothing", panel=LIMITS)
    ] = False,
    jobs: Annotated[
        int, option("-j", "--jobs", help="transfers at once (default 4)", panel=LIMITS, min=1, metavar="N")
    ] = 4,
    max_per_host: Annotated[
        int | None,
        option(
            "-x", "--max-per-host", help="of them from one host (default 4)", panel=LIMITS, min=1, metavar="N"
        ),
    ] = None,
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
    limit_rate: Annotated[
        str,
        option("--limit-rate", help="bytes per second in all: 500K, 4.2M …", panel=LIMITS, metavar="RATE"),
    ] = "",
    max_duration: Annotated[
        str, option("--max-duration", help="stop after 90s, 15m, 2h …", panel=LIMITS, metavar="TIME")
    ] = "",
    max_transfer: Annotated[
        str, option("--max-transfer", help="stop after 500M, 50G …", panel=LIMITS, metavar="SIZE")
    ] = "",
    min_complete: Annotated[
        str,
        option(
            "--min-complete", help="share of items that counts as complete", panel=LIMITS, metavar="99.5%"
        ),
    ] = "",
    retry_gone: Annotated[
        bool, option("--retry-gone", help="ask again for what was gone for good", panel=LIMITS)
    ] = False,
    ignore_opt_out: Annotated[
        bool,
        option("--ignore-opt-out", help="of lists, also what robots.txt or headers withhold", panel=LIMITS),
    ] = False,
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

    recipe = _recipe(name, registry)
    choice = _choice(ctx, only, everything)
    _check_places(mirror, from_dir, mirror_only=mirror_only)
    settings = Settings(
        root=str(output_dir),
        jobs=jobs,
        max_per_host=max(PLACES, connections or 0) if max_per_host is None else max_per_host,
        connections=connections or PLACES,
        retries=retries,
        limit_rate=parse_rate(limit_rate) if limit_rate else None,
        mirrors=tuple(mirror),
        mirror_only=mirror_only,
        allow_private=allow_private,
        offline=offline,
        names=names.value,
        keep_archives=keep_archives,
        accept_terms=accept_terms,
        from_dir=str(from_dir) if from_dir else "",
        min_complete=parse_percent(min_complete) if min_complete else None,
        max_duration=parse_duration(max_duration) if max_duration else None,
        max_transfer=parse_size(max_transfer) if max_transfer else None,
        retry_gone=retry_gone,
        ignore_opt_out=ignore_opt_out,
        window=_window(first, count),
    )
    if dry_run:
        return _show_plan(recipe, choice, settings, as_json)

    def show(budget: Budget) -> None:
        if not (quiet or as_json):
            lines = plan_screen(recipe, budget, free_space(output_dir)[0], _width(sys.stderr))
            print("\n".join(lines), file=sys.stderr, flush=True)

    with _watcher(recipe.name, progress, as_json=as_json, quiet=quiet, verbose=verbose) as watcher:
        report = run.get(recipe, choice, settings, watcher, show)
    return _say_report(report, as_json=as_json, quiet=quiet)


@app.command("plan", cls=RecipeCommand, rich_help_panel=GET)
def plan_command(
    ctx: typer.Context,
    name: Name,
    only: Only = [],  # noqa: B006
    everything: Everything = False,
    first: First = None,
    count: Count = None,
    output_dir: OutputDir = DEFAULT_DIR,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
) -> int:
    """What `get` would do now: files, bytes, disk."""
    from datafetch.model import Settings

    settings = Settings(root=str(output_dir), window=_window(first, count))
    return _show_plan(_recipe(name, registry), _choice(ctx, only, everything), settings, as_json)


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
        _say(json.dumps(played.report.as_json(), ensure_ascii=False))
    else:
        _print(played.lines)
        if not kept:
            print("\nthis was a temporary folder: -o DIR keeps it", file=sys.stderr)
    return played.report.exit_code


@app.command("list", cls=PanelCommand, rich_help_panel=LOOK)
def list_command(output_dir: OutputDir = DEFAULT_DIR, registry: Registry = [], as_json: Json = False) -> int:  # noqa: B006
    """Every dataset: how it is obtained, its size, and what of it is here."""
    from datafetch.cli.look import list_lines, listed
    from datafetch.recipe import registry as recipes

    shelf = recipes.shelf(tuple(registry))
    found = listed(shelf.recipes, output_dir)
    if as_json:
        _say(json.dumps([one.as_json() for one in found]))
    else:
        _print(list_lines(found, _width()))
    for error in shelf.broken:
        print(f"note: left out: {error}", file=sys.stderr)
    return 0


@app.command("info", cls=PanelCommand, rich_help_panel=LOOK)
def info_command(name: Name, registry: Registry = [], as_json: Json = False) -> int:  # noqa: B006
    """What a dataset is: choices, files, checksums, terms, citation."""
    from datafetch.cli.look import info_document
    from datafetch.console.screens import info_screen

    recipe = _recipe(name, registry)
    if as_json:
        _say(json.dumps(info_document(recipe), ensure_ascii=False))
    else:
        _print(info_screen(recipe, _width()))
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

    recipe = _recipe(name, registry)
    files = not urls or why in ("", "lost")  # else no file need be looked at
    look = Look(recipe, home_of(Settings(root=str(output_dir)), recipe.name), why, files=files)
    if as_json:
        _stream(look.json())
    elif urls:
        _stream(look.urls())
    else:
        _print(list(look.lines(_width())))
    return 0


@app.command("show", cls=PanelCommand, rich_help_panel=LOOK)
def show_command(
    name: Name,
    page: Annotated[
        Path | None,
        typer.Option("-o", "--page", metavar="FILE", help="the page (default NAME.html; - is stdout)"),
    ] = None,
    output_dir: DataDir = DEFAULT_DIR,
    registry: Registry = [],  # noqa: B006
) -> int:
    """One page to look at: what is here, what is not and why, and samples."""
    import time

    from datafetch.model import Settings
    from datafetch.run import home_of
    from datafetch.show.facts import gather
    from datafetch.show.page import page as written
    from datafetch.store.files import write_atomic

    recipe = _recipe(name, registry)
    home = home_of(Settings(root=str(output_dir)), recipe.name)
    if not home.state.is_dir():
        raise UsageError(f"there is nothing of {name} in {home.root}", f"datafetch get {name} fetches it")
    document = written(gather(recipe, home, time.time()))
    if str(page) == "-":
        _write(document)
        return 0
    target = page or Path(f"{name}.html")
    if target.is_dir():
        raise UsageError(f"-o {target} is a folder", "name the file to write: -o page.html")
    write_atomic(Path(os.path.abspath(target)), document.encode())
    print(f"{target} is written", file=sys.stderr)
    return 0


@app.command("verify", cls=PanelCommand, rich_help_panel=CHECK)
def verify_command(
    name: Name,
    output_dir: OutputDir = DEFAULT_DIR,
    level: Annotated[
        str, option("--level", help="how closely to look", metavar="presence|size|hash|decode")
    ] = "hash",
    full: Annotated[
        bool, option("--full", help="read every file, also those unchanged since last time")
    ] = False,
    repair: Annotated[bool, option("--repair", help="fetch what is missing or damaged")] = False,
    write_available: Annotated[
        bool,
        option("--write-available", help="write X.available.json: the records of X.json with a picture here"),
    ] = False,
    mirror: Mirror = [],  # noqa: B006
    mirror_only: MirrorOnly = False,
    allow_private: AllowPrivate = False,
    from_dir: FromDir = None,
    registry: Registry = [],  # noqa: B006
    progress: ProgressMode = Progress.AUTO,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Compare what is on disk with what was published, and mend it."""
    from datafetch.cli.check import verify_and_repair
    from datafetch.model import Settings

    _check_places(mirror, from_dir, mirror_only=mirror_only)
    settings = Settings(
        root=str(output_dir),
        mirrors=tuple(mirror),
        mirror_only=mirror_only,
        allow_private=allow_private,
        from_dir=str(from_dir) if from_dir else "",
    )
    recipe = _recipe(name, registry)
    with _watcher(name, progress, as_json=as_json, quiet=quiet, verbose=verbose) as watcher:
        report, lines = verify_and_repair(
            recipe, settings, level, full=full, repair=repair, write_available=write_available, emit=watcher
        )
    if as_json:
        _say(json.dumps(report.as_json(), ensure_ascii=False))
    elif not quiet or report.exit_code:
        _print(lines)
    return report.exit_code


@app.command("lint", cls=PanelCommand, rich_help_panel=AUTHOR)
def lint_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="[PATH]…", help="recipe files or folders; none: all known")
    ] = [],  # noqa: B006
    schema: Annotated[
        bool, typer.Option("--schema", help="print the JSON Schema of recipes, for editors")
    ] = False,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
) -> int:
    """Check recipes: every mistake with file, line, artifact and key."""
    from datafetch.cli.check import lint_lines, lint_paths

    if schema:
        from datafetch.recipe.schema import schema as as_schema

        _say(as_schema().decode().rstrip())
        return 0
    issues, checked = lint_paths(tuple(paths), tuple(registry))
    if as_json:
        from dataclasses import asdict

        _say(json.dumps([asdict(issue) for issue in issues], ensure_ascii=False))
    else:
        _print(lint_lines(issues, checked))
    return 2 if issues else 0


def _recipe(name: str, folders: Sequence[Path]) -> Recipe:
    from datafetch.recipe import registry

    return registry.load(name, tuple(folders))


def _choice(ctx: typer.Context, only: Sequence[str], everything: bool) -> Choice:
    from datafetch.model import Choice

    groups = tuple(group.strip() for given in only for group in given.split(",") if group.strip())
    return Choice(tuple(ctx.meta.get(PICKED, ())), groups, everything)


def _window(first: int | None, count: int | None) -> Window:
    from datafetch.model import Window

    start = first or 1
    return Window(start, None if count is None else start + count - 1)


def _check_places(mirrors: Sequence[str], from_dir: Path | None, *, mirror_only: bool) -> None:
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


@contextmanager
def _watcher(
    name: str, progress: Progress, *, as_json: bool, quiet: bool, verbose: bool
) -> Iterator[Callable[[Event], None]]:
    """Takes the events of a run, from any thread, while the block lasts."""
    from datafetch.console.live import Bars, JsonLines, Lines

    bars = progress is Progress.BARS or (progress is Progress.AUTO and sys.stderr.isatty())
    if as_json:
        yield JsonLines()
    elif bars and not quiet:
        with Bars(name, verbose=verbose) as shown:
            yield shown
    elif progress is Progress.NONE:
        yield Lines(name, quiet=quiet, verbose=verbose, every=None)
    else:
        yield Lines(name, quiet=quiet, verbose=verbose)


def _show_plan(recipe: Recipe, choice: Choice, settings: Settings, as_json: bool) -> int:
    from datafetch import run
    from datafetch.cli.look import plan_document
    from datafetch.console.screens import plan_screen
    from datafetch.store.room import free_space

    budget = run.plan(recipe, choice, settings)
    free = free_space(Path(settings.root))[0]
    if as_json:
        _say(json.dumps(plan_document(recipe, settings, budget, free), ensure_ascii=False))
    else:
        _print(plan_screen(recipe, budget, free, _width()))
    return 0


def _say_report(report: Report, *, as_json: bool, quiet: bool) -> int:
    from datafetch.console.screens import report_line
    from datafetch.console.text import size

    if as_json:
        _say(json.dumps(report.as_json(), ensure_ascii=False))
    elif report.exit_code in (130, 143):
        kept = f"{size(report.transferred)} fetched and kept" if report.transferred else "nothing is lost"
        _say(f"{report.dataset}: interrupted, {kept}; run the same command again to go on")
    elif not quiet or report.exit_code:
        _say(report_line(report))
        for note in report.notes:
            print(f"note: {note}", file=sys.stderr)
    return report.exit_code


def _print(lines: Sequence[str]) -> None:
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        from datafetch.console.text import colour

        lines = [colour(line) for line in lines]
    for line in lines:
        _say(line)


def _say(text: str) -> None:
    """One line on stdout."""
    _write(f"{text}\n")


def _write(text: str) -> None:
    """Text on stdout. A reader that has gone away, as `head` does, changes neither the work nor its exit code."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stream(pieces: Iterable[str]) -> None:
    """Text on stdout, in pieces, some hundreds at a time: there may be a million."""
    rest = iter(pieces)
    while together := "".join(islice(rest, 500)):
        _write(together)


def _width(stream: TextIO = sys.stdout) -> int | None:
    """Columns to stay inside: those of the terminal, 80 at least; None, that is no limit, when output is piped."""
    if not stream.isatty():
        return None
    import shutil

    return max(shutil.get_terminal_size().columns, 80)
