"""Limits of a run: bytes to the last one, seconds, files at once, and patience with a server that hardly sends."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from pathlib import Path

import pytest
from tiny import get

from datafetch.demo.pictures import photo, scene
from datafetch.demo.server import Answer, Exchange, FaultServer, Thing, drop_after, first, status
from datafetch.errors import TransferLimit
from datafetch.model import Event, Settings, Why
from datafetch.store.journal import Journal
from datafetch.transfer.hosts import Hosts
from datafetch.transfer.http import client
from datafetch.transfer.meter import Meter
from datafetch.transfer.pool import fetch
from datafetch.transfer.retry import Drip, Ground, Patience
from datafetch.transfer.wanted import Wanted, Ways
from tests.server import BODY, serve, silent, slow
from tests.test_transfer_ranges import DATA as MANY
from tests.test_transfer_ranges import EAGER, LINE, Slow
from tests.transfers import Bench, Time

FILES = {f"f{number}": random.Random(number).randbytes(700_000) for number in range(6)}
OPEN = ("--allow-private", "-v")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class Counting:
    """Honest answers, given slowly enough to overlap; counts how many are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = 0

    def __call__(self, path: str) -> Answer | None:
        data = FILES.get(path.strip("/"))
        return None if data is None else lambda exchange: self._answer(exchange, Thing(data))

    def _answer(self, exchange: Exchange, thing: Thing) -> None:
        code, body, headers = thing.rest(exchange.seen)
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            exchange.head(code, headers)
            for at in range(0, len(body), 100_000):
                time.sleep(0.02)
                exchange.raw(body[at : at + 100_000])
        finally:
            with self._lock:
                self.now -= 1


# --- --max-transfer -----------------------------------------------------------------------------------------


def test_a_meter_gives_what_is_left_to_the_last_byte() -> None:
    meter = Meter(10)
    assert meter.take([b"abc", b"defg"]) == [b"abc", b"defg"]
    assert meter.take([b"hi", b"jkl"]) == [b"hij"]
    assert meter.take([]) == []  # the end of a body
    for beyond in (meter.check, lambda: meter.take([b"x"])):
        with pytest.raises(TransferLimit):
            beyond()


def test_without_a_limit_nothing_is_counted() -> None:
    meter = Meter()
    batch = [b"x" * 100]
    assert meter.take(batch) is batch
    meter.check()


@pytest.mark.parametrize("jobs", [1, 4])
def test_max_transfer_takes_no_byte_too_many_and_the_next_run_goes_on(jobs: int, tmp_path: Path) -> None:
    """It overshot by what came between two counts, which was most of a second of a fast line."""
    with FaultServer(lambda path: Thing(FILES[path.strip("/")])) as server:
        urls = {name: f"{server.url}/{name}" for name in FILES}
        ended = get(tmp_path, urls, *OPEN, "--max-transfer", "1M", "-j", str(jobs))
        assert (ended.code, ended.report["problems"][-1]["why"]) == (8, "limit"), ended.err
        first = ended.report["bytes"]["transferred"]
        assert first <= 1_000_000
        if jobs == 1:
            assert first == 1_000_000
        rest = get(tmp_path, urls, *OPEN)
    assert rest.code == 0, rest.err
    assert first + rest.report["bytes"]["transferred"] == 6 * 700_000, "what had come is not fetched again"


def test_a_run_that_needs_just_what_is_allowed_is_complete(tmp_path: Path) -> None:
    with FaultServer(lambda path: Thing(FILES["f0"])) as server:
        ended = get(tmp_path, {"a": f"{server.url}/a"}, *OPEN, "--max-transfer", "700000")
    assert ended.code == 0, ended.err


def test_max_transfer_holds_for_several_connections_of_one_file(tmp_path: Path) -> None:
    bench, wide, several = Bench(tmp_path, limits=LINE), {"width": EAGER}, Slow()
    most = 3_000_000
    with FaultServer(lambda path: several) as server:
        with pytest.raises(TransferLimit):
            bench(f"{server.url}/x", settings={"max_transfer": most}, **wide)
        assert most - 65536 * 4 <= bench.received <= most
        assert several.most_at_once > 1
        bench(f"{server.url}/x", **wide)
    assert bench.received == len(MANY)
    assert bench.target.read_bytes() == MANY


LIST = """
  - name: pictures
    url_list: {file: index, read: lines, keys: [link], url: "<link>", save_as: "<row>.png", check: image}
"""


def test_max_transfer_counts_the_pictures_of_a_list(tmp_path: Path) -> None:
    pictures = {f"/{number}.png": photo(scene(f"{number}", "disc")) for number in range(60)}
    table: dict[str, Answer] = {path: Thing(data) for path, data in pictures.items()}
    with FaultServer(table.get) as server:
        index = "".join(f"{server.url}{path}\n" for path in pictures).encode()
        table["/index"] = Thing(index, kind="text/plain")
        most = len(index) + sum(map(len, pictures.values())) // 2
        urls = {"index": f"{server.url}/index"}
        ended = get(tmp_path, urls, *OPEN, "--max-transfer", str(most), more=LIST)
        assert ended.code == 8, ended.err
        assert 0 < ended.report["bytes"]["transferred"] <= most
        rest = get(tmp_path, urls, *OPEN, more=LIST)
    assert rest.code == 0, rest.err
    assert ended.report["bytes"]["transferred"] + rest.report["bytes"]["transferred"] >= len(index)
    assert rest.report["counts"]["ok"] == 61


