"""What counts as here: a fetched file only for the address, or under the checksum, that the recipe names today."""

from __future__ import annotations

from pathlib import Path

import pytest

from datafetch.identity import identity
from datafetch.model import Artifact, Bundled, Checksum, Fetched, Http, Shard, Shards, State
from datafetch.store import inventory
from datafetch.store.home import Home
from datafetch.store.journal import Done, Journal
from datafetch.transfer.providers import local

TRAIN, TEST = "https://h/get?key=train.zip", "https://h/get?key=test.zip"
SHA256 = Checksum("sha256", "ab")
SHOWN = "https://h/get?key=***"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, "set")


def fetched(home: Home, key: str, target: Path, address: str) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(b"12345")
    with Journal(home.journal(key)) as rows:
        rows.append(Done(Fetched("a", 5, "ab", SHOWN, "2026-01-01T00:00:00Z", (), address)))


@pytest.mark.parametrize(
    ("url", "address", "checksums", "state"),
    [
        (TRAIN, identity(TRAIN), (), State.FETCHED),
        (TEST, identity(TRAIN), (), State.ABSENT),  # the recipe has changed, in what is not shown
        (TEST, identity(TRAIN), (SHA256,), State.FETCHED),
        (TEST, "", (), State.FETCHED),  # a row of before addresses were kept
        ("https://h/other", "", (), State.ABSENT),
    ],
)
def test_a_file_is_that_of_its_full_address(
    url: str, address: str, checksums: tuple[Checksum, ...], state: State, home: Home
) -> None:
    artifact = Artifact("a", Http((url,)), "set", checksums=checksums)
    fetched(home, "a", home.archive("a"), address)
    assert inventory.look(home, artifact, 0, 0, frozenset()).state is state


@pytest.mark.parametrize(
    ("url", "address", "whole", "here"),
    [
        (TRAIN, identity(TRAIN), (), 5),
        (TEST, identity(TRAIN), (), None),
        (TEST, identity(TRAIN), (SHA256,), 5),  # the checksum of the joined file proves them
        (TEST, "", (), 5),
    ],
)
def test_a_shard_is_that_of_its_full_address(
    url: str, address: str, whole: tuple[Checksum, ...], here: int | None, home: Home
) -> None:
    shard = Shard("s", (url,))
    artifact = Artifact("a", Shards((shard,)), "set", checksums=whole)
    fetched(home, home.shard_key("a", "s"), home.shard("a", "s"), address)
    assert inventory.shard_here(home, artifact, shard) == here


def test_a_file_brought_for_an_address_shows_no_secret_of_it(tmp_path: Path) -> None:
    brought = tmp_path / "brought"
    brought.write_bytes(b"12345")
    artifact = Artifact("a", Bundled("a"), "set")
    found = local.copy_in(brought, tmp_path / "a", artifact, TRAIN, "", lambda: False)
    assert (found.url, found.address) == (SHOWN, identity(TRAIN))
