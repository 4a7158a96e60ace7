"""`lint`: checks recipes, for those who write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import AUTHOR, app
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.output import Json
from datafetch.cli.options.where import Registry
from datafetch.cli.output import print_lines, say

if TYPE_CHECKING:
    from datafetch.errors import Issue


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
    if schema:
        from datafetch.recipe.schema import schema as as_schema

        say(as_schema().decode().rstrip())
        return 0
    from datafetch.recipe.files import builtin
    from datafetch.recipe.lint import files_of, lint

    wanted = tuple(paths) or (*registry, builtin())
    issues, checked = lint(wanted), len(files_of(wanted))
    if as_json:
        from dataclasses import asdict

        say(json.dumps([asdict(issue) for issue in issues], ensure_ascii=False))
    else:
        print_lines(_lines(issues, checked))
    return 2 if issues else 0


def _lines(issues: Sequence[Issue], checked: int) -> list[str]:
    from datafetch.console.text import plural

    lines = [f"error: {issue}" for issue in issues]
    lines.append(f"{plural(checked, 'recipe file')} checked, {plural(len(issues), 'issue')}")
    return lines