# --- --max-duration -----------------------------------------------------------------------------------------


def test_max_duration_is_kept_to_a_second_and_the_next_run_goes_on(tmp_path: Path) -> None:
    half = len(FILES["f0"]) // 2
    thing = Thing(FILES["f0"])

    def stalls(exchange: Exchange) -> None:
        exchange.head(*thing.rest(exchange.seen)[::2])
        exchange.body(thing.data[:half])
        silent(exchange)

    answers: list[Answer] = [thing, stalls]
    with FaultServer(lambda path: answers.pop()) as server:
        url = {"a": f"{server.url}/a"}
        ended = get(tmp_path, url, *OPEN, "--max-duration", "1s")
        assert ended.code == 10, ended.err
        assert 1 <= ended.report["seconds"] <= 2
        rest = get(tmp_path, url, *OPEN)
    assert rest.code == 0, rest.err
    assert rest.report["bytes"]["transferred"] == len(thing.data) - half


# --- --jobs -------------------------------------------------------------------------------------------------

SHARDS = """
  - {name: a, shards: ["URL/f0", "URL/f1", "URL/f2"], checksums: unknown}
  - {name: b, shards: ["URL/f3", "URL/f4", "URL/f5"], checksums: unknown}
"""


def test_jobs_bounds_artifacts_and_their_shards_together(tmp_path: Path) -> None:
    """Each artifact had places of its own for its shards: jobs times jobs."""
    counting = Counting()
    with FaultServer(counting) as server:
        ended = get(tmp_path, {}, *OPEN, "-j", "2", "-x", "16", more=SHARDS.replace("URL", server.url))
    assert ended.code == 0, ended.err
    assert counting.most == 2


# --- Patience -----------------------------------------------------------------------------------------------

INSISTS = Patience(tries=4, tries_before_next=2, floor=1000, window=10)


def test_progress_is_real_from_a_hundredth_of_the_file_or_a_mebibyte() -> None:
    assert not Ground(0, INSISTS).gained(999, 100_000, 0.1)
    assert Ground(0, INSISTS).gained(1000, 100_000, 0.1)
    assert not Ground(0, INSISTS).gained((1 << 20) - 1, 10**10, 0.1)
    assert Ground(0, INSISTS).gained(1 << 20, 10**10, 0.1)
    assert not Ground(0, INSISTS).gained(0, 10, 0.0)


def test_progress_below_the_floor_is_none_however_much_it_adds_up_to() -> None:
    ground = Ground(0, INSISTS)
    assert not any(ground.gained(try_ * 5000, 100_000, 10) for try_ in range(1, 20))


def test_progress_in_small_steps_adds_up() -> None:
    ground = Ground(0, INSISTS)
    assert [ground.gained(held, 100_000, 0.1) for held in (400, 800, 1200, 1600)] == [
        False,
        False,
        True,
        False,
    ]


def test_what_is_fetched_again_is_no_progress() -> None:
    ground = Ground(50_000, INSISTS)
    assert not ground.gained(40_000, 100_000, 0.1)
    assert not ground.gained(50_500, 100_000, 0.1)


def test_a_window_below_the_floor_is_too_slow() -> None:
    drip = Drip(0, 100.0, INSISTS)
    assert not drip.too_slow(1, 109.9)
    assert drip.too_slow(9_999, 110.0)
    drip = Drip(0, 100.0, INSISTS)
    assert not drip.too_slow(10_000, 110.0)
    assert not drip.too_slow(10_001, 119.0)
    assert drip.too_slow(10_001, 120.0)


def test_a_share_of_a_small_allowance_is_not_held_against_a_server() -> None:
    assert Patience().at_rate(6400).floor == 100
    assert Patience().at_rate(10**9).floor == Patience().floor == Patience().at_rate(None).floor


def test_retries_count_after_the_first_try() -> None:
    assert (Patience().insisting(0).tries, Patience().insisting(0).tries_before_next) == (1, 1)
    assert (Patience().insisting(9).tries, Patience().insisting(9).tries_before_next) == (10, 3)
    assert Patience().insisting(None) == Patience()


