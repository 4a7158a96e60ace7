"""Options are declared once, in groups; a command is found in the module of its name."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer

from datafetch.cli.commands import app
from datafetch.cli.options.declare import grouped, onto, option, taken
from datafetch.cli.options.limits import OneFile, Workers
from datafetch.cli.options.where import Archives
from datafetch.errors import UsageError
from datafetch.model import Settings

COMMANDS = [info.name for info in app.registered_commands]
GROUPS = [info.name for info in app.registered_groups]


@dataclass(frozen=True)
class Fruit:
    fruit: Annotated[bool, option("--fruit", help="called like what takes the group")] = True
    apples: Annotated[int, option("--apples", help="how many")] = 1
    kinds: Annotated[list[str], option("--kind", help="which")] = field(default_factory=list)


@grouped
def basket(
    *, name: str, fruit: Fruit, heavy: Annotated[bool, option("--heavy", help="or not")] = False
) -> int:
    return len(name) + fruit.apples * 10 + len(fruit.kinds) * 100 + heavy * 1000


def test_a_group_stands_in_the_signature_as_its_options_in_their_place() -> None:
    parameters = inspect.signature(basket).parameters
    assert list(parameters) == ["name", "fruit", "apples", "kinds", "heavy"]
    assert parameters["apples"].default == 1
    assert parameters["kinds"].default == []


def test_the_options_of_a_group_reach_the_command_as_that_group() -> None:
    assert basket(name="abc", fruit=True, apples=2, kinds=["red", "green"], heavy=True) == 1223


def test_typer_sees_the_options_of_a_group() -> None:
    alone = typer.Typer(add_completion=False)
    alone.command()(basket)
    command = typer.main.get_command(alone)
    assert command.main(args=["pie", "--kind", "red", "--apples", "4"], standalone_mode=False) == 143


def test_a_group_is_taken_from_among_the_values_of_others() -> None:
    assert taken(Fruit, {"kinds": ["red"], "apples": 3, "heavy": True, "fruit": False}) == Fruit(
        False, 3, ["red"]
    )


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_a_command_stands_in_the_module_of_its_name(name: str) -> None:
    importlib.import_module(f"datafetch.cli.commands.{name}")


@pytest.mark.parametrize(
    ("connections", "per_host", "expected"),
    [(None, None, (4, 4, 32)), (16, None, (16, 16, 32)), (16, 2, (16, 2, 2)), (2, None, (2, 4, 32))],
)
def test_more_connections_raise_the_transfers_of_a_host_unless_these_are_given(
    connections: int | None, per_host: int | None, expected: tuple[int, int, int]
) -> None:
    made = onto(Settings(root=""), OneFile(connections), Workers(None, per_host))
    assert (made.connections, made.max_per_host, made.items_per_host) == expected


def test_stream_and_keep_archives_are_refused_together() -> None:
    with pytest.raises(UsageError, match="--stream leaves no archive to keep"):
        onto(Settings(root=""), Archives(keep_archives=True, stream=True))
