"""Room on disk: what `plan` states holds while `get` runs, in either order of work, and --max-disk is kept."""

from __future__ import annotations

import io
import json
import random
import threading
import zipfile
from functools import cache
from pathlib import Path

import pytest
from disk import Sampler
from process import Ended, datafetch_, start
from server import Answer, Exchange, FaultServer, Thing
from test_cli_tree import files_below

MIB = 1 << 20
SIZES = {"b": 4, "a": 8, "d": 2, "c": 6}  # MiB; the recipe's order is none of size
FILE = 64 << 10
ORIGIN = "/sets.example.org"


@cache
def archive(name: str) -> bytes:
    """A zip of pictures, as far as its size tells: nothing in it can be packed."""
    noise = random.Random(name)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for number in range(SIZES[name] * MIB // FILE):
            packed.writestr(f"{name}/{number}.jpg", noise.randbytes(FILE))
    return out.getvalue()


def recipe(folder: Path, sizes: bool = True) -> Path:
    registry = folder / "recipes"
    registry.mkdir(exist_ok=True)
    artifacts = [
        f"  - {{name: {name}, url: 'https:/{ORIGIN}/{name}.zip', checksums: unknown, unpack: true"
        + (f", size: {len(archive(name))}" if sizes else "")
        + "}"
        for name in SIZES
    ]
    layout = [f"  - {{from: '{name}/<root>/<file>', to: '{name}/<file>'}}" for name in SIZES]
    (registry / "sets.yaml").write_text(
        "\n".join(["name: sets", "title: Sets", "artifacts:", *artifacts, "layout:", *layout, ""])
    )
    return registry


class Together:
    """Archives of which none ends before each has begun: the most that several at once can take."""

    def __init__(self) -> None:
        self._all = threading.Barrier(len(SIZES))

    def __call__(self, data: bytes) -> Answer:
        def answer(exchange: Exchange) -> None:
            code, body, headers = Thing(data).rest(exchange.seen)
            exchange.head(code, headers)
            exchange.body(body[:-1])
            self._all.wait(20)
            exchange.raw(body[-1:])

        return answer


class World:
    def __init__(self, folder: Path, sizes: bool = True) -> None:
        self.folder, self.root = folder, folder / "out"
        self._registry = recipe(folder, sizes)

    def serve(self, together: bool = False) -> FaultServer:
        answer = Together() if together else Thing
        return FaultServer({f"{ORIGIN}/{name}.zip": answer(archive(name)) for name in SIZES}.get)

    def args(self, command: str, url: str, *more: str) -> tuple[str, ...]:
        where = ("--registry", str(self._registry), "-o", str(self.root), "--json")
        mirror = ("--mirror", url, "--mirror-only", "--connections", "1") if command == "get" else ()
        return (command, "sets", *where, *mirror, *more)

    def run(self, command: str, url: str = "", *more: str) -> Ended:
        return datafetch_(*self.args(command, url, *more), cwd=self.folder)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def measured(world: World, *more: str, together: bool = False) -> tuple[int, int]:
    """The peak as `plan` states it, and as it is when `get` has run; what the report says of it is true."""
    plan = json.loads(world.run("plan", "", *more).out)
    assert (plan["fits"], plan["at_least"]) == (True, False)
    stated: int = plan["bytes"]["peak"]
    with world.serve(together) as server, Sampler(world.root) as sampler:
        ended = world.run("get", server.url, *more)
    assert ended.code == 0, ended.err
    told = ended.report["bytes"]["peak"]
    assert 0.95 * sampler.peak <= told <= 1.05 * stated
    return stated, sampler.peak


def test_the_stated_peak_holds_and_one_archive_at_a_time_takes_less(tmp_path: Path) -> None:
    wide, narrow, kept = (World(tmp_path / name) for name in _made(tmp_path, "wide", "narrow", "kept"))
    stated, wide_peak = measured(wide, together=True)
    assert 27 * MIB <= wide_peak <= 1.05 * stated
    limit = 24 * MIB
    stated, narrow_peak = measured(narrow, "--max-disk", str(limit))
    assert 20 * MIB <= narrow_peak <= min(1.05 * stated, limit)
    assert narrow_peak < 0.9 * wide_peak
    stated, kept_peak = measured(kept, "--keep-archives")
    assert 39 * MIB <= kept_peak <= 1.05 * stated
    trees = [files_below(each.root / "sets") for each in (wide, narrow, kept)]
    assert trees[0] == trees[1] == trees[2]


def _made(folder: Path, *names: str) -> tuple[str, ...]:
    for name in names:
        (folder / name).mkdir()
    return names


def test_what_cannot_fit_is_refused_before_the_first_byte(world: World) -> None:
    with world.serve() as server:
        ended = world.run("get", server.url, "--max-disk", "20M")
        assert ended.code == 12
        assert not server.seen
    said = ended.err.strip().splitlines()[-2:]
    assert "even one archive at a time, and --max-disk allows 20,000,000" in said[0]
    assert said[1].startswith("hint: raise --max-disk")
    kept = world.run("get", "http://127.0.0.1:9", "--max-disk", "24M", "--keep-archives")
    assert (kept.code, "--max-disk" in kept.err) == (12, True)


def test_the_largest_archive_is_got_first_and_each_freed_before_the_next(world: World) -> None:
    with world.serve() as server:
        ended = world.run("get", server.url, "--max-disk", "24M")
        assert [seen.path[-5] for seen in server.seen] == ["a", "c", "b", "d"]
    lines = (json.loads(line) for line in ended.err.splitlines() if line.startswith("{"))
    told = [(each["kind"], each["name"]) for each in lines if each["kind"] in ("started", "freed")]
    pairs = [(kind, name) for name in "acbd" for kind in ("started", "freed")]
    assert list(dict.fromkeys(told)) == pairs


def test_a_run_killed_in_the_narrow_order_fetches_nothing_twice(tmp_path: Path) -> None:
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    whole, killed = World(tmp_path / "whole"), World(tmp_path / "killed")
    with whole.serve() as server:
        digest = whole.run("get", server.url).report["tree_digest"]
    more = ("--max-disk", "24M")
    with killed.serve() as server:
        process = start(killed.args("get", server.url, *more), cwd=killed.folder)
        assert process.stderr is not None
        for line in process.stderr:
            if '"kind":"staged"' in line.replace(" ", "") and '"c"' in line:
                process.kill()
                break
        process.communicate()
        first = [seen.path for seen in server.seen]
        ended = killed.run("get", server.url, *more)
        assert (ended.code, ended.report["tree_digest"]) == (0, digest)
        again = [seen.path for seen in server.seen[len(first) :]]
    assert not {f"{ORIGIN}/a.zip", f"{ORIGIN}/c.zip"} & set(again)
    assert not list((killed.root / ".datafetch").rglob("archives/*"))


def test_sizes_that_nobody_knew_stop_the_run_at_the_limit_and_a_later_one_goes_on(tmp_path: Path) -> None:
    world, limit = World(tmp_path, sizes=False), 13 * MIB
    plan = json.loads(world.run("plan", "", "--max-disk", str(limit)).out)
    assert (plan["order"], plan["at_least"], plan["inodes"]) == ("narrow", True, None)
    with world.serve() as server:
        with Sampler(world.root) as sampler:
            stopped = world.run("get", server.url, "--max-disk", str(limit))
        assert (stopped.code, stopped.report["status"]) == (12, "failed")
        assert "--max-disk" in stopped.report["problems"][0]["text"]
        assert sampler.peak <= limit
        before = len(server.seen)
        ended = world.run("get", server.url, "--max-disk", "30M")
        assert ended.code == 0, ended.err
        staged = {seen.path for seen in server.seen[:before]} & {seen.path for seen in server.seen[before:]}
    assert len(staged) <= 1, "what was staged or whole is not fetched again"


def test_where_archive_and_tree_do_not_fit_the_archive_is_unpacked_while_it_arrives(world: World) -> None:
    limit = 21 * MIB  # the trees take 20, and the largest archive 8
    plan = json.loads(world.run("plan", "", "--max-disk", str(limit)).out)
    assert plan["fits"] is True
    with world.serve() as server, Sampler(world.root) as sampler:
        ended = world.run("get", server.url, "--max-disk", str(limit))
    assert ended.code == 0, ended.err
    assert any("unpacked while they arrive" in note for note in ended.report["notes"])
    assert sampler.peak <= 1.05 * 20 * MIB
    assert len(files_below(world.root)) == 20 * MIB // FILE
