"""A hundred runs of one dataset at once: one does the work, as the server counts it, the others leave at once."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from disklayer import Spec
from warm import Run, Warm
from worlds import State, look, unpacking

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing

STARTS = 100
WORLD = unpacking(members=4, large=20_000)


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Warm]:
    with Warm(tmp_path / "said") as made:
        yield made


class Gate:
    """A server of the world that answers nobody before it is opened."""

    def __init__(self) -> None:
        self.open, self.asked = threading.Event(), threading.Event()
        self.server = FaultServer(self._find)

    def _find(self, path: str) -> Answer | None:
        data = WORLD.files.get(path.removeprefix("/proof.invalid/"))
        if data is None:
            return None

        def answer(exchange: Exchange) -> None:
            self.asked.set()
            self.open.wait(60)
            Thing(data)(exchange)

        return answer


def starts(warm: Warm, gate: Gate, folder: Path, layer: str = "") -> list[Run]:
    """All of them, ended; the gate opens when nobody is left but the one at work."""
    words = WORLD.words(folder, gate.server.url)
    left = threading.Semaphore(0)
    runs = [warm.start(*words, cwd=folder, layer=layer) for _ in range(STARTS)]

    def watch(run: Run) -> None:
        run.over.wait(60)
        left.release()

    for run in runs:
        threading.Thread(target=watch, args=(run,), daemon=True).start()
    for _ in range(STARTS - 1):
        assert left.acquire(timeout=60)
    gate.open.set()
    return [run.wait() for run in runs]


@pytest.mark.parametrize(
    ("before", "locks"),
    [("nothing", True), ("a dead owner", False)],
    ids=["nothing before", "a dead owner, and flock does nothing"],
)
def test_of_a_hundred_starts_one_does_the_work(tmp_path: Path, warm: Warm, before: str, locks: bool) -> None:
    folder = tmp_path / "case"
    WORLD.begin(folder, random.Random(0))
    gate = Gate()
    with gate.server as server:
        if before == "a dead owner":
            first = warm.start(*WORLD.words(folder, server.url), cwd=folder)
            assert gate.asked.wait(60)
            first.kill()
            first.wait()
            assert (folder / "out/.datafetch/proof/lease").exists()
        asked = len(server.seen)
        runs = starts(warm, gate, folder, "" if locks else Spec(str(folder), no_locks=True).dump())
        paths = [seen.path for seen in server.seen[asked:]]
    assert sorted(run.code for run in runs if run.code is not None) == [0] + [11] * (STARTS - 1)
    assert sorted(paths) == sorted(f"/proof.invalid/{name}" for name in WORLD.files)
    late = [run for run in runs if run.code == 11]
    assert all("another run" in run.err and "Traceback" not in run.err for run in late)
    assert max(run.cpu for run in late) < 1
    assert look(folder / "out", WORLD) == State()
    assert "lease" not in os.listdir(folder / "out/.datafetch/proof")
