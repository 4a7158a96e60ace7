"""Worker processes of a list: any of them may die at any moment, or its supervisor, and no row is lost for it."""

from __future__ import annotations

import errno
import io
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from process import start
from test_images_batches import ARTIFACT, Bench, Pictures, counts, picture
from tiny import get, recipe

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing, status
from datafetch.images.ledger import Settled, batch_files
from datafetch.images.rows import BadRow, Row
from datafetch.model import Outcome
from datafetch.store.home import Home
from datafetch.store.journal import read

LIST = """
  - name: pictures
    url_list: {file: index, read: lines, keys: [link], url: "<link>", save_as: "<row>.png", check: image}
"""
WIDE = ("--allow-private", "-j", "8", "-x", "8")


@pytest.fixture
def server() -> Iterator[Pictures]:
    with Pictures() as made:
        yield made


@pytest.fixture
def bench(tmp_path: Path, server: Pictures) -> Bench:
    return Bench(tmp_path, server)


def children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def kill_workers(_: object = None) -> None:
    for pid in children(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def killing(times: int, then: Answer) -> Answer:
    """Kills every worker, so often; then answers."""
    left = iter(range(times))

    def answer(exchange: Exchange) -> None:
        if next(left, None) is not None:
            kill_workers()
            exchange.hang_up()
        else:
            then(exchange)

    return answer


# --- A worker dies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])
def test_a_killed_worker_loses_no_row_and_is_replaced(bench: Bench, server: Pictures, times: int) -> None:
    names = [f"{number}" for number in range(300)]
    server.answers["/150"] = killing(times, Thing(picture("/150")))
    assert counts(bench(server.rows(*names))) == {Outcome.OK: 300}
    assert bench.tree() == {f"set/{at}.png": picture(f"/{name}") for at, name in enumerate(names, 1)}
    assert sum("SIGKILL" in event.text for event in bench.events if event.kind == "note") >= times
    assert not children(os.getpid())


def test_a_row_that_kills_three_workers_has_failed_and_no_other(bench: Bench, server: Pictures) -> None:
    server.answers["/20"] = killing(1000, Thing(b""))
    done = bench(server.rows(*(f"{number}" for number in range(60))))
    assert done.dropped == {Outcome.FAILED: {"unknown": 1}} and len(done.records) == 59
    assert server.hits["/20"] == 3
    assert "SIGKILL" in bench.rows()[21].text


def test_a_picture_that_takes_too_long_is_rejected_with_its_worker(bench: Bench, server: Pictures) -> None:
    with io.BytesIO() as file:
        Image.new("L", (13_000, 13_000)).save(file, "PNG", compress_level=1)  # half a second of work
        server.answers["/a"] = Thing(file.getvalue())
    assert bench(server.rows("a"), decode=0.1).dropped == {Outcome.REJECTED: {"not an image": 1}}
    assert "could not be decoded within" in bench.rows()[1].text
    assert not children(os.getpid()) and not bench.tree()


def test_a_process_that_cannot_be_started_is_done_without(
    bench: Bench, server: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit of a user's processes the second could not be started, and the run ended with the first at work."""
    first, begin = [True], subprocess.Popen

    def popen(*args: Any, **how: Any) -> Any:
        if first:
            first.clear()
            return begin(*args, **how)
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", popen)
    opened = len(os.listdir("/proc/self/fd"))
    assert counts(bench(server.rows(*(f"{number}" for number in range(200))))) == {Outcome.OK: 200}
    said = [event.text for event in bench.events if event.kind == "note"]
    assert said == ["a worker process: Resource temporarily unavailable; 1 go on"]
    until = time.monotonic() + 10  # the server, in a thread of this process, closes its end when it likes
    while len(os.listdir("/proc/self/fd")) > opened and time.monotonic() < until:
        time.sleep(0.01)
    assert len(os.listdir("/proc/self/fd")) == opened


# --- The supervisor dies, or is told to stop ----------------------------------------------------------------

PICTURES = {f"/{number}.png": picture(f"{number}") for number in range(400)}


class Counted(FaultServer):
    """The pictures and their list; `at` is called with the number of pictures asked for."""

    def __init__(self, at: Callable[[int], None]) -> None:
        self.at = at
        self._lock = threading.Lock()
        self._count = 0
        super().__init__(self._find)

    def _find(self, path: str) -> Answer | None:
        if path == "/index":
            return Thing("".join(f"{self.url}{name}\n" for name in PICTURES).encode(), kind="text/plain")
        with self._lock:
            self._count += 1
            self.at(self._count)
        return Thing(PICTURES[path])


@pytest.mark.parametrize(
    ("number", "code", "seed"),
    [
        *((signal.SIGKILL, -9, seed) for seed in range(4)),
        (signal.SIGINT, 130, 4),
        (signal.SIGTERM, 143, 5),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_a_run_that_is_ended_leaves_no_process_and_the_next_goes_on(
    tmp_path: Path, number: signal.Signals, code: int, seed: int
) -> None:
    stop_at, workers = random.Random(seed).randrange(20, 380), []
    running: list[int] = []

    def end(count: int) -> None:
        if count == stop_at:
            workers.extend(children(running[0]))
            os.kill(running[0], number)

    with Counted(end) as server:
        named = recipe(tmp_path, {"index": f"{server.url}/index"}, LIST)
        with start(("get", *named, "-o", "out", "--json", *WIDE), tmp_path) as process:
            running.append(process.pid)
            process.communicate(timeout=60)
        until = time.monotonic() + 1
        while any(map(alive, workers)) and time.monotonic() < until:
            time.sleep(0.01)
        assert process.returncode == code and workers and not any(map(alive, workers))
        journal = Home(tmp_path / "out", "tiny").batches("pictures")
        rows = [row for path in batch_files(journal) for row in read(path, Settled).rows]
        ok = {row.url.removeprefix(server.url) for row in rows if row.outcome is Outcome.OK}
        if number is not signal.SIGKILL:
            assert len(ok) >= stop_at - 8
        server.at = lambda count: None
        before = -1
        while before < len(server.seen):  # what a killed worker had sent may still be read
            before = len(server.seen)
            time.sleep(0.05)
        rest = get(tmp_path, {"index": f"{server.url}/index"}, *WIDE, more=LIST)
        asked = [seen.path for seen in server.seen[before:] if seen.path.endswith(".png")]
    assert rest.code == 0 and rest.report["counts"]["ok"] == 401, rest.err
    assert set(asked) == PICTURES.keys() - ok and len(asked) == len(set(asked))
    tree = {path.name: path.read_bytes() for path in (tmp_path / "out/tiny/pictures").iterdir()}
    assert tree == {f"{at}.png": data for at, data in enumerate(PICTURES.values(), 1)}


# --- Hosts --------------------------------------------------------------------------------------------------


def test_a_slow_host_holds_up_no_other(bench: Bench, server: Pictures) -> None:
    """The slow host answers only when all of the others have: whoever waits for it waits for ever."""
    others_done = threading.Event()
    late: list[bool] = []

    def slow(path: str) -> Answer:
        def answer(exchange: Exchange) -> None:
            late.append(not others_done.wait(20))
            Thing(picture(path))(exchange)

        return answer

    def fast(path: str) -> Answer:
        def answer(exchange: Exchange) -> None:
            Thing(picture(path))(exchange)
            if server.hits.total() == 200:
                others_done.set()

        return answer

    server.answers |= {f"/{number}": fast(f"/{number}") for number in range(200)}
    with FaultServer(slow) as crawling:
        rows: list[Row | BadRow] = [
            Row(at, {"id": f"{at}", "link": f"{crawling.url}/{at}"}) for at in range(1, 41)
        ]
        rows += [Row(at + 41, {"id": f"{at + 41}", "link": f"{server.url}/{at}"}) for at in range(200)]
        assert counts(bench(rows, artifact=ARTIFACT, jobs=16, total=60)) == {Outcome.OK: 240}
    assert not any(late)


def test_places_of_a_host_are_shared_by_all_workers(bench: Bench, server: Pictures) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def answer(exchange: Exchange) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.002)
        with lock:
            now[0] -= 1
        Thing(picture("/x"))(exchange)

    server.answers |= {f"/{number}": answer for number in range(300)}
    done = bench(server.rows(*(f"{number}" for number in range(300))), jobs=64, processes=3)
    assert counts(done) == {Outcome.OK: 300}
    assert 1 < most[0] <= 8


# --- Memory -------------------------------------------------------------------------------------------------

ROWS = 200_000
MOST = 300 << 20  # bytes, of all processes together


def memory(pid: int) -> int:
    """Bytes of a process and those it started; pages that they share are counted once."""
    total = 0
    for each in (pid, *children(pid)):
        with suppress(OSError):
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def test_a_list_of_200_000_rows_fits_into_300_mib_with_all_its_processes(tmp_path: Path) -> None:
    """Most rows repeat the address of a picture that is gone; all have a state of their own."""
    with FaultServer(lambda path: Thing(index) if path == "/index" else status(404)) as server:
        index = b"".join(f"{server.url}/{row % 500}.png\n".encode() for row in range(ROWS))
        named = recipe(tmp_path, {"index": f"{server.url}/index"}, LIST)
        peak = 0
        with start(("get", *named, "-o", "out", "-q", *WIDE), tmp_path) as process:
            while process.poll() is None:
                peak = max(peak, memory(process.pid))
                time.sleep(0.1)
        assert process.returncode == 6
    journal = Home(tmp_path / "out", "tiny").batches("pictures")
    assert sum(len(read(path, Settled).rows) for path in batch_files(journal)) == ROWS
    print(f"peak {peak >> 20} MiB")
    assert peak < MOST
