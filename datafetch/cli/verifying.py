"""Commands that check: `verify` and, for authors of recipes, `lint`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from datafetch.cli.app import AUTHOR, CHECK, DEFAULT_DIR, app, recipe_of, refuse_group
from datafetch.cli.given import check_places
from datafetch.cli.options import (
    OUTPUT,
    AllowPrivate,
    FromDir,
    Json,
    MaxDuration,
    Mirror,
    MirrorOnly,
    Name,
    OutputDir,
    PanelCommand,
    Progress,
    ProgressMode,
    Quiet,
    Registry,
    Verbose,
    option,
    parse_duration,
)
from datafetch.cli.output import print_lines, say, stream, watching


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
    max_duration: MaxDuration = "",
    mirror: Mirror = [],  # noqa: B006
    mirror_only: MirrorOnly = False,
    allow_private: AllowPrivate = False,
    from_dir: FromDir = None,
    registry: Registry = [],  # noqa: B006
    progress: ProgressMode = Progress.AUTO,
    everything: Annotated[
        bool, option("--all", help="list every finding, not only the first 20", panel=OUTPUT)
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Compare what is on disk with what was published, and mend it."""
    from datafetch.cli.check import Wish, verify_and_repair
    from datafetch.model import Settings

    check_places(mirror, from_dir, mirror_only=mirror_only)
    settings = Settings(
        root=str(output_dir),
        mirrors=tuple(mirror),
        mirror_only=mirror_only,
        allow_private=allow_private,
        from_dir=str(from_dir) if from_dir else "",
        max_duration=parse_duration(max_duration) if max_duration else None,
    )
    recipe = recipe_of(name, registry, output_dir)
    refuse_group(recipe, "verify")
    with watching(name, progress, as_json=as_json, quiet=quiet, verbose=verbose) as watcher:
        wish = Wish(level, full=full, repair=repair, write_available=write_available)
        checked = verify_and_repair(recipe, settings, wish, watcher)
    try:
        if as_json:
            stream(checked.json())
        elif not quiet or checked.report.exit_code:
            print_lines(checked.lines(everything=everything))
    finally:
        checked.close()
    return checked.report.exit_code


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

        say(as_schema().decode().rstrip())
        return 0
    issues, checked = lint_paths(tuple(paths), tuple(registry))
    if as_json:
        from dataclasses import asdict

        say(json.dumps([asdict(issue) for issue in issues], ensure_ascii=False))
    else:
        print_lines(lint_lines(issues, checked))
    return 2 if issues else 0
