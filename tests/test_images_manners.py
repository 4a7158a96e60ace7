"""Manners of a list towards its hosts, from end to end: counts are those of the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from datafetch.demo.server import first
from datafetch.model import Outcome, Why
from datafetch.transfer.remembered import load
from tests.server import Exchange, Thing, redirect, status
from tests.tempers import Bucket
from tests.test_images_batches import Bench, Pictures, counts, picture


@pytest.fixture
def server() -> Iterator[Pictures]:
    with Pictures() as made:
        yield made


@pytest.fixture
def bench(tmp_path: Path, server: Pictures) -> Bench:
    return Bench(tmp_path, server)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A picture with headers of its own."""

    headers: dict[str, str | int] = field(default_factory=dict)

    def __call__(self, exchange: Exchange) -> None:
        exchange.send(200, picture("/a"), **self.headers)


ROBOTS = Thing(b"User-agent: *\nDisallow: /private/\n", "text/plain")


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Robots_Tag": "noai, noimageai"},
        {"X_Robots_Tag": "datafetch: noai"},
        {"TDM_Reservation": "1"},
    ],
)
def test_a_picture_whose_host_opts_out_is_recorded_and_not_kept(
    bench: Bench, server: Pictures, headers: dict[str, str | int]
) -> None:
    server.answers["/no"] = Tagged(headers)
    done = bench(server.rows("yes", "no"))
    assert counts(done) == {Outcome.OK: 1, Outcome.REJECTED: 1}
    assert bench.rows()[2].why == Why.OPTED_OUT
    assert len(bench.tree()) == 1
    assert server.hits == {"/yes": 1, "/no": 1}  # asked once and not insisted on
    bench(server.rows("yes", "no"))
    assert server.hits == {"/yes": 1, "/no": 1}  # nor by each run
    again = bench(server.rows("yes", "no"), ignore_opt_out=True)
    assert counts(again) == {Outcome.OK: 2}


def test_what_robots_txt_forbids_is_never_asked_for(bench: Bench, server: Pictures) -> None:
    server.answers["/robots.txt"] = ROBOTS
    done = bench(server.rows("private/a", "b", "private/c"))
    assert counts(done) == {Outcome.OK: 1, Outcome.REJECTED: 2}
    assert bench.rows()[1].why == Why.OPTED_OUT
    assert server.hits == {"/b": 1}
    assert len(server.asked("/robots.txt")) == 1
    again = bench(server.rows("private/a", "b", "private/c"), ignore_opt_out=True)
    assert counts(again) == {Outcome.OK: 3}
    assert len(server.asked("/robots.txt")) == 1  # who overrules it need not ask


def test_a_host_whose_robots_txt_fails_is_asked_three_times_and_forbids_nothing(
    bench: Bench, server: Pictures
) -> None:
    server.answers["/robots.txt"] = status(500)
    assert counts(bench(server.rows("a", "b"))) == {Outcome.OK: 2}
    assert len(server.asked("/robots.txt")) == 3


def test_a_robots_txt_that_comes_at_the_second_try_counts(bench: Bench, server: Pictures) -> None:
    server.answers["/robots.txt"] = first(1, status(503), ROBOTS)
    assert counts(bench(server.rows("private/a", "b"))) == {Outcome.OK: 1, Outcome.REJECTED: 1}


def test_robots_txt_is_found_behind_a_redirect(bench: Bench, server: Pictures) -> None:
    server.answers |= {"/robots.txt": redirect("/real.txt"), "/real.txt": ROBOTS}
    assert counts(bench(server.rows("private/a"))) == {Outcome.REJECTED: 1}


class Limited(Pictures):
    """Pictures at so many a second; robots.txt is free."""

    def __init__(self, rate: float, burst: float) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.bucket = Bucket(rate, burst)
        self.served: list[float] = []
        self.refused = 0
        self.answers["/robots.txt"] = status(404)

    def answer(self, exchange: Exchange) -> None:
        with self.lock:
            now = time.monotonic()
            served = self.bucket(now, 0)
            self.refused += not served
            if served:
                self.served.append(now)
        exchange.send(200, picture("/a")) if served else exchange.send(429)


def test_a_list_from_a_host_with_a_limit_is_refused_little_and_learned(tmp_path: Path) -> None:
    rows, rate = 2000, 100.0
    with Limited(rate, 10.0) as server:
        server.answers |= {f"/{number}": server.answer for number in range(rows)}
        bench = Bench(tmp_path, server)
        learned = tmp_path / "hosts.json"
        done = bench(
            server.rows(*(str(number) for number in range(rows))), jobs=64, total=60.0, learned=learned
        )
        spent = server.served[-1] - server.served[0]
        print(f"{rows} rows in {spent:.1f} s, {server.refused} refused")
        assert counts(done) == {Outcome.OK: rows}
        assert server.refused <= 0.01 * (rows + server.refused)
        # How much of the rate is used depends on how soon this machine wakes: the models measure that.
        (known,) = load(learned, time.time()).values()
        assert known.rate is not None and known.rate <= 1.2 * rate
