"""Turns at a host: a place and the pace, over the wire against a server that limits, and from one run to the next."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from datafetch.model import Settings
from datafetch.transfer.courtesy import Courtesy
from datafetch.transfer.hosts import Hosts
from datafetch.transfer.http import client, open_url
from datafetch.transfer.manners import Learned
from datafetch.transfer.quota import Quota
from datafetch.transfer.remembered import EXPIRES, MOST, load, save
from datafetch.transfer.told import Told, told
from tests.server import Exchange, FaultServer
from tests.tempers import Bucket, Temper
from tests.transfers import Time

HOST = "images.example.org"


def courtesy(time: Time, most: int = 8, known: dict[str, Learned] | None = None) -> Courtesy:
    return Courtesy(Hosts(most, time.clock, time.sleep), most, known, time.clock, time.sleep)


# --- Turns --------------------------------------------------------------------------------------------------


def test_a_turn_waits_for_a_place_and_places_are_given_in_order() -> None:
    async def ask() -> list[int]:
        turns, order = courtesy(Time(), most=1), []

        async def one(number: int) -> None:
            async with turns.turn(HOST) as turn:
                order.append(number)
                await asyncio.sleep(0)
                turn.heard(Told(200))

        await asyncio.gather(*(one(number) for number in range(5)))
        return order

    assert asyncio.run(ask()) == [0, 1, 2, 3, 4]


def test_a_turn_waits_for_the_pace() -> None:
    clock = Time()

    async def ask() -> None:
        turns = courtesy(clock, known={HOST: Learned(8, 10.0)})
        for _ in range(9):
            async with turns.turn(HOST) as turn:
                turn.heard(Told(200))

    asyncio.run(ask())
    assert clock.now - 1000.0 == pytest.approx(8 / 8.0)  # eight tenths of what was learned


def test_a_refusal_in_one_turn_holds_up_the_next() -> None:
    clock = Time()

    async def ask() -> None:
        turns = courtesy(clock)
        async with turns.turn(HOST) as turn:
            turn.heard(Told(429, retry_after=7.0))
        async with turns.turn(HOST):
            pass

    asyncio.run(ask())
    assert clock.now == pytest.approx(1007.0)


def test_other_hosts_do_not_wait_for_one_that_refuses() -> None:
    clock = Time()

    async def ask() -> None:
        turns = courtesy(clock)
        async with turns.turn(HOST) as turn:
            turn.heard(Told(503, retry_after=60.0))
        async with turns.turn("other.example.org"):
            pass

    asyncio.run(ask())
    assert clock.now == 1000.0


def test_a_turn_without_an_answer_gives_its_place_back() -> None:
    async def ask() -> None:
        turns = courtesy(Time(), most=1)
        for _ in range(3):
            with pytest.raises(ConnectionError):
                async with turns.turn(HOST):
                    raise ConnectionError

    asyncio.run(ask())


def test_one_who_gives_up_waiting_leaves_the_others_their_turns() -> None:
    async def ask() -> None:
        turns = courtesy(Time(), most=1)

        async def wait() -> None:
            async with turns.turn(HOST):
                pass

        async with turns.turn(HOST):
            first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
        await asyncio.wait_for(second, 5)

    asyncio.run(ask())


def test_places_that_other_transfers_hold_count() -> None:
    async def ask() -> None:
        clock = Time()
        hosts = Hosts(1, clock.clock, clock.sleep)
        turns = Courtesy(hosts, 1, None, clock.clock, clock.sleep)
        inside = False

        async def item() -> None:
            nonlocal inside
            async with turns.turn(HOST):
                inside = True

        async with hosts.turn(HOST):  # an archive of the same host
            task = asyncio.create_task(item())
            for _ in range(10):
                await asyncio.sleep(0)
            assert not inside
        await task

    asyncio.run(ask())


def test_an_answer_is_read_for_all_that_it_tells() -> None:
    headers = {"retry-after": "9", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}
    assert told(429, headers, 0.2) == Told(429, 0.2, 9.0, Quota(0, 30.0))
    assert told(200, {"retry-after": "9"}).retry_after is None  # it is about the answer's age there


# --- Over the wire ------------------------------------------------------------------------------------------


@dataclass
class Limited:
    """A server with a temper; it keeps the count itself."""

    temper: Temper
    served: int = 0
    refused: int = 0
    busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, exchange: Exchange) -> None:
        with self.lock:
            served = self.temper(time.monotonic(), self.busy)
            self.served += served
            self.refused += not served
            self.busy += 1
        try:
            exchange.send(200 if served else 429, b"x" * 100)
        finally:
            with self.lock:
                self.busy -= 1


async def _ask_all(url: str, turns: Courtesy, seconds: float, runners: int) -> None:
    until = time.monotonic() + seconds

    async def runner(http: httpx2.AsyncClient) -> None:
        while time.monotonic() < until:
            async with turns.turn(HOST) as turn:
                started = time.monotonic()
                async with open_url(http, url) as answer:
                    turn.heard(told(answer.status, answer.headers, time.monotonic() - started))
                    await answer.discard()

    async with client(Settings(root="/", allow_private=True)) as http:
        await asyncio.gather(*(runner(http) for _ in range(runners)))


@pytest.mark.parametrize("rate", [100, 200])
def test_a_server_that_limits_by_the_second_refuses_few(rate: int) -> None:
    seconds = 20.0  # what it takes to learn the limit is spread over so many
    limited = Limited(Bucket(rate, rate / 10))
    clocked = Courtesy(Hosts(32), 32)
    with FaultServer(lambda path: limited) as server:
        asyncio.run(_ask_all(f"{server.url}/a.png", clocked, seconds, 32))
    print(f"served {limited.served}, refused {limited.refused}")
    assert limited.refused <= 0.01 * (limited.served + limited.refused)
    # How much of the rate is used depends on how soon this machine wakes: the models measure that.


# --- From one run to the next -------------------------------------------------------------------------------


def test_what_was_learned_is_written_down_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    learned = {HOST: Learned(8, 4.5), "other.example.org": Learned(32, None)}
    save(path, learned, 1000.0)
    assert load(path, 1001.0) == learned
    save(path, {HOST: Learned(4, 3.0)}, 2000.0)
    assert load(path, 2001.0) == learned | {HOST: Learned(4, 3.0)}


def test_what_was_learned_expires(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    save(path, {HOST: Learned(8, 4.5)}, 1000.0)
    assert load(path, 1000.0 + EXPIRES) == {}
    assert load(path, 900.0) == {}  # written by a clock that was wrong


def test_the_file_of_hosts_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    save(path, {f"old{number}.example.org": Learned(8, 4.5) for number in range(MOST)}, 1000.0)
    save(path, {f"new{number}.example.org": Learned(8, 4.5) for number in range(10)}, 2000.0)
    found = load(path, 2001.0)
    assert len(found) == MOST
    assert all(f"new{number}.example.org" in found for number in range(10))
    assert path.stat().st_size < 1 << 20


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"a": 1}', '{"a": {"places": 0, "rate": null, "at": 1}}', '{"a": {"places": 2}}']
)
def test_a_file_of_hosts_that_makes_no_sense_is_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hosts.json"
    path.write_text(text)
    assert load(path, 10.0) == {}
    save(path, {HOST: Learned(8, 4.5)}, 10.0)
    assert load(path, 11.0) == {HOST: Learned(8, 4.5)}
