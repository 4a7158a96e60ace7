"""Manners: a rate for the whole run, places of a host that come and go, and a clock that nobody waits for."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from pathlib import Path

import httpx2
import pytest

from datafetch.cli.options.units import parse_rate
from datafetch.demo.server import FaultServer, Thing
from datafetch.errors import UsageError
from datafetch.model import Settings
from datafetch.transfer.hosts import GROW_AFTER, Hosts
from datafetch.transfer.http import client, open_url
from datafetch.transfer.pace import Pace
from datafetch.transfer.part import MIB, PartFile
from tests.transfers import Time

HOST = "example.org"


def test_the_allowance_is_one_for_all_who_take() -> None:
    clock = Time()
    pace = Pace(1000, clock.clock, clock.sleep)

    async def take() -> None:
        for _ in range(50):
            await pace.take(100)

    async def both() -> None:
        await asyncio.gather(take(), take())

    asyncio.run(both())
    assert clock.now - 1000 >= 100 * 100 / 1000 - 0.1


def test_an_allowance_that_was_not_used_is_not_saved_up() -> None:
    clock = Time()
    pace = Pace(1000, clock.clock, clock.sleep)
    clock.now += 3600
    asyncio.run(pace.take(1000))
    assert clock.slept == [pytest.approx(0.9)]


def test_without_a_rate_nobody_waits() -> None:
    clock = Time()
    asyncio.run(Pace(0, clock.clock, clock.sleep).take(10**12))
    assert clock.slept == []


def test_limit_rate_holds_for_all_transfers_together_and_flows_smoothly() -> None:
    rate, size = 2_000_000, 400_000
    came: list[tuple[float, int]] = []

    async def read(http: httpx2.AsyncClient, url: str) -> None:
        async with open_url(http, url) as answer:
            came.extend([(time.monotonic(), len(chunk)) async for chunk in answer.chunks()])

    async def two(url: str) -> None:
        async with client(Settings(root="/", allow_private=True, limit_rate=rate)) as http:
            await asyncio.gather(read(http, url), read(http, url))

    started = time.monotonic()
    with FaultServer(lambda path: Thing(bytes(size))) as server:
        asyncio.run(two(f"{server.url}/x"))
    spent = max(came)[0] - started
    assert sum(length for _, length in came) == 2 * size
    assert spent >= 2 * size / rate - 0.15
    early = sum(length for when, length in came if when < started + spent / 2)
    assert early <= 1.4 * size  # of 2 * size


@pytest.mark.parametrize(
    ("text", "rate"), [("4.2M", 4_200_000), ("500K", 500_000), ("1M/s", 10**6), ("2MB/s", 2 * 10**6)]
)
def test_a_rate_is_a_size_per_second(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "0", "999", "-1M"])
def test_a_rate_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_rate(text)


# --- Places -------------------------------------------------------------------------------------------------


def test_a_complaint_halves_the_places_and_quiet_gives_them_back() -> None:
    clock = Time()
    hosts = Hosts(8, clock.clock, clock.sleep)
    hosts.slow(HOST, 5)
    hosts.slow(HOST, 7)  # the answer to what was asked at the same time
    assert hosts.places(HOST) == 4
    assert hosts.wait_left(HOST) == 7
    clock.now += 8
    hosts.slow(HOST, 1)
    assert hosts.places(HOST) == 2
    clock.now += 1 + GROW_AFTER
    assert hosts.places(HOST) == 3
    clock.now += 2.5 * GROW_AFTER
    assert hosts.places(HOST) == 5
    clock.now += 100 * GROW_AFTER
    assert hosts.places(HOST) == 8
    assert hosts.places("another.org") == 8


def test_the_last_place_stays() -> None:
    clock = Time()
    hosts = Hosts(4, clock.clock, clock.sleep)
    for _ in range(10):
        hosts.slow(HOST, 1)
        clock.now += 2
    assert hosts.places(HOST) == 1


def test_fewer_ask_at_once_after_a_complaint() -> None:
    clock = Time()
    hosts = Hosts(4, clock.clock, clock.sleep)
    inside, most = 0, 0

    async def ask() -> None:
        nonlocal inside, most
        async with hosts.turn(HOST):
            inside += 1
            most = max(most, inside)
            for _ in range(3):
                await asyncio.sleep(0)
            inside -= 1

    async def all_of_them() -> None:
        await asyncio.gather(*(ask() for _ in range(20)))

    asyncio.run(all_of_them())
    assert most == 4
    hosts.slow(HOST, 1)
    most = 0
    asyncio.run(all_of_them())
    assert most == 2


def test_a_place_to_spare_keeps_nobody_waiting() -> None:
    hosts = Hosts(2)

    async def run() -> None:
        async with hosts.turn(HOST):
            assert hosts.spare(HOST)
            assert not hosts.spare(HOST)
            waiting = asyncio.ensure_future(hosts.turn(HOST).__aenter__())
            await asyncio.sleep(0)
            assert hosts.crowded(HOST)
            hosts.leave(HOST)
            await waiting
            assert not hosts.spare(HOST)

    asyncio.run(run())


def test_whoever_stops_waiting_takes_no_place() -> None:
    hosts = Hosts(1)

    async def run() -> None:
        async with hosts.turn(HOST):
            waiting = [asyncio.ensure_future(hosts.turn(HOST).__aenter__()) for _ in range(3)]
            await asyncio.sleep(0)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert hosts.spare(HOST)

    asyncio.run(run())


# --- The part -----------------------------------------------------------------------------------------------


def test_bytes_in_any_order_give_the_digest_of_the_file(tmp_path: Path) -> None:
    data = random.Random(3).randbytes(4 * MIB)
    places = list(range(0, len(data), 100_000))
    random.Random(4).shuffle(places)

    async def write() -> dict[str, str]:
        part = PartFile(tmp_path / "x.part", (), ("md5",))
        try:
            part.stretch(len(data))
            for at in places:
                piece = data[at : at + 100_000]
                await part.write([piece], len(piece), at)
            return await part.digests()
        finally:
            await part.close()

    digests = asyncio.run(write())
    assert (tmp_path / "x.part").read_bytes() == data
    assert digests == {"sha256": hashlib.sha256(data).hexdigest(), "md5": hashlib.md5(data).hexdigest()}


def test_only_what_came_out_of_order_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[int] = []
    real = os.pread

    def counted(fd: int, size: int, at: int) -> bytes:
        data = real(fd, size, at)
        again.append(len(data))
        return data

    monkeypatch.setattr("datafetch.transfer.part.os.pread", counted)

    async def write(*pieces: tuple[int, int]) -> None:
        part = PartFile(tmp_path / "x.part", (), ())
        try:
            for start, end in pieces:
                await part.write([bytes(end - start)], end - start, start)
            await part.digests()
        finally:
            await part.close()

    asyncio.run(write((0, 1000), (1000, 5000), (5000, 6000)))
    assert sum(again) == 0
    asyncio.run(write((0, 1000), (5000, 6000), (1000, 5000), (6000, 7000)))
    assert sum(again) == 1000
