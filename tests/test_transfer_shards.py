"""The parts of a split file are fetched side by side, and a bad one costs the others nothing."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from datafetch.demo.server import Answer, FaultServer, Thing, corrupt, first, status
from datafetch.errors import NoRoom, TransferFailed
from datafetch.model import Event, Fetched, Settings, Why
from datafetch.store.journal import Journal
from datafetch.transfer.hosts import Hosts
from datafetch.transfer.http import client
from datafetch.transfer.shards import fetch_shards
from datafetch.transfer.wanted import Wanted, Ways
from tests.transfers import LIMITS, sha256

DATA = {f"a{letter}": letter.encode() * 5000 for letter in "abcdefghijkl"}


def shards(folder: Path, url: str, names: list[str], events: list[Event]) -> tuple[Fetched, ...]:
    def wanted(name: str) -> tuple[Wanted, Journal]:
        target = folder / "x.shards" / name
        asked = Wanted(
            name, (f"{url}/{name}",), folder / f"x+{name}.part", target, name, checksums=(sha256(DATA[name]),)
        )
        return asked, Journal(folder / f"x+{name}.jsonl")

    async def run() -> tuple[Fetched, ...]:
        async with client(Settings(root="/", allow_private=True)) as http:
            ways = Ways(http, Hosts(4), events.append, limits=LIMITS, chance=lambda: 0.0)
            return await fetch_shards([wanted(name) for name in names], ways)

    return asyncio.run(run())


def test_a_damaged_shard_is_fetched_again_alone(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {f"/{name}": Thing(data) for name, data in DATA.items()}
    answers["/ac"] = first(1, corrupt(Thing(DATA["ac"])), Thing(DATA["ac"]))
    with FaultServer(answers.get) as server:
        done = shards(tmp_path, server.url, list(DATA), [])
        assert {path: len(server.asked(path)) for path in answers} == {
            path: 1 + (path == "/ac") for path in answers
        }
    assert [fetched.path for fetched in done] == list(DATA)
    assert {path.name: path.read_bytes() for path in (tmp_path / "x.shards").iterdir()} == DATA


def test_a_missing_shard_is_told_after_all_others_are_here(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {f"/{name}": Thing(data) for name, data in DATA.items()}
    answers["/aa"] = status(404)
    events: list[Event] = []
    with FaultServer(answers.get) as server, pytest.raises(TransferFailed) as caught:
        shards(tmp_path, server.url, list(DATA), events)
    assert caught.value.why is Why.GONE
    assert {path.name for path in (tmp_path / "x.shards").iterdir()} == set(DATA) - {"aa"}
    assert sum(event.kind == "fetched" for event in events) == 11


# The group of tasks put it into a group of errors, which nobody knew: exit code 1, "this is a bug".
def test_a_fault_of_the_disk_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*words: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    answers: dict[str, Answer] = {f"/{name}": Thing(data) for name, data in DATA.items()}
    with FaultServer(answers.get) as server:
        monkeypatch.setattr("datafetch.transfer.pool.Holding", fails)
        with pytest.raises(NoRoom):
            shards(tmp_path, server.url, ["aa"], [])
