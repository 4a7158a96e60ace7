"""A transfer that is cut off, by Ctrl-C, by SIGKILL or by a full disk, costs nothing that had arrived."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing, drop_after, first
from datafetch.errors import TransferFailed
from datafetch.identity import identity
from datafetch.model import Why
from datafetch.store.journal import Journal, Part, known
from datafetch.transfer.part import PartFile
from datafetch.transfer.retry import Patience
from tests.server import serve
from tests.transfers import Bench

BIG = Thing(os.urandom(1 << 20) * 4)


def unhurried(thing: Thing) -> Answer:
    """An honest server on a slow line."""

    def answer(exchange: Exchange) -> None:
        code, body, headers = thing.rest(exchange.seen)
        exchange.head(code, headers)
        for at in range(0, len(body), 1 << 16):
            exchange.raw(body[at : at + (1 << 16)])
            time.sleep(0.005)

    return answer


def test_cancelling_keeps_what_arrived(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def cut(url: str) -> None:
        task = asyncio.create_task(bench.run(url))
        while not bench.received:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with FaultServer(lambda path: unhurried(BIG)) as server:
        asyncio.run(cut(f"{server.url}/x"))
        held = bench.part.stat().st_size
        assert 0 < held < len(BIG.data)
        assert held == bench.received
        row = known(bench.journal).part
        assert row is not None
        assert row.durable == ((0, held, zlib.crc32(BIG.data[:held])),)
        bench(f"{server.url}/x")
        assert server.seen[1].start == held
    assert bench.target.read_bytes() == BIG.data
    assert bench.received == len(BIG.data)


def test_a_killed_process_loses_nothing_that_was_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    script = "import sys, pathlib, tests.transfers as t; t.Bench(pathlib.Path(sys.argv[1]))(sys.argv[2])"
    with FaultServer(lambda path: unhurried(BIG)) as server:
        url = f"{server.url}/x"
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), url], cwd=Path(__file__).parents[1]
        )
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until and not (
                bench.part.exists() and bench.part.stat().st_size > 500_000
            ):
                time.sleep(0.005)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        held = bench.part.stat().st_size
        assert 500_000 < held < len(BIG.data)
        bench(url)
        assert held - (512 << 10) <= server.seen[1].start <= held  # a write may lack its row
    assert bench.target.read_bytes() == BIG.data


@pytest.mark.parametrize("seed", range(4))
def test_a_part_that_was_changed_between_two_runs_is_found_though_no_checksum_is_known(
    seed: int, tmp_path: Path
) -> None:
    """It showed itself as a file with a flipped byte, recorded as the right one."""
    bench = Bench(tmp_path)
    answer = first(1, drop_after(700_000, BIG), BIG)
    with FaultServer(lambda path: answer) as server:
        with pytest.raises(TransferFailed):
            bench(f"{server.url}/x", patience=Patience(tries=1))
        held = bench.part.stat().st_size
        assert held >= 500_000
        flip(bench.part, random.Random(seed).randrange(held))
        bench(f"{server.url}/x")
        assert [seen.start for seen in server.seen] == [0, held, 0]
    assert bench.target.read_bytes() == BIG.data
    assert bench.whys() == [Why.CHECKSUM]


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        [byte] = file.read(1)
        file.seek(at)
        file.write(bytes((byte ^ 4,)))


def test_after_a_power_cut_only_synced_bytes_count(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.part.parent.mkdir(parents=True)
    bench.part.write_bytes(BIG.data[:1000] + bytes(500))
    with FaultServer(lambda path: BIG) as server:
        good = ((0, 1000, zlib.crc32(BIG.data[:1000])),)
        url, tag = f"{server.url}/x", str(BIG.headers["ETag"])
        row = Part(url, tag, "", len(BIG.data), "another boot", good, (identity(url),))
        with Journal(bench.journal) as journal:
            journal.append(row)
        bench(f"{server.url}/x")
        assert server.seen[0].start == 1000
    assert bench.target.read_bytes() == BIG.data


@pytest.mark.parametrize("row", [None, Part("http://elsewhere/", '"v"', "", 5000, "another boot")])
def test_a_part_that_nothing_vouches_for_is_not_used(row: Part | None, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.part.parent.mkdir(parents=True)
    bench.part.write_bytes(b"rubbish" * 100)
    if row is not None:
        with Journal(bench.journal) as journal:
            journal.append(row)
    with serve() as server:
        bench(f"{server.url}/plain")
        assert server.seen[0].start == 0


def test_a_whole_part_is_not_asked_for_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.part.parent.mkdir(parents=True)
    bench.part.write_bytes(BIG.data)
    with serve() as server:
        with Journal(bench.journal) as journal:
            whole = ((0, len(BIG.data), zlib.crc32(BIG.data)),)
            url = f"{server.url}/x"
            journal.append(Part(url, '"v"', "", len(BIG.data), "another boot", whole, (identity(url),)))
        bench(f"{server.url}/x")
        assert server.seen == ()
    assert bench.target.read_bytes() == BIG.data


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_ends_with_12_and_the_part_goes_on_later(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    real = os.pwritev

    def full(fd: int, buffers: list[bytes], offset: int) -> int:
        if offset > 0:
            raise OSError(code, os.strerror(code))
        return real(fd, buffers, offset)

    with FaultServer(lambda path: unhurried(BIG)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", full)
            assert bench.fails(f"{server.url}/x").exit_code == 12
        held = bench.part.stat().st_size
        assert 0 < held < len(BIG.data)
        bench(f"{server.url}/x")
        assert server.seen[-1].start == held
    assert bench.target.read_bytes() == BIG.data


def test_a_link_in_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.part.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    bench.part.symlink_to(victim)
    with serve() as server:
        assert bench.fails(f"{server.url}/plain").exit_code == 12
    assert victim.read_text() == "mine"


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, offset: real(fd, [b"".join(buffers)[:7]], offset))

    async def write() -> dict[str, str]:
        part = PartFile(tmp_path / "x.part", (), ("md5",))
        try:
            await part.write([b"hello ", b"world, ", b"again"], 18, 0)
            return await part.digests()
        finally:
            await part.close()

    digests = asyncio.run(write())
    assert (tmp_path / "x.part").read_bytes() == b"hello world, again"
    assert set(digests) == {"sha256", "md5"}
