"""One file over several connections: faster where a server gives each little, and never a mixed file."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing
from datafetch.model import Why
from datafetch.store.journal import Part, Wrote, known, read
from datafetch.transfer.engine import Limits
from datafetch.transfer.pieces import Pieces
from datafetch.transfer.widen import Width
from tests.server import Ignoring, part, slice_as_whole, status
from tests.transfers import Bench, sha256

MIB = 1 << 20
DATA = random.Random(7).randbytes(8 * MIB + 12_345)
BIG = Thing(DATA)
NEW = Thing(random.Random(8).randbytes(8 * MIB + 12_345))
EAGER = Width(most=4, least_size=MIB, worth=0.01, round=0.06)
LINE = Limits(connect=2, low_speed_time=10, total=20)
PIECE, WAIT = 64 << 10, 0.008  # 8 MB/s for each connection


class Slow:
    """An honest server that gives each connection only so much; it counts the bytes it gave."""

    def __init__(self, thing: Thing = BIG) -> None:
        self.thing = thing
        self.sent = 0
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        code, body, headers = self.thing.rest(exchange.seen)
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            exchange.head(code, headers)
            for at in range(0, len(body), PIECE):
                exchange.raw(body[at : at + PIECE])
                with self._lock:
                    self.sent += len(body[at : at + PIECE])
                time.sleep(WAIT)
        finally:
            with self._lock:
                self.at_once -= 1


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, limits=LINE)


def ranged(slow: Answer, other: Callable[[int], Answer]) -> Answer:
    """`slow` for what is asked for from the beginning, `other` with the number of the request for a range."""
    count = iter(range(1_000_000))

    def answer(exchange: Exchange) -> None:
        (other(next(count)) if exchange.seen.start else slow)(exchange)

    return answer


def test_a_large_file_comes_over_several_connections_when_each_is_slow(bench: Bench) -> None:
    slow = Slow()
    with FaultServer(lambda path: slow) as server:
        fetched = bench(f"{server.url}/x", width=EAGER)
        assert {seen.headers.get("if-range") for seen in server.seen[1:]} == {BIG.headers["ETag"]}
    assert bench.target.read_bytes() == DATA
    assert fetched.sha256 == hashlib.sha256(DATA).hexdigest()
    assert 3 <= slow.most_at_once <= 4 + 1  # one that was left counts until the server notices
    assert slow.sent <= len(DATA) + 4 * MIB
    assert bench.received == len(DATA)
    assert [type(row) for row in read(bench.journal, Part | Wrote).rows] == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("thing", "width"),
    [
        (BIG, Width(most=1, least_size=MIB, worth=0.01, round=0.06)),
        (BIG, Width(least_size=100 * MIB, worth=0.01, round=0.06)),
        (BIG, Width(least_size=MIB, worth=100, round=0.03)),
        (Thing(DATA, etag='W/"weak"'), EAGER),
        (Thing(DATA, etag="", modified=0), EAGER),
    ],
    ids=["told so", "small", "soon here", "weak validator", "no validator"],
)
def test_one_connection_is_enough_when(thing: Thing, width: Width, bench: Bench) -> None:
    slow = Slow(Thing(DATA[: 3 * MIB], etag=thing.etag, modified=thing.modified))
    with FaultServer(lambda path: slow) as server:
        bench(f"{server.url}/x", width=width)
        assert len(server.seen) == 1
    assert bench.target.read_bytes() == DATA[: 3 * MIB]


def test_a_fast_line_is_left_to_one_connection(bench: Bench) -> None:
    with FaultServer(lambda path: BIG) as server:
        bench(f"{server.url}/x", width=Width(least_size=MIB))
        assert len(server.seen) == 1


def test_a_server_that_ignores_ranges_gives_one_stream(bench: Bench) -> None:
    answer = ranged(Slow(), lambda nth: Ignoring(BIG))
    with FaultServer(lambda path: answer) as server:
        bench(f"{server.url}/x", width=EAGER)
        assert len(server.seen) == 2
    assert bench.target.read_bytes() == DATA
    assert bench.received == len(DATA)


@pytest.mark.parametrize("code", [429, 503, 403, 500])
def test_a_server_that_takes_one_connection_only_gives_one_stream(code: int, bench: Bench) -> None:
    answer = ranged(Slow(), lambda nth: status(code))
    with FaultServer(lambda path: answer) as server:
        bench(f"{server.url}/x", width=EAGER)
        assert len(server.seen) == 2
        throttled = code in (429, 503)
        assert bench.hosts.places(server.url.removeprefix("http://")) == (2 if throttled else 4)
    assert bench.target.read_bytes() == DATA
    assert bench.received == len(DATA)


LIES = {
    "wrong offset": lambda: part(BIG, 100, len(DATA), len(DATA)),
    "wrong total": lambda: part(BIG, 100, len(DATA), len(DATA) + 5),
    "slice as whole": lambda: slice_as_whole(BIG),
    "416": lambda: status(416, Content_Range=f"bytes */{len(DATA)}"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_range_that_is_not_the_one_asked_for_is_not_written(
    lie: Callable[[], Answer], bench: Bench
) -> None:
    answer = ranged(Slow(), lambda nth: lie())
    with FaultServer(lambda path: answer) as server:
        bench(f"{server.url}/x", width=EAGER)
        assert len(server.seen) == 3  # and from then on, one stream
    assert bench.target.read_bytes() == DATA
    assert bench.whys() == [Why.CHANGED]


@pytest.mark.parametrize("tied", [True, False], ids=["said by 200", "said by the validator only"])
def test_a_file_that_changes_meanwhile_is_fetched_anew(tied: bool, bench: Bench) -> None:
    changed = threading.Event()

    def swapped(exchange: Exchange) -> None:
        if not exchange.seen.start:
            (new if changed.is_set() else old)(exchange)
            return
        changed.set()
        if tied:
            new(exchange)
        else:
            end = exchange.seen.stop or len(NEW.data)
            part(NEW, exchange.seen.start, end, len(NEW.data), ETag=str(NEW.headers["ETag"]))(exchange)

    old, new = Slow(), Slow(NEW)
    with FaultServer(lambda path: swapped) as server:
        bench(f"{server.url}/x", width=EAGER)
    assert bench.target.read_bytes() == NEW.data
    assert Why.CHANGED in bench.whys()


def test_a_connection_that_stalls_is_relieved_of_its_tail(bench: Bench) -> None:
    slow = Slow()

    def sticky(exchange: Exchange) -> None:
        exchange.head(206, BIG.rest(exchange.seen)[2])
        exchange.raw(DATA[exchange.seen.start :][:1000])
        time.sleep(0.5)
        exchange.body(DATA[exchange.seen.start + 1000 : exchange.seen.stop])

    answer = ranged(slow, lambda nth: sticky if nth == 0 else slow)
    with FaultServer(lambda path: answer) as server:
        bench(f"{server.url}/x", width=EAGER)
    assert bench.target.read_bytes() == DATA
    assert bench.received == len(DATA)


def held(bench: Bench) -> int:
    row, wrote = known(bench.journal).part, known(bench.journal).wrote
    if row is None:
        return 0
    pieces = Pieces((*row.durable, *((w.start, w.end, w.crc) for w in wrote)))
    return sum(end - start for start, end in pieces.spans())


class Held(Slow):
    """Gives what is asked for from the beginning until another connection helps, and then no more of it."""

    def __init__(self) -> None:
        super().__init__()
        self.helped, self.go_on = threading.Event(), threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        if exchange.seen.start:
            self.helped.set()
            super().__call__(exchange)
            return
        _, body, headers = self.thing.rest(exchange.seen)
        exchange.head(200, headers)
        for at in range(0, len(body), PIECE):
            if self.helped.is_set():
                self.go_on.wait(20)
                exchange.hang_up()
                return
            exchange.raw(body[at : at + PIECE])
            time.sleep(6 * WAIT)


def test_cancelling_keeps_what_every_connection_brought(bench: Bench) -> None:
    """Its server holds a gap open: on a busy machine half of the file came before another connection did."""
    slow = Held()

    async def cut(url: str) -> None:
        task = asyncio.create_task(bench.run(url, width=EAGER))
        while not slow.helped.is_set():
            await asyncio.sleep(0.01)
        enough = bench.received + MIB // 2
        while bench.received < enough:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.go_on.set()

    with FaultServer(lambda path: slow) as server:
        asyncio.run(cut(f"{server.url}/x"))
        row = known(bench.journal).part
        assert row is not None
        assert len(row.durable) > 1
        assert sum(end - start for start, end, _ in row.durable) == bench.received
        bench(f"{server.url}/x", width=EAGER)
    assert bench.target.read_bytes() == DATA
    assert bench.received == len(DATA)


def killed(bench: Bench, url: str, after: int) -> None:
    """A process that fetches and is killed once its journal tells of so many bytes."""
    script = (
        "import sys, pathlib, tests.transfers as t, tests.test_transfer_ranges as r;"
        "t.Bench(pathlib.Path(sys.argv[1]), limits=r.LINE)(sys.argv[2], width=r.EAGER)"
    )
    words = [sys.executable, "-c", script, str(bench.folder), url]
    child = subprocess.Popen(words, cwd=Path(__file__).parents[1])
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until and held(bench) < after:
            time.sleep(0.005)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def test_a_killed_process_costs_no_more_than_a_mebibyte_of_each_connection(bench: Bench) -> None:
    slow = Slow()
    with FaultServer(lambda path: slow) as server:
        killed(bench, f"{server.url}/x", 3 * MIB)
        assert held(bench) < len(DATA)
        bench(f"{server.url}/x", width=EAGER)
        # What the first run had, or had been sent, and what the second fetched, from the server's side.
        assert slow.sent <= len(DATA) + 4 * MIB
    assert bench.target.read_bytes() == DATA


def test_after_a_power_cut_only_synced_spans_count(bench: Bench) -> None:
    slow = Slow()
    with FaultServer(lambda path: slow) as server:
        killed(bench, f"{server.url}/x", 3 * MIB)
        row = known(bench.journal).part
        assert row is not None
        lines = bench.journal.read_text().replace(row.boot, "another boot")
        bench.journal.write_text(lines)
        with bench.part.open("r+b") as file:  # the rest never reached the disk
            for start, end in _unsynced(row):
                file.seek(start)
                file.write(bytes(end - start))
        bench(f"{server.url}/x", width=EAGER)
    assert bench.target.read_bytes() == DATA


def _unsynced(row: Part) -> list[tuple[int, int]]:
    found, at = [], 0
    for start, end, _ in (*row.durable, (len(DATA), len(DATA), 0)):
        found.append((at, start))
        at = end
    return found


def test_a_part_with_gaps_is_dropped_when_the_file_has_changed(bench: Bench) -> None:
    slow = Slow()
    with FaultServer(lambda path: slow) as server:
        killed(bench, f"{server.url}/x", 3 * MIB)
        slow.thing = NEW
        bench(f"{server.url}/x", width=EAGER)
    assert bench.target.read_bytes() == NEW.data


def test_a_part_with_gaps_goes_on_at_a_mirror_when_a_checksum_proves_it(bench: Bench) -> None:
    slow, mirror = Slow(), Slow(Thing(DATA, etag='"another"'))
    with FaultServer({"/x": slow, "/m": mirror}.get) as server:
        killed(bench, f"{server.url}/x", 3 * MIB)
        bench(f"{server.url}/m", width=EAGER, checksums=(sha256(DATA),))
        assert slow.sent + mirror.sent <= len(DATA) + 4 * MIB
    assert bench.target.read_bytes() == DATA


def test_a_disk_that_fails_under_a_helper_ends_the_transfer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwritev

    def full(fd: int, buffers: list[bytes], offset: int) -> int:
        if offset > 3 * MIB:
            raise OSError(28, os.strerror(28))
        return real(fd, buffers, offset)

    with FaultServer(lambda path: Slow()) as server:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", full)
            assert bench.fails(f"{server.url}/x", width=EAGER).exit_code == 12
        bench(f"{server.url}/x", width=EAGER)
    assert bench.target.read_bytes() == DATA


def test_no_place_of_the_host_is_kept(bench: Bench) -> None:
    slow = Slow()
    with FaultServer(lambda path: slow) as server:
        bench(f"{server.url}/x", width=EAGER)
        host = server.url.removeprefix("http://")
        assert [bench.hosts.spare(host) for _ in range(5)] == [True] * 4 + [False]


def test_ports_of_one_file_are_as_many_as_connections(bench: Bench) -> None:
    slow = Slow()
    with FaultServer(lambda path: slow) as server:
        bench(f"{server.url}/x", width=Width(2, MIB, 0.01, 0.06))
        assert slow.most_at_once <= 2 + 1
        ports = Counter(seen.port for seen in server.seen)
        assert len(ports) < max(3, len(server.seen))  # and they are used again
