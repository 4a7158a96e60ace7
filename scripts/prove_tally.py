"""What a proof counts, and how it runs its cases: several at once, each with a seed that is told when it fails."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from warm import Run, Warm
from worlds import State, World

Job = tuple[int, Callable[[int, Path], None]]  # a seed, and what is done with it and a folder

AT_ONCE = 3  # runs: each waits for its server and its disk some of the time
SHOWN = 5  # failures of a part that are printed


@dataclass
class Tally:
    """One row of the table."""

    part: str
    cases: int = 0
    lost: int = 0
    corrupt: int = 0
    strays: int = 0
    tracebacks: int = 0
    failures: list[str] = field(default_factory=list)
    told: str = ""  # what else was measured
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def good(self) -> bool:
        return (
            not (self.failures or self.lost or self.corrupt or self.strays or self.tracebacks)
            and self.cases > 0
        )

    def case(self, state: State | None = None, wrong: str = "", runs: Iterable[Run] = ()) -> None:
        """Counts one case with what was found."""
        loud = [run for run in runs if "Traceback" in run.err]
        with self._lock:
            self.cases += 1
            if state is not None:
                self.lost += len(state.lost)
                self.corrupt += len(state.corrupt)
                self.strays += len(state.strays)
            self.tracebacks += len(loud)
            if wrong or loud or (state is not None and state != State()):
                self.failures.append(wrong or f"{state}" + "".join(run.err[-900:] for run in loud))

    def fail(self, text: str) -> None:
        with self._lock:
            self.failures.append(text)


@dataclass(frozen=True)
class Scene:
    """Where a part works: a folder of its own, the warm process, the seed and how much is to be done."""

    folder: Path
    warm: Warm
    seed: int
    small: bool
    until: float  # of the monotonic clock: no case is begun later

    def all_cases(self, tally: Tally, jobs: Sequence[Job]) -> None:
        """Runs them in an order of chance until the time is over; an error counts as a failure. Folders are removed."""

        def guarded(job: Job) -> None:
            seed, case = job
            if time.monotonic() > self.until:
                return
            folder = self.folder / f"case-{seed}"
            try:
                case(seed, folder)
            except Exception as error:
                tally.fail(f"seed {seed}: {type(error).__name__}: {error}")
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        order = random.Random(self.seed).sample(jobs, len(jobs))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(guarded, order))


def ended_badly(run: Run) -> str:
    """What is wrong with the end of a run that was disturbed: stuck, or the exit code of a bug."""
    if run.stuck:
        return "it was stuck"
    return f"exit code 1: {run.err[-600:]}" if run.code == 1 else ""


def named(world: World, seed: int) -> str:
    return f"{world.name}, seed {seed}"
