"""The whole matrix of resuming: validators by what a server makes of a range, counted at the server; and the
ladder of mirrors, of which any one may break.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing, drop_after, status
from datafetch.transfer.retry import Patience
from tests.server import (
    Ignoring,
    ShortRange,
    Unsaid,
    WrongTotal,
    chunked,
    multipart,
    part,
    reset_after,
    slice_as_whole,
)
from tests.transfers import Bench, sha256

SIZE, HALF = 40_000, 20_000
DATA = random.Random(1).randbytes(SIZE)
OTHER = random.Random(2).randbytes(SIZE)
LONGER = random.Random(3).randbytes(SIZE + 500)
FRAMES = 500  # bytes around the chunks of a body


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class Counting(Exchange):
    """Counts the bytes of bodies that the server gives."""

    def __init__(self, exchange: Exchange, given: list[int]) -> None:
        self.__dict__ |= exchange.__dict__
        self._given = given

    def body(self, data: bytes) -> None:
        self._given.append(len(data))
        super().body(data)


class Site:
    """The first request breaks off half-way; what follows is answered as told, three times, then honestly."""

    def __init__(self, first: Answer, then: Answer, last: Answer) -> None:
        self._answers = [first, then, then, then, last]
        self.given: list[int] = []

    def __call__(self, exchange: Exchange) -> None:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        answer(Counting(exchange, self.given))


VALIDATORS: dict[str, Callable[[bytes], Thing]] = {
    "strong ETag": Thing,
    "strong date": lambda data: Thing(data, etag="", modified=1.6e9 + len(data) + data[0]),
    "weak ETag": lambda data: Thing(data, etag=f'W/"{data[0]}"'),
    "date too fresh": lambda data: Thing(data, etag="", modified=time.time()),
    "no validator": lambda data: Thing(data, etag="", modified=0),
}
STRONG = {"strong ETag", "strong date"}

Made = Callable[[Thing], Answer]
HONEST: dict[str, Made] = {
    "honours the range": lambda thing: thing,
    "honours it in chunks": chunked,
    "honours a part of it": ShortRange,
}
LYING: dict[str, Made] = {
    "ignores the range": Ignoring,
    "answers another range": lambda thing: part(thing, 100, SIZE, SIZE),
    "answers another total": WrongTotal,
    "sends the slice as 200": slice_as_whole,
    "says 416": lambda thing: status(416, Content_Range="bytes */77"),
    "says 416 of the whole": lambda thing: status(416, Content_Range=f"bytes */{SIZE}"),
    "sends multipart": multipart,
}


def lies_once(thing: Thing, lie: Answer) -> Answer:
    """A lie to whoever asks for a range, an honest answer to all others."""

    def answer(exchange: Exchange) -> None:
        (lie if "range" in exchange.seen.headers else thing)(exchange)

    return answer


@pytest.mark.parametrize(("validator", "behaviour"), [*product(VALIDATORS, HONEST)])
@pytest.mark.parametrize("proven", [True, False], ids=["checksum", "no checksum"])
def test_an_honest_server_gives_only_what_was_lost(
    validator: str, behaviour: str, proven: bool, bench: Bench
) -> None:
    thing = VALIDATORS[validator](DATA)
    site = Site(drop_after(HALF, thing), lies_once(thing, HONEST[behaviour](thing)), thing)
    with FaultServer(lambda path: site) as server:
        bench(f"{server.url}/x", checksums=(sha256(DATA),) if proven else ())
    assert bench.target.read_bytes() == DATA
    again = sum(site.given) - SIZE
    if validator in STRONG:
        assert again < FRAMES
        assert bench.received == SIZE
    else:
        assert again == HALF  # nothing says that it is the same file: from zero, once


@pytest.mark.parametrize(("validator", "behaviour"), [*product(VALIDATORS, LYING)])
def test_a_server_that_answers_a_range_wrongly_never_spoils_the_file(
    validator: str, behaviour: str, bench: Bench
) -> None:
    thing = VALIDATORS[validator](DATA)
    site = Site(drop_after(HALF, thing), lies_once(thing, LYING[behaviour](thing)), thing)
    with FaultServer(lambda path: site) as server:
        bench(f"{server.url}/x")
        from_zero = [seen for seen in server.seen if not seen.start]
    assert bench.target.read_bytes() == DATA
    assert len(from_zero) <= 2
    assert bench.received <= HALF + SIZE


CHANGED: dict[str, Made] = {
    "and the server says so": lambda thing: thing,
    "and it answers the range all the same": Unsaid,
    "and it ignores the range": Ignoring,
}


@pytest.mark.parametrize(("validator", "behaviour"), [*product(VALIDATORS, CHANGED)])
@pytest.mark.parametrize("new", [OTHER, LONGER], ids=["same size", "another size"])
def test_a_file_that_has_changed_is_fetched_whole(
    validator: str, behaviour: str, new: bytes, bench: Bench
) -> None:
    old, thing = VALIDATORS[validator](DATA), VALIDATORS[validator](new)
    site = Site(drop_after(HALF, old), lies_once(thing, CHANGED[behaviour](thing)), thing)
    with FaultServer(lambda path: site) as server:
        bench(f"{server.url}/x")
    assert bench.target.read_bytes() == new
    assert bench.received <= HALF + len(new)


# --- Mirrors ------------------------------------------------------------------------------------------------

BREAKS: dict[str, Callable[[Thing], Answer]] = {
    "drops": lambda thing: once_then(drop_after(HALF, thing), drop_after(0, thing)),
    "resets": lambda thing: once_then(reset_after(HALF, thing), reset_after(0, thing)),
    "turns into 503": lambda thing: once_then(drop_after(HALF, thing), status(503)),
    "turns into 404": lambda thing: once_then(drop_after(HALF, thing), status(404)),
    "turns into 403": lambda thing: once_then(drop_after(HALF, thing), status(403)),
    "turns into a page": lambda thing: once_then(
        drop_after(HALF, thing), status(200, b"<html>busy</html>", Content_Type="text/html")
    ),
}


def once_then(first: Answer, then: Answer) -> Answer:
    def answer(exchange: Exchange) -> None:
        (first if exchange.seen.nth == 1 else then)(exchange)

    return answer


@pytest.mark.parametrize(("broken", "breaks"), [*product(range(3), BREAKS)])
@pytest.mark.parametrize("proven", [True, False], ids=["checksum", "no checksum"])
def test_whichever_mirror_breaks_half_way_the_next_completes(
    broken: int, breaks: str, proven: bool, bench: Bench
) -> None:
    """Those before the broken one are dead from the start."""
    good = Thing(DATA)
    dead, given = status(500), list[int]()
    answers = [dead] * broken + [BREAKS[breaks](good)] + [good] * (3 - broken)

    def find(path: str) -> Answer:
        answer = answers[int(path[1:])]
        return lambda exchange: answer(Counting(exchange, given))

    with FaultServer(find) as server:
        urls = [f"{server.url}/{number}" for number in range(4)]
        fetched = bench(
            *urls, checksums=(sha256(DATA),) if proven else (), patience=Patience(tries_before_next=2)
        )
        assert server.asked(f"/{broken + 1}")[0].start == (HALF if proven else 0)
    assert bench.target.read_bytes() == DATA
    assert fetched.size == SIZE
    assert bench.received == (SIZE if proven else HALF + SIZE)


def test_a_mirror_with_another_file_is_found_out_by_the_checksum(bench: Bench) -> None:
    """Half of the file from one, the rest from another that holds a different file of the same size."""
    answers = {
        "/a": once_then(drop_after(HALF, Thing(DATA)), status(503)),
        "/b": Thing(OTHER),
        "/c": Thing(DATA),
    }
    with FaultServer(answers.get) as server:
        urls = [f"{server.url}/{name}" for name in "abc"]
        bench(*urls, checksums=(sha256(DATA),), patience=Patience(tries_before_next=2))
        assert server.asked("/b")[0].start == HALF
    assert bench.target.read_bytes() == DATA


def test_a_mirror_with_a_file_of_another_size_takes_nothing_of_the_part(bench: Bench) -> None:
    answers = {"/a": once_then(drop_after(HALF, Thing(DATA)), status(503)), "/b": Thing(LONGER)}
    with FaultServer(answers.get) as server:
        bench(f"{server.url}/a", f"{server.url}/b", checksums=(sha256(LONGER),))
    assert bench.target.read_bytes() == LONGER
