"""Shards of a tar.gz are unpacked while they arrive: little room, no byte twice, and refused as a whole."""

from __future__ import annotations

import hashlib
import io
import os
import random
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from disk import Sampler
from process import Ended, datafetch_, start
from sbu import ORIGIN, RECIPE, pictures, split, tar_gz
from server import Answer, Exchange, FaultServer, Thing, corrupt, first, status
from test_cli_tree import files_below, scaffolding

SEED = int(os.environ.get("CRASH_SEED", "2025"))
NAMES = [f"im2text.a{letter}" for letter in "abcdefghijkl"]
TREE = pictures(300, 40_000)


@cache
def whole() -> bytes:
    return tar_gz(TREE)


@dataclass(frozen=True)
class World:
    """An upstream with shards, and a place to bring them to."""

    folder: Path
    shards: Mapping[str, bytes]
    checksums: bool = True

    @property
    def root(self) -> Path:
        return self.folder / "out"

    def args(self, url: str) -> tuple[str, ...]:
        registry = self.folder / "recipes"
        registry.mkdir(exist_ok=True)
        recipe = RECIPE
        if self.checksums:
            lines = [f"{hashlib.md5(data).hexdigest()}  {name}\n" for name, data in self.shards.items()]
            (registry / "im2text.md5").write_text("".join(lines))
            recipe += "checksums: im2text.md5\n"
        (registry / "im2text.yaml").write_text(recipe)
        where = ("--registry", str(registry), "--mirror", url, "-o", str(self.root))
        return ("get", "im2text", *where, "--json", "--mirror-only")

    def serve(self, instead: Mapping[str, Answer] | None = None) -> FaultServer:
        things: dict[str, Answer] = {f"{ORIGIN}/{name}": Thing(data) for name, data in self.shards.items()}
        things |= {f"{ORIGIN}/{name}": answer for name, answer in (instead or {}).items()}
        return FaultServer(things.get)

    def get(self, url: str) -> Ended:
        return datafetch_(*self.args(url), cwd=self.folder)

    def tree(self) -> dict[str, bytes]:
        return {path.removeprefix("im2text/"): data for path, data in files_below(self.root).items()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, split(whole(), tmp_path))


def test_twelve_shards_become_the_tree_and_nothing_else(world: World) -> None:
    with world.serve() as server:
        ended = world.get(server.url)
    assert ended.code == 0, ended.err
    assert world.tree() == TREE
    assert scaffolding(world.root, "im2text") == []
    assert ended.report["bytes"]["transferred"] == len(whole())
    with world.serve() as server:
        assert world.get(server.url).report["bytes"]["transferred"] == 0
        assert not server.seen


class Slow:
    """The shard in pieces with a moment between them."""

    def __init__(self, data: bytes) -> None:
        self._thing = Thing(data)

    def __call__(self, exchange: Exchange) -> None:
        code, body, headers = self._thing.rest(exchange.seen)
        exchange.head(code, headers)
        for at in range(0, len(body), 64 << 10):
            exchange.raw(body[at : at + (64 << 10)])
            time.sleep(0.01)