def test_a_server_that_sends_a_little_and_drops_holds_no_run(bench: Bench) -> None:
    """Any byte that arrived gave it new patience: this went on for as long as the file was long."""
    thing = Thing(random.Random(9).randbytes(2_000_000))
    with FaultServer(lambda path: drop_after(2048, thing)) as server:
        failed = bench.fails(f"{server.url}/x")
        assert failed.why is Why.SHORT  # type: ignore[attr-defined]
        assert len(server.seen) <= 4 * (2_000_000 // 20_000)
        assert len(server.seen) == 4
    assert bench.part.stat().st_size == 4 * 2048


def test_a_server_that_drips_above_the_least_speed_holds_no_run(bench: Bench) -> None:
    """1,500 bytes a second pass libcurl's least speed for ever."""
    patience = Patience(tries=2, window=0.4)
    began = time.monotonic()
    with FaultServer(lambda path: slow(150, 0.1)) as server:
        failed = bench.fails(f"{server.url}/x", patience=patience)
        assert failed.why is Why.TOO_SLOW  # type: ignore[attr-defined]
        assert "8192 bytes a second" in str(failed)
        assert len(server.seen) == 2
    assert time.monotonic() - began < 5
    assert bench.part.stat().st_size > 0


def test_a_body_that_nobody_gave_a_length_ends_at_the_size_of_the_recipe(bench: Bench) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.head(200, {"Transfer-Encoding": "chunked"})
        for _ in range(10_000):
            exchange.raw(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with FaultServer(lambda path: endless) as server:
        failed = bench.fails(f"{server.url}/x", size=1_000_000)
        assert failed.why is Why.TOO_LARGE  # type: ignore[attr-defined]
        assert len(server.seen) == 1
    assert bench.received == 1_000_000


def test_retries_shortens_patience(tmp_path: Path) -> None:
    with FaultServer(lambda path: status(503)) as server:
        url = {"a": f"{server.url}/a"}
        for retries in (0, 1):
            before = len(server.seen)
            ended = get(tmp_path, url, *OPEN, "--retries", f"{retries}")
            assert (ended.code, ended.report["problems"][0]["why"]) == (5, "throttled")
            assert len(server.seen) - before == retries + 1


def test_a_failure_tells_of_every_address_that_was_asked(bench: Bench) -> None:
    """A mirror's 404 went unsaid when the origin could not be found."""
    with serve() as server:
        gone = f"{server.url}/gone"
        failed = bench.fails(gone, "http://nowhere.invalid/x", patience=Patience(tries=1))
        assert failed.why is Why.DNS  # type: ignore[attr-defined]
        assert "nowhere.invalid" in str(failed)
        assert "404" in str(failed)
        assert server.url.removeprefix("http://") in str(failed)


@pytest.mark.parametrize("code", [420, 429, 503])
@pytest.mark.parametrize(
    ("header", "waited"),
    {
        "7": 7.0,
        "1000000000": 60.0,
        "Wed, 21 Oct 2099 07:28:00 GMT": 60.0,
        "Wed, 21 Oct 2015 07:28:00 GMT": 0.0,
        "-5": 0.0,
        "1e9": 0.0,
        "soon": 0.0,
        "": 0.0,
    }.items(),
)
def test_whatever_retry_after_says_the_wait_has_an_end(
    code: int, header: str, waited: float, bench: Bench
) -> None:
    answer = first(1, status(code, Retry_After=header), Thing(BODY))
    with FaultServer(lambda path: answer) as server:
        bench(f"{server.url}/x")
        assert bench.hosts.places(server.url.removeprefix("http://")) == 2
    assert sum(bench.time.slept) == waited  # our own back-off is nil in these tests


# --- Hosts --------------------------------------------------------------------------------------------------


class Asleep(Time):
    """Whoever sleeps does so until `wake`."""

    def __init__(self) -> None:
        super().__init__()
        self.wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        due = self.now + seconds
        await self.wake.wait()
        self.now = max(self.now, due)


def test_a_429_on_one_file_slows_its_host_for_all(tmp_path: Path) -> None:
    """Over the wire, by the clock of the run: after the complaint nobody asks until its time is over."""
    asked: list[tuple[str, float]] = []

    async def run() -> None:
        asleep, events = Asleep(), list[Event]()
        hosts = Hosts(4, asleep.clock, asleep.sleep)

        def find(path: str) -> Answer:
            asked.append((path, asleep.now))
            return status(429, Retry_After="50") if len(asked) == 1 else Thing(BODY)

        with FaultServer(find) as server:
            async with client(Settings(root="/", allow_private=True)) as http:
                ways = Ways(http, hosts, events.append, chance=lambda: 0.0)

                async def one(name: str) -> None:
                    part, target = tmp_path / f"{name}.part", tmp_path / name
                    wanted = Wanted(name, (f"{server.url}/{name}",), part, target, name)
                    await fetch(wanted, ways, Journal(tmp_path / f"{name}.jsonl"))

                tasks = [asyncio.create_task(one("a"))]
                while not asleep.slept:
                    await asyncio.sleep(0.001)
                tasks += [asyncio.create_task(one(name)) for name in "bcd"]
                while len(asleep.slept) < 2:  # one more: the complaint has halved the four places
                    await asyncio.sleep(0.001)
                assert asked == [("/a", 1000.0)]
                assert set(asleep.slept) == {50.0}
                assert hosts.places(server.url.removeprefix("http://")) == 2
                asleep.wake.set()
                await asyncio.gather(*tasks)

    asyncio.run(run())
    assert sorted(path for path, _ in asked) == ["/a", "/a", "/b", "/c", "/d"]
    assert all(when >= 1050 for _, when in asked[1:])
