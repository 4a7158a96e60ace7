"""The command line as a whole: what it is called, its panels, and what every command shares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch import __version__
from datafetch.cli.help import Panels
from datafetch.cli.options.where import DEFAULT_DIR
from datafetch.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from datafetch.model import Recipe

GET, LOOK, CHECK, AUTHOR = "Get", "Look", "Check", "Author"

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


def recipe_of(name: str, folders: Sequence[Path], output_dir: Path = DEFAULT_DIR) -> Recipe:
    """The recipe of a dataset, or what makes one of the datasets of a person's own that stand in `output_dir`."""
    from datafetch.recipe import registry

    try:
        return registry.load(name, tuple(folders))
    except UnknownName:
        from datafetch.model import Settings
        from datafetch.own import wish
        from datafetch.run import home_of

        own = wish.kept(home_of(Settings(root=str(output_dir)), name)) if "/" not in name else None
        if own is None:
            raise
        return own


def to_have(recipe: Recipe) -> str:
    """A hint for a dataset that is not here."""
    from datafetch.model import Own

    if any(isinstance(artifact.source, Own) for artifact in recipe.artifacts):
        return f"datafetch build {recipe.name} --from … makes it"
    return f"datafetch get {recipe.name} fetches it"


def refuse_group(recipe: Recipe, verb: str) -> None:
    """UsageError for a group: each of its members is looked at by itself."""
    if recipe.members:
        names = ", ".join(recipe.members)
        raise UsageError(
            f"{recipe.name} is a group: {verb} its members, {names}", f"datafetch info {recipe.members[0]}"
        )