def test_disk_never_holds_more_than_the_result_and_two_shards(world: World) -> None:
    root = world.root
    sampler = Sampler(root)
    with world.serve({name: Slow(data) for name, data in world.shards.items()}) as server:
        sampler.start()
        ended = world.get(server.url)
        sampler.stop.set()
        sampler.join()
    assert ended.code == 0, ended.err
    result = sum(-(-len(data) // 4096) * 4096 for data in TREE.values())
    most = result + 2 * max(len(data) for data in world.shards.values())
    assert sampler.peak <= most
    assert result < ended.report["bytes"]["peak"] <= most


def test_a_damaged_shard_is_fetched_again_alone(world: World) -> None:
    name = "im2text.ae"
    with world.serve(
        {name: first(1, corrupt(Thing(world.shards[name])), Thing(world.shards[name]))}
    ) as server:
        ended = world.get(server.url)
        asked = {name: len(server.asked(f"{ORIGIN}/{name}")) for name in NAMES}
    assert ended.code == 0, ended.err
    assert asked == {each: 1 + (each == name) for each in NAMES}
    assert world.tree() == TREE


def test_a_shard_that_stays_damaged_publishes_nothing_and_costs_the_others_nothing(world: World) -> None:
    name = "im2text.ae"
    with world.serve({name: corrupt(Thing(world.shards[name]))}) as server:
        ended = world.get(server.url)
    assert ended.code == 5
    assert ended.report["problems"][0]["why"] == "checksum"
    assert world.tree() == {}
    with world.serve() as server:
        assert world.get(server.url).code == 0
        assert not any(server.asked(f"{ORIGIN}/{each}") for each in NAMES[:4])
    assert world.tree() == TREE


def test_a_missing_shard_refuses_to_join(world: World) -> None:
    with world.serve({"im2text.ah": status(404)}) as server:
        ended = world.get(server.url)
    assert ended.code == 4
    assert world.tree() == {}


@pytest.mark.parametrize("checksums", [True, False])
@pytest.mark.parametrize(
    "wrong",
    [
        {"im2text.ac": "im2text.ad", "im2text.ad": "im2text.ac"},
        {"im2text.ad": "im2text.ac"},
        {"im2text.al": "im2text.aa"},
    ],
    ids=["reordered", "doubled", "first again"],
)
def test_shards_in_a_wrong_order_refuse_to_join(
    tmp_path: Path, wrong: Mapping[str, str], checksums: bool
) -> None:
    world = World(tmp_path, split(whole(), tmp_path), checksums)
    with world.serve({name: Thing(world.shards[other]) for name, other in wrong.items()}) as server:
        ended = world.get(server.url)
    assert ended.code == 5, ended.err
    assert world.tree() == {}
    with world.serve() as server:
        assert world.get(server.url).code == 0
    assert world.tree() == TREE


def test_a_last_shard_that_is_no_longer_listed_refuses_to_join(tmp_path: Path) -> None:
    shards = split(whole(), tmp_path, 13)
    world = World(tmp_path, {name: shards[name] for name in NAMES}, checksums=False)
    with world.serve() as server:
        ended = world.get(server.url)
    assert ended.code == 5
    assert "ends early" in ended.report["problems"][0]["text"]
    assert world.tree() == {}


@pytest.mark.parametrize("life", range(6))
def test_killed_at_any_moment_it_goes_on_and_fetches_next_to_nothing_twice(world: World, life: int) -> None:
    chance = random.Random(SEED + life)
    print(f"seed {SEED + life}")
    with world.serve({name: Slow(data) for name, data in world.shards.items()}) as server:
        for _ in range(3):
            process = start(world.args(server.url), world.folder)
            with process:
                assert process.stderr is not None
                wanted = chance.randrange(60)
                for _, line in zip(range(wanted + 1), process.stderr, strict=False):
                    if '"kind":"built"' in line:
                        break
                time.sleep(chance.random() * 0.05)
                process.kill()
                process.stderr.read()
            assert world.tree() in ({}, TREE)
    with world.serve() as server:
        ended = world.get(server.url)
    assert ended.code == 0, ended.err
    assert world.tree() == TREE
    assert scaffolding(world.root, "im2text") == []


def test_what_was_unpacked_before_a_kill_is_not_fetched_again(world: World) -> None:
    with world.serve({name: Slow(data) for name, data in world.shards.items()}) as server:
        process = start(world.args(server.url), world.folder)
        with process:
            assert process.stderr is not None
            for line in process.stderr:
                if '"kind":"freed"' in line and "im2text.af" in line:
                    break
            process.kill()
            process.stderr.read()
        assert process.returncode == -9
    with world.serve() as server:
        ended = world.get(server.url)
        again = [name for name in NAMES if server.asked(f"{ORIGIN}/{name}")]
    assert ended.code == 0, ended.err
    assert set(again) <= set(NAMES[6:])
    assert ended.report["bytes"]["transferred"] <= sum(len(world.shards[name]) for name in NAMES[6:])
    assert world.tree() == TREE


def test_repair_brings_back_one_picture_through_the_shards(world: World) -> None:
    path = "im2text/im2text_000000000123.jpg"
    with world.serve() as server:
        assert world.get(server.url).code == 0
        (world.root / "im2text" / path).unlink()
        assert world.get(server.url).code == 0
    assert world.tree() == TREE
    assert scaffolding(world.root, "im2text") == []


def _tar_with(*names: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for number in range(50):
            entry = tarfile.TarInfo(f"im2text/{number}.jpg")
            entry.size = 3000
            tar.addfile(entry, io.BytesIO(random.Random(number).randbytes(3000)))
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry, io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(
    "whole",
    [
        _tar_with("../evil.jpg"),
        _tar_with("/evil.jpg"),
        _tar_with("im2text/link.jpg", kind=tarfile.SYMTYPE),
        _tar_with("im2text/link.jpg", kind=tarfile.LNKTYPE),
        _tar_with("im2text/7.jpg"),
        _tar_with("im2text/7.JPG"),
        _tar_with("IM2TEXT/8.jpg", "im2text/9/a.jpg", "im2text/9"),
        _tar_with("other/a", "other/A"),
        _tar_with("im2text/\u00e9.jpg", "im2text/e\u0301.jpg"),
    ],
    ids=[
        "dots",
        "absolute",
        "symlink",
        "hardlink",
        "twice",
        "case",
        "file and folder",
        "left out",
        "unicode",
    ],
)
def test_one_bad_member_at_the_end_refuses_the_whole(tmp_path: Path, whole: bytes) -> None:
    world = World(tmp_path, split(whole, tmp_path))
    with world.serve() as server:
        ended = world.get(server.url)
    assert ended.code == 5, ended.err
    assert ended.report["problems"][0]["why"] == "unsafe archive"
    assert world.tree() == {}
    assert not (world.root / ".datafetch/im2text/staging/im2text.tar.gz").exists()


# A run in a loop fetched twelve shards each time, to refuse them each time.
def test_an_archive_that_was_refused_is_not_fetched_again(tmp_path: Path) -> None:
    bad = World(
        tmp_path, split(_tar_with("im2text/link.jpg", kind=tarfile.SYMTYPE), tmp_path), checksums=False
    )
    with bad.serve() as server:
        first, asked = bad.get(server.url), len(server.seen)
        again = bad.get(server.url)
        assert len(server.seen) == asked >= 12
    assert (first.code, again.code) == (5, 5)
    for ended in (first, again):
        (problem,) = ended.report["problems"]
        assert "link.jpg" in problem["text"]
    note = next((bad.root / ".datafetch").rglob(".refused"))
    assert f"remove {note} to fetch it anew" in again.err
    good = World(tmp_path, split(whole(), tmp_path), checksums=False)
    note.unlink()
    with good.serve() as server:
        assert good.get(server.url).code == 0
    assert good.tree() == TREE
    assert scaffolding(good.root, "im2text") == []


def test_an_archive_that_was_refused_is_fetched_for_a_recipe_that_has_changed(tmp_path: Path) -> None:
    bad = World(tmp_path, split(_tar_with("im2text/link.jpg", kind=tarfile.SYMTYPE), tmp_path))
    with bad.serve() as server:
        assert bad.get(server.url).code == 5
    good = World(tmp_path, split(whole(), tmp_path))  # other checksums
    with good.serve() as server:
        ended = good.get(server.url)
        assert ended.code == 0, ended.err
    assert good.tree() == TREE
    assert scaffolding(good.root, "im2text") == []
