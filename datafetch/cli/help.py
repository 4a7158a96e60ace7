"""Help with commands and options in panels, and a start without rich or pydantic, which typer would import for it."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from datafetch.cli.values import convert_plainly


class PanelCommand(TyperCommand):
    """A command whose help shows its options in panels, and that starts without importing rich or pydantic."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [convert_plainly(param) for param in super().get_params(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                panels.setdefault(_panel_of(param), []).append(record)
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


class Panels(TyperGroup):
    """Help with the commands grouped by what a person wants to do, in the order of their registration."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [convert_plainly(param) for param in super().get_params(ctx)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            panels.setdefault(str(panel), []).append((name, command.get_short_help_str(100)))
        width = max(len(name) for rows in panels.values() for name, _ in rows)
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])


def _panel_of(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return getattr(param, "rich_help_panel", None) or "Options"
