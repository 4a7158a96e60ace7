"""How an option is declared, and how options come in groups."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from datafetch.model import Settings

WHAT, WHERE_FROM, WHERE_TO, LIMITS, OUTPUT = "What", "Where from", "Where to", "How far, how hard", "Output"
TALK = "For NeuralTalk2"
UNATTENDED = "When nobody watches"

Group = TypeVar("Group")


class Setting(Protocol):
    """A group whose options are settings of a run."""

    def onto(self, settings: Settings) -> Settings:
        """The settings with what was given here. UsageError for what cannot be meant."""


def onto(settings: Settings, *groups: Setting) -> Settings:
    """The settings with what was given in each of these groups, in their order. UsageError for the first mistake."""
    for group in groups:
        settings = group.onto(settings)
    return settings


def option(*flags: str, help: str, panel: str = "", env: str = "", **more: Any) -> Any:
    """A typer option that also listens to DATAFETCH_<OPTION>."""
    name = flags[-1].lstrip("-").upper().replace("-", "_")
    variable = [f"DATAFETCH_{name}", *([env] if env else [])]
    more.setdefault("show_default", False)
    return typer.Option(
        *flags, help=help, envvar=variable, show_envvar=False, rich_help_panel=panel or None, **more
    )


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """The command as typer is to see it: in the place of each parameter that is a dataclass stand its fields."""
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    groups = {name: hints[name] for name in signature.parameters if is_dataclass(hints[name])}
    alone = signature.parameters.keys() - groups.keys()
    spread: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        spread += _fields(hints[name]) if name in groups else [parameter.replace(annotation=hints[name])]

    @functools.wraps(command)
    def flat(**values: Any) -> int:
        held = {name: taken(group, values) for name, group in groups.items()}
        return command(**held, **{name: values[name] for name in alone})

    flat.__signature__ = inspect.Signature(spread)  # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in spread}
    return flat


def taken(group: type[Group], values: Mapping[str, Any]) -> Group:
    """A group of the values of its options, among those of others."""
    return group(**{field.name: values[field.name] for field in fields(group)})  # type: ignore[arg-type]


@functools.cache
def _fields(group: Any) -> Sequence[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=field.default if field.default is not MISSING else list[Any](),
        )
        for field in fields(group)
    ]
