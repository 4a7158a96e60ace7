"""`plan`: what `get` would do now."""

from __future__ import annotations

import typer

from datafetch.cli.app import GET, app, recipe_of
from datafetch.cli.choices import RecipeCommand
from datafetch.cli.options.declare import grouped, onto
from datafetch.cli.options.limits import MaxDisk
from datafetch.cli.options.output import Json
from datafetch.cli.options.units import given, parse_size
from datafetch.cli.options.what import Name, Part
from datafetch.cli.options.where import DEFAULT_DIR, Archives, OutputDir, Registry


@app.command("plan", cls=RecipeCommand, rich_help_panel=GET)
@grouped
def plan_command(
    *,
    ctx: typer.Context,
    name: Name,
    part: Part,
    output_dir: OutputDir = DEFAULT_DIR,
    archives: Archives,
    registry: Registry = [],  # noqa: B006
    max_disk: MaxDisk = "",
    as_json: Json = False,
) -> int:
    """What `get` would do now: files, bytes, disk."""
    from datafetch.cli.answers.plan import show_plan
    from datafetch.model import Settings

    settings = Settings(root=str(output_dir), max_disk=given(parse_size, max_disk))
    settings = onto(settings, part, archives)
    recipe = recipe_of(name, registry, output_dir)
    return show_plan(recipe, part.choice(ctx), settings, as_json, registry)
