"""Option values from their text, without the library that typer would import for it (0.1 s of every start)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import MethodType
from typing import Any, get_args, get_origin

from datafetch.errors import UsageError


def convert_plainly(param: Any) -> Any:
    """The parameter, which converts itself if its type is plain: str, bool, int, Path, StrEnum, or lists of them.

    A value of another type is left to typer. May be called again.
    """
    if "process_value" in vars(param):
        return param
    convert = _converter(param.type_descriptor.annotation)
    by_typer = param.process_value

    def process_value(self: Any, ctx: Any, value: Any) -> Any:
        if convert is None and value is not None:
            return by_typer(ctx, value)
        if self.required and self.value_is_missing(value):
            is_option = self.param_type_name == "option"
            name = f"{self.opts[0]} {self.metavar or ''}".strip() if is_option else self.display_name_raw
            raise UsageError(f"{name} is missing", hint=f"{ctx.command_path} --help shows what it takes")
        try:
            value = convert(value) if convert and value is not None else ([] if self.multiple else None)
        except ValueError:
            raise UsageError(f"{self.opts[-1]}: {value!r} is not {_asked(self)}") from None
        if getattr(self, "min", None) is not None and value is not None and value < self.min:
            raise UsageError(f"{self.opts[-1]}: {value} is less than {self.min}")
        return value if self.callback is None else self.callback(ctx, self, value)

    param.process_value = MethodType(process_value, param)
    return param


def _converter(annotation: Any) -> Callable[[Any], Any] | None:
    if annotation in (str, bool, int, Path):
        return _bool if annotation is bool else annotation
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return annotation
    if get_origin(annotation) is list:
        one = _converter(get_args(annotation)[0])
        return (lambda values: [one(value) for value in values]) if one else None
    rest = [arg for arg in get_args(annotation) if arg is not type(None)]
    return _converter(rest[0]) if len(rest) == 1 else None


def _bool(value: Any) -> bool:
    """Flags are bools already; from the environment they are words."""
    if isinstance(value, bool):
        return value
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
        "": False,
    }
    if str(value).lower() not in words:
        raise ValueError(value)
    return words[str(value).lower()]


def _asked(param: Any) -> str:
    annotation = param.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return "one of " + ", ".join(annotation)
    return {int: "a whole number", bool: "yes or no"}.get(annotation, "a value it takes")
