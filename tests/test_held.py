"""What a dataset takes on disk: as measured, as events change it, and below the limit that claims must keep."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datafetch.errors import NoRoom
from datafetch.model import Artifact, Event, Http, Shard, Shards, UrlList
from datafetch.store.held import Held, look
from datafetch.store.home import Home
from datafetch.store.inventory import Entry

SHARDED = Artifact(
    "x", Shards((Shard("a", ("https://x/a",)), Shard("b", ("https://x/b",)))), "x", unpack=True
)
LISTED = Artifact("rows", UrlList("list", "map", ("id",), ("<url>",), "<id>.jpg"), "x")
FILE = Artifact("f", Http(("https://x/f",)), "x")


def test_a_file_takes_its_whole_length_from_its_start_until_it_is_freed() -> None:
    held = Held(100)
    held(Event("started", "a", 10, 50))
    assert held.now == 150
    held(Event("staged", "a", done=40))
    held(Event("freed", "a"))
    assert (held.now, held.peak) == (140, 190)


def test_shards_are_freed_one_by_one_or_with_their_artifact() -> None:
    held = Held(0, artifacts=[SHARDED])
    for shard in ("x/a", "x/b"):
        held(Event("fetched", shard, 10, 10))
    held(Event("freed", "x/a"))
    assert held.now == 10
    held(Event("fetched", "x/a", 10, 10))
    held(Event("freed", "x"))
    assert (held.now, held.peak) == (0, 20)


def test_rows_of_a_list_grow_by_what_is_received_and_archives_do_not() -> None:
    held = Held(0, artifacts=[LISTED, FILE])
    for name in ("rows", "rows", "f"):
        held(Event("received", name, done=7))
    assert held.now == 14


def test_a_claim_beyond_the_limit_holds_nothing() -> None:
    held = Held(60, limit=100)
    held.claim("file", "a", 30)
    held.claim("file", "a", 30)  # it is the same file
    with pytest.raises(NoRoom, match="b takes 11 bytes more, and --max-disk leaves 10"):
        held.claim("file", "b", 11)
    assert (held.now, held.spare(), held.over) == (90, 10, False)
    held(Event("grown", "b", done=11))
    assert (held.over, held.spare()) == (True, 0)
    held.gone("b")
    assert not held.over


def test_what_is_here_is_measured_by_whose_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path, "set")
    sizes = {
        home.archive("f"): 5000,
        home.staging("f") / "x" / "0.jpg": 1,
        home.shard("x", "a"): 4096,
        home.part("x/b"): 9000,
        home.state / "history.jsonl": 1,
    }
    for path, size in sizes.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    os.link(home.archive("f"), home.staging("f") / "x" / "twin.bin")
    blocks = {path: path.stat().st_blocks * 512 for path in sizes}
    taken, here = look(home, [SHARDED, FILE], [Entry("x/1.jpg", 4097, "")])
    assert taken == sum(blocks.values()) + 8192
    f = blocks[home.archive("f")] + blocks[home.staging("f") / "x" / "0.jpg"]
    assert sum(here["f"]) == f
    assert here["x/a"] == (blocks[home.shard("x", "a")], 0)
    assert here["x/b"] == (blocks[home.part("x/b")], 0)
    held = Held(taken, here, [SHARDED, FILE])
    held(Event("freed", "x"))
    assert held.now == taken - here["x/a"][0] - here["x/b"][0]
