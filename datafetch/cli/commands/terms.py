"""`terms`: which terms must be accepted, and who has accepted them when."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.app import LOOK, app
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.declare import OUTPUT, option
from datafetch.cli.options.output import Json
from datafetch.cli.options.what import complete_names
from datafetch.cli.options.where import DEFAULT_DIR, OutputDir, Registry
from datafetch.cli.output import print_lines, say, width, write
from datafetch.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from datafetch.model import Recipe
    from datafetch.store.terms import Accepted


class Form(StrEnum):
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class State:
    """How things stand with the terms of one dataset."""

    name: str
    state: str
    since: str
    by: str
    terms: str

    @property
    def row(self) -> tuple[str, ...]:
        return self.name, self.state, self.since or "-", self.by or "-", self.terms


@app.command("terms", cls=PanelCommand, rich_help_panel=LOOK)
def terms_command(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME]…", help="datasets; none: all that have terms", autocompletion=complete_names
        ),
    ] = [],  # noqa: B006
    output_dir: OutputDir = DEFAULT_DIR,
    export: Annotated[
        Form | None,
        option(
            "--export",
            help="the ledger: every acceptance, with the text it is of",
            panel=OUTPUT,
            metavar="json|csv",
        ),
    ] = None,
    registry: Registry = [],  # noqa: B006
    as_json: Json = False,
) -> int:
    """Which terms must be accepted, and who has accepted them when."""
    from datafetch.console.text import table
    from datafetch.recipe import registry as recipes
    from datafetch.store.home import STATE_FOLDER, Home
    from datafetch.store.terms import ledger

    if export is not None and as_json:
        raise UsageError("--export and --json are two forms of the output", "give one of them")
    root = Path(os.path.realpath(output_dir))
    known = {one.name: one for one in recipes.shelf(tuple(registry)).recipes}
    kept = {path.parent.name for path in root.glob(f"{STATE_FOLDER}/*/terms.jsonl")}
    for name in names:
        if name not in known and name not in kept:
            raise UnknownName(f"no dataset {name}", "datafetch list shows every dataset")
    gated = {one.name for one in known.values() if one.terms is not None and one.terms.accept}
    wanted = sorted(set(names) or gated | kept)
    rows = {name: ledger(Home(root, name)) for name in wanted}
    if export is Form.CSV:
        write(_csv([line for name in wanted for line in rows[name]]))
    elif export is Form.JSON:
        import msgspec

        lines = [msgspec.to_builtins(line) for name in wanted for line in rows[name]]
        say(json.dumps(lines, ensure_ascii=False, indent=2))
    else:
        states = [_state(name, known.get(name), rows[name]) for name in wanted]
        if as_json:
            say(json.dumps([asdict(state) for state in states], ensure_ascii=False))
        else:
            head = ("NAME", "STATE", "SINCE", "BY", "TERMS")
            print_lines(table([head, *(state.row for state in states)], width=width()))
    return 0


def _csv(lines: list[Accepted]) -> str:
    """With a head; text that a spreadsheet would take for a formula is marked as text."""
    from datafetch.store.terms import Accepted

    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(Accepted.__struct_fields__)
    for line in lines:
        values = [str(getattr(line, name)) for name in Accepted.__struct_fields__]
        table.writerow(
            [f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value for value in values]
        )
    return out.getvalue()


def _state(name: str, recipe: Recipe | None, lines: tuple[Accepted, ...]) -> State:
    from datafetch.store.terms import digest

    terms = recipe.terms if recipe is not None else None
    last = lines[-1] if lines else None
    if terms is None:
        text = last.text if last else ""
        return State(name, "no recipe now" if last else "none", last.at if last else "", _by(last), text)
    current = next((line for line in reversed(lines) if line.digest == digest(terms)), None)
    said = f"{terms.text} {terms.link}".strip()
    if current is not None:
        return State(name, "accepted", current.at, _by(current), said)
    if not terms.accept:
        return State(name, "nothing to accept", "", "", said)
    return State(name, "changed since" if last else "not accepted", last.at if last else "", _by(last), said)


def _by(line: Accepted | None) -> str:
    return f"{line.user}@{line.host}" if line else ""
