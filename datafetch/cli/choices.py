"""A recipe's own choices as options of the commands that take its name."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from datafetch.cli.help import PanelCommand
from datafetch.errors import RecipeError, UnknownName, UsageError

if TYPE_CHECKING:
    from datafetch.model import Recipe

PICKED = "datafetch.picked"  # where the values of a recipe's own options wait in the context


class RecipeCommand(PanelCommand):
    """A command whose options grow by the choices of the recipe named on its command line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        recipe = _named_recipe(args, self.params, strict=not ctx.resilient_parsing)
        if recipe is not None:
            own = {
                f"--{offered.name}" for offered in recipe.options
            }  # a recipe's own --split is the one meant
            self.params = [param for param in self.params if own.isdisjoint(getattr(param, "opts", ()))]
            at = next(i for i, param in enumerate(self.params) if param.param_type_name == "option")
            self.params = [*self.params[:at], *_options_of(recipe), *self.params[at:]]
        return super().parse_args(ctx, args)


def _named_recipe(args: Sequence[str], params: Iterable[Any], *, strict: bool) -> Recipe | None:
    """The recipe that a command line names; None when it names none, which the command itself will say.

    Raises RecipeError for one that breaks the language, if `strict`: completion must not.
    """
    from datafetch.recipe import registry

    words, folders = _words(args, params)
    for word in words:
        try:
            return registry.load(word, folders)
        except (UnknownName, UsageError):
            continue
        except RecipeError:
            if strict:
                raise
    return None


def _words(args: Sequence[str], params: Iterable[Any]) -> tuple[list[str], tuple[Path, ...]]:
    """The words of a command line that are no options' values, and the folders given with --registry."""
    takes_value = {
        flag for p in params if not getattr(p, "is_flag", False) for flag in getattr(p, "opts", ())
    }
    folders = [Path(f) for f in os.environ.get("DATAFETCH_REGISTRY", "").split(os.pathsep) if f]
    words, rest = [], iter(args)
    for word in rest:
        if word in takes_value and word.startswith("-"):
            value = next(rest, "")
            if word == "--registry":
                folders.append(Path(value))
        elif word.startswith("--registry="):
            folders.append(Path(word.partition("=")[2]))
        elif not word.startswith("-"):
            words.append(word)
    return words, tuple(folders)


def _options_of(recipe: Recipe) -> list[Any]:
    """The recipe's choices as options, made by typer itself from a signature, so that they behave like all others."""

    def takes(**values: object) -> None:
        """Never called: typer reads its signature."""

    parameters = [
        inspect.Parameter(
            offered.name.replace("-", "_"),
            inspect.Parameter.KEYWORD_ONLY,
            # A list, so that an option given twice is refused by name and not half ignored.
            annotation=list[str] if offered.values else bool,
            default=typer.Option(
                [] if offered.values else False,
                f"--{offered.name}",
                help=offered.help,
                metavar="|".join(offered.values) + (",…" if offered.several else "") or None,
                show_default=False,
                rich_help_panel=f"Choices of {recipe.name}",
                expose_value=False,
                callback=_keep,
                autocompletion=_values(offered.values) if offered.values else None,
                envvar=f"DATAFETCH_{offered.name.upper().replace('-', '_')}",
                show_envvar=False,
            ),
        )
        for offered in recipe.options
    ]
    takes.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    takes.__annotations__ = {p.name: p.annotation for p in parameters}
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(takes)
    return [p for p in typer.main.get_command(app).params if p.name != "help"]


def _keep(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    name = param.opts[0].removeprefix("--")
    picked = ctx.meta.setdefault(PICKED, [])
    if isinstance(value, list):
        picked.extend((name, one) for one in value)
    elif value:
        picked.append((name, "true"))
    return value


def _values(values: tuple[str, ...]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete
