"""`verify`: what is on disk against what was published."""

from __future__ import annotations

from typing import Annotated

from datafetch.cli.app import CHECK, app, recipe_of, refuse_group
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.declare import OUTPUT, grouped, onto, option
from datafetch.cli.options.limits import MaxDuration
from datafetch.cli.options.output import Telling, Verbose
from datafetch.cli.options.units import given, parse_duration
from datafetch.cli.options.what import Name
from datafetch.cli.options.where import DEFAULT_DIR, Brought, Mirrors, OutputDir, Registry
from datafetch.cli.output import print_lines, stream, watching


@app.command("verify", cls=PanelCommand, rich_help_panel=CHECK)
@grouped
def verify_command(
    *,
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
    mirrors: Mirrors,
    brought: Brought,
    registry: Registry = [],  # noqa: B006
    everything: Annotated[
        bool, option("--all", help="list every finding, not only the first 20", panel=OUTPUT)
    ] = False,
    telling: Telling,
    verbose: Verbose = False,
) -> int:
    """Compare what is on disk with what was published, and mend it."""
    from datafetch.cli.mending import Wish, verify_and_repair
    from datafetch.model import Settings

    settings = Settings(root=str(output_dir), max_duration=given(parse_duration, max_duration))
    settings = onto(settings, mirrors, brought)
    recipe = recipe_of(name, registry, output_dir)
    refuse_group(recipe, "verify")
    with watching(name, telling, verbose=verbose) as watcher:
        wish = Wish(level, full=full, repair=repair, write_available=write_available)
        checked = verify_and_repair(recipe, settings, wish, watcher)
    try:
        if telling.as_json:
            stream(checked.json())
        elif not telling.quiet or checked.report.exit_code:
            print_lines(checked.lines(everything=everything))
    finally:
        checked.close()
    return checked.report.exit_code
