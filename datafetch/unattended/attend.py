"""A run as a timer starts it: after a while by chance, with a monitor and a metrics file that hear how it ended."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import DatafetchError
from datafetch.report import Report
from datafetch.stops import pause
from datafetch.store.files import as_user_error
from datafetch.unattended import metrics
from datafetch.unattended.heartbeat import Heartbeat


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be done around a run; nothing, as it stands."""

    delay: float = 0.0  # seconds; the run starts at some time up to that
    metrics: Path | None = None
    heartbeat: Heartbeat | None = None

    def __bool__(self) -> bool:
        return self != Wishes()


def attended(
    work: Callable[[], Report],
    dataset: str,
    root: str,
    wishes: Wishes,
    note: Callable[[str], None],
    *,
    told: bool = True,
    chance: Callable[[], float] = random.random,
) -> Report:
    """What `work` returns or raises, told to all who wish to hear; that they could not be told is a note, no failure.

    How long it waits for its start is `told`, or not. Raises Interrupted meanwhile: nothing has begun then, and nobody
    hears of it.
    """
    if wishes.delay:
        seconds = chance() * wishes.delay
        pause(seconds, lambda: note(f"starts in {seconds:.0f} s") if told else None)
    if wishes.heartbeat is not None and (trouble := wishes.heartbeat.started()):
        note(f"heartbeat: {trouble}")
    started = time.monotonic()

    def tell(code: int, report: Report | None) -> None:
        if wishes.metrics is not None:
            where = os.path.realpath(root)
            end = metrics.End(dataset, where, time.time(), time.monotonic() - started, code, report)
            try:
                metrics.write(wishes.metrics, end)
            except DatafetchError as error:
                note(f"metrics: {error}")
        if wishes.heartbeat is not None and (trouble := wishes.heartbeat.ended(code)):
            note(f"heartbeat: {trouble}")

    try:
        report = work()
    except DatafetchError as error:
        tell(error.exit_code, error.report)
        raise
    except OSError as error:
        known = as_user_error(error, error.filename or ".")
        tell(known.exit_code, None)
        raise known from error
    except KeyboardInterrupt:
        tell(130, None)
        raise
    except Exception:
        tell(1, None)
        raise
    tell(report.exit_code, report)
    return report


def to_stderr(text: str) -> None:
    """A note where messages go."""
    print(f"note: {text}", file=sys.stderr, flush=True)
