"""Events as they happen, on stderr: bars on a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from datafetch.console.text import duration, number, plural, size
from datafetch.model import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_EVERY = 30.0  # seconds between two lines of progress where there is no terminal
MOVING = (
    "received",
    "progress",
    "extracting",
    "grown",
    "verifying",
)  # events that only say how far something is


def sentence(event: Event, verbose: bool) -> str:
    """One event as a line for a person; empty when it is not worth one."""
    match event.kind:
        case "fetched" if verbose:
            return f"{event.name}: fetched, {size(event.done)}"
        case "retry" if verbose:
            return f"{event.name}: {event.why}, {event.text}"
        case "staged" if verbose:
            return f"{event.name}: {plural(event.count, 'file')} in place, {size(event.done)}"
        case "built":
            return f"{event.name}/ is complete: {plural(event.count, 'file')}, {size(event.done)}"
        case "failed":
            said = (event.text or str(event.why)).removeprefix(f"{event.name}: ")
            where = f" ({event.url})" if event.url else ""
            return f"{event.name}: {said}{where}"
        case "note":
            return f"note: {event.text}"
    return ""


@dataclass(slots=True)
class Flow:
    """How far each transfer is, and all of them together."""

    done: dict[str, int] = field(default_factory=dict)
    total: dict[str, int | None] = field(default_factory=dict)
    received: int = 0
    retries: int = 0
    files: str = ""  # how far files are that are looked at or written, where that is all there is to say
    started: float = field(default_factory=time.monotonic)

    def add(self, event: Event) -> None:
        match event.kind:
            case "started" | "progress" | "fetched":
                self.done[event.name] = event.done
                self.total[event.name] = event.done if event.kind == "fetched" else event.total
            case "received":
                self.received += event.done
            case "retry":
                self.retries += 1
            case "extracting" | "verifying":
                end = "" if event.total is None else f" of {number(event.total)}"
                self.files = f"{number(event.done)}{end} files"

    def line(self) -> str:
        """ "3 files, 1.2 GB of 4.0 GB, 35 MB/s, 1 min 20 s left, 2 retries"."""
        if not self.done and self.files:
            return self.files
        if not self.done:
            return f"waiting for an answer, {plural(self.retries, 'retry')}" if self.retries else "asking"
        seconds = max(time.monotonic() - self.started, 1e-6)
        rate = self.received / seconds
        done = sum(self.done.values())
        said = [plural(len(self.done), "file")]
        if None in self.total.values():
            said.append(size(done))
        else:
            total = sum(t or 0 for t in self.total.values())
            said.append(f"{size(done)} of {size(total)}")
            if rate and total > done:
                said.append(f"{duration((total - done) / rate)} left")
        said.insert(2, f"{size(int(rate))}/s")
        if self.retries:
            said.append(plural(self.retries, "retry"))
        return ", ".join(said)


class Lines:
    """One plain line per event worth one, and one line of progress every 30 seconds."""

    def __init__(self, name: str, *, quiet: bool, verbose: bool, every: float | None = LINE_EVERY) -> None:
        self._name, self._quiet, self._verbose, self._every = name, quiet, verbose, every
        self._flow = Flow()
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._flow.add(event)
            if self._quiet and event.kind != "failed":
                return
            said = sentence(event, self._verbose)
            if said:
                print(said, file=sys.stderr, flush=True)
                if event.hint:
                    print(f"  hint: {event.hint}", file=sys.stderr, flush=True)
            elif (
                self._every is not None
                and (event.kind in MOVING or event.kind == "retry")
                and time.monotonic() - self._last >= self._every
            ):
                self._last = time.monotonic()
                waits = f"; {event.name}: {event.text}" if event.kind == "retry" else ""
                print(f"{self._name}: {self._flow.line()}{waits}", file=sys.stderr, flush=True)


class JsonLines:
    """Each event as one JSON object a line; movement at most once a second for each name."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        import msgspec

        with self._lock:
            key = event.kind, event.name
            now = time.monotonic()
            if event.kind in MOVING and now - self._last.get(key, 0.0) < 1.0:
                return
            self._last[key] = now
            print(msgspec.json.encode(event).decode(), file=sys.stderr, flush=True)


class Bars:
    """A bar for each transfer and extraction under way, and one for all; lines above them for what matters."""

    def __init__(self, name: str, *, verbose: bool) -> None:
        self._name, self._verbose = name, verbose
        self._flow = Flow()
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._lock = threading.Lock()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[amount]}", markup=False),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._all = self._progress.add_task(self._name, total=None, amount="")
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            progress = self._progress
            assert progress is not None, "used outside its context"
            self._flow.add(event)
            match event.kind:
                case "started" | "progress":
                    self._move("file", event, f"{size(event.done)} of {size(event.total)}")
                case "retry":
                    self._move("file", event, event.text)
                case "extract" | "extracting":
                    end = "" if event.total is None else f" of {number(event.total)}"
                    self._move("tree", event, f"{number(event.done)}{end} files")
                case "verifying":
                    self._move("tree", event, f"{number(event.done)} of {number(event.total or 0)} files")
                case "fetched" | "staged" | "failed":
                    self._drop("file", event.name)
                    self._drop("tree", event.name)
            if event.kind in ("received", "fetched", "retry"):
                totals = list(self._flow.total.values())
                total = None if None in totals else sum(t or 0 for t in totals)
                progress.update(
                    self._all, total=total, completed=sum(self._flow.done.values()), amount=self._flow.line()
                )
            said = sentence(event, self._verbose)
            if said:
                progress.console.print(said, markup=False)
                if event.hint:
                    progress.console.print(f"  hint: {event.hint}", markup=False)

    def _move(self, what: str, event: Event, amount: str) -> None:
        assert self._progress is not None
        key = what, event.name
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(event.name[-32:], total=event.total, amount=amount)
        self._progress.update(self._tasks[key], completed=event.done, total=event.total, amount=amount)

    def _drop(self, what: str, name: str) -> None:
        task = self._tasks.pop((what, name), None)
        if task is not None and self._progress is not None:
            self._progress.remove_task(task)
