"""`get`: fetch, check and build. As every command it imports what it needs when it runs: start-up is a feature."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import GET, app, recipe_of
from datafetch.cli.asking import ask_terms
from datafetch.cli.choices import RecipeCommand
from datafetch.cli.options.declare import LIMITS, grouped, onto, option
from datafetch.cli.options.limits import Budget, Insisting, OneFile, Workers
from datafetch.cli.options.output import Telling, Verbose
from datafetch.cli.options.talk import Prepro
from datafetch.cli.options.unattended import Unattended
from datafetch.cli.options.what import Held, Name, Part
from datafetch.cli.options.where import (
    DEFAULT_DIR,
    AcceptTerms,
    Archives,
    Asking,
    Brought,
    Form,
    Mirrors,
    OutputDir,
    Registry,
)
from datafetch.cli.output import print_lines, watching
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.model import Choice, Event, Recipe, Settings
    from datafetch.report import Report


@app.command("get", cls=RecipeCommand, rich_help_panel=GET)
@grouped
def get_command(
    *,
    ctx: typer.Context,
    name: Name,
    part: Part,
    output_dir: OutputDir = DEFAULT_DIR,
    form: Form,
    archives: Archives,
    brought: Brought,
    mirrors: Mirrors,
    asking: Asking,
    accept_terms: AcceptTerms = False,
    registry: Registry = [],  # noqa: B006
    held: Held,
    dry_run: Annotated[
        bool, option("-n", "--dry-run", help="show the plan, fetch nothing", panel=LIMITS)
    ] = False,
    workers: Workers,
    one_file: OneFile,
    budget: Budget,
    insisting: Insisting,
    prepro: Prepro,
    unattended: Unattended,
    telling: Telling,
    verbose: Verbose = False,
) -> int:
    """Fetch, check and build a dataset; safe to repeat."""
    from datafetch.cli.answers.plan import show_plan
    from datafetch.cli.answers.report import say_report
    from datafetch.model import Settings

    recipe = recipe_of(name, registry, output_dir)
    choice = part.choice(ctx)
    settings = onto(
        Settings(root=str(output_dir), accept_terms=accept_terms),
        *(mirrors, brought, archives, asking, form, held, one_file, workers, budget, insisting, part, prepro),
    )
    if held.frozen and form.absolute_paths:
        raise UsageError("--frozen does not go with --absolute-paths", "whole paths differ between machines")
    wishes = unattended.wishes(recipe.name, settings)
    if dry_run:
        return show_plan(recipe, choice, settings, telling.as_json, registry)
    if not (accept_terms or telling.silent):
        how = ask_terms(recipe, output_dir, registry, choice)
        settings = replace(settings, accept_terms=bool(how), accepted_how=how)

    def work() -> Report:
        with watching(recipe.name, telling, verbose=verbose) as watcher:
            report = _get(recipe, choice, settings, registry, watcher, silent=telling.silent)
        if recipe.members:
            _say_members(report, telling)
        return report

    if wishes is None:
        report = work()
    else:
        from datafetch.unattended.attend import attended, to_stderr

        report = attended(work, recipe.name, settings.root, wishes, to_stderr, told=not telling.quiet)
    return say_report(report, as_json=telling.as_json, quiet=telling.quiet)


def _get(
    recipe: Recipe,
    choice: Choice,
    settings: Settings,
    registry: list[Path],
    emit: Callable[[Event], None],
    *,
    silent: bool,
) -> Report:
    from datafetch import run
    from datafetch.cli.answers.plan import before_the_first_byte

    show = before_the_first_byte(Path(settings.root), silent=silent)
    if recipe.members:
        from datafetch.run import group

        return group.get_group(recipe, choice, settings, emit, show, registry)
    return run.get(recipe, choice, settings, emit, lambda budget: show(recipe, budget))


def _say_members(report: Report, telling: Telling) -> None:
    """How it went with each member of a group, and why with some it was not begun."""
    from datafetch.console.screens import report_line
    from datafetch.run import group

    if telling.as_json:
        return
    for problem in report.problems:
        if problem.why == group.NOT_BEGUN:
            print(f"error: {problem.text}\nhint: {problem.hint}", file=sys.stderr)
    if not telling.quiet:
        print_lines([report_line(one) for one in report.members.values()])
