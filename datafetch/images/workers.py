"""The worker processes of a list: started as the work grows, given jobs, replaced when they die."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from datafetch.errors import NoRoom
from datafetch.images.wire import Allow, Begin, Came, Claim, Ended, FromWorker, Job, Trouble, Wire
from datafetch.images.wire import from_worker as decoder
from datafetch.store.files import user_errors
from datafetch.transfer.addresses import shown_host
from datafetch.transfer.allowance import Allowance
from datafetch.transfer.told import Told

MOST = 4  # processes; more of them only wait for the disk and for their supervisor
WORTH_ANOTHER = 64  # jobs for each process before the next is started: it takes as long as they do
LEAN = 4  # jobs by which a host's own process may be busier than the idlest before another helps it
DECODE = 60.0  # seconds for one picture: the pixels that `check` allows take ten, as WebP on a busy machine
GRACE = 60.0  # seconds beyond the limit of a job until its process is taken for stuck


T = TypeVar("T")


class WorkerDied(Exception):
    """The process that was at a job is gone."""

    def __init__(self, how: str, *, decoding: bool, suspect: bool, guilty: bool) -> None:
        super().__init__(how)
        self.decoding = decoding
        self.suspect = suspect  # the job may be the reason
        self.guilty = guilty  # it is


@dataclass(eq=False, slots=True)
class Flight:
    """A job that a process is at. Both futures raise WorkerDied."""

    job: Job
    started: float
    came: asyncio.Future[Told | None]  # the network's part is done; None: no answer came
    ended: asyncio.Future[Ended]


@dataclass(eq=False, slots=True)
class _Process:
    child: subprocess.Popen[bytes]
    wire: Wire[FromWorker]
    connecting: asyncio.Task[object]
    flights: dict[int, Flight] = field(default_factory=dict)
    decoding: dict[int, Flight] = field(default_factory=dict)  # in their order
    decodes_since: float = 0.0  # when it began with the first of them
    guilty: Flight | None = None  # whose picture took too long


class Workers:
    """At most `most` processes. Jobs of one host go to one of them while that does not make it the busiest."""

    def __init__(
        self,
        begin: Begin,
        allowance: Allowance,
        note: Callable[[str], None],
        most: int = 0,
        decode: float = DECODE,
    ) -> None:
        self._begin = begin
        self._allowance = allowance
        self._note = note
        self._most = most or min(os.cpu_count() or 1, MOST)
        self._decode = decode
        self._processes: list[_Process] = []
        self._number = 0
        self._tolls: set[asyncio.Task[None]] = set()
        self._trouble: Trouble | None = None
        self._closed = False
        self.received = 0  # bytes of bodies

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every process has ended afterwards: none can write any more. What they were at is lost."""
        self._closed = True
        for process in self._processes:
            process.wire.close()
            _end(process.child)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(process.child.pid for process in self._processes)

    def ask(self, url: str, path: str, never: str = "") -> Flight:
        """Gives a job to a process. Raises TransferLimit when nothing more may be taken."""
        self.check()
        process = self._pick(shown_host(url))
        self._number += 1
        job = Job(self._number, url, path, never)
        loop = asyncio.get_running_loop()
        flight = Flight(job, time.monotonic(), loop.create_future(), loop.create_future())
        process.flights[job.number] = flight
        process.wire.send(job)
        return flight

    def check(self) -> None:
        """Raises TransferLimit when no more may be taken."""
        self._allowance.check()

    def watch(self) -> None:
        """Ends every process that is stuck; to be called now and then. Raises NoRoom when a disk is full."""
        if self._trouble is not None:
            raise NoRoom(self._trouble.text, self._trouble.hint)
        now = time.monotonic()
        for process in self._processes:
            first = next(iter(process.decoding.values()), None)
            if first is not None and now - process.decodes_since > self._decode:
                process.guilty = first
                process.child.kill()
                continue
            oldest = next(iter(process.flights.values()), None)
            if oldest is not None and now - oldest.started > self._begin.total + self._decode + GRACE:
                process.child.kill()

    # --- Processes -----------------------------------------------------------------------------------------

    def _pick(self, host: str) -> _Process:
        count = len(self._processes)
        if count < self._most and self._number >= count * WORTH_ANOTHER:
            self._processes.append(self._start())
        idlest = min(self._processes, key=lambda process: len(process.flights))
        own = self._processes[zlib.crc32(host.encode()) % len(self._processes)]
        return own if len(own.flights) < len(idlest.flights) + LEAN else idlest

    def _start(self) -> _Process:
        ours, theirs = socket.socketpair()
        with theirs, user_errors("a worker process"):
            child = subprocess.Popen(
                (sys.executable, "-P", "-m", "datafetch.images.worker"),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                process_group=0,  # a Ctrl-C is for us alone: we tell them
            )
        wire: Wire[FromWorker] = Wire(
            decoder(), lambda message: self._got(process, message), lambda: self._died(process)
        )
        loop = asyncio.get_running_loop()
        process = _Process(child, wire, loop.create_task(loop.create_connection(lambda: wire, sock=ours)))
        wire.send(self._begin)
        return process

    def _got(self, process: _Process, message: FromWorker) -> None:
        match message:
            case Came(number=number, told=told):
                flight = process.flights[number]
                if not process.decoding:
                    process.decodes_since = time.monotonic()
                process.decoding[number] = flight
                _set(flight.came, told)
            case Ended(number=number, received=received, told=heard):
                flight = process.flights.pop(number)
                if process.decoding.pop(number, None) is not None:
                    process.decodes_since = time.monotonic()
                self.received += received
                _set(flight.came, heard)
                _set(flight.ended, message)
            case Claim(number=number, size=size):
                task = asyncio.get_running_loop().create_task(self._toll(process, number, size))
                self._tolls.add(task)
                task.add_done_callback(self._tolls.discard)
            case Trouble():
                self._trouble = message

    async def _toll(self, process: _Process, number: int, size: int) -> None:
        allowed = await self._allowance.claim(size)
        process.wire.send(Allow(number, allowed))

    def _died(self, process: _Process) -> None:
        """The jobs of a process that is gone fail; it must be gone, or it might still write what others do."""
        if self._closed:
            return
        code = _end(process.child)
        self._processes.remove(process)
        how = (
            f"a worker process was ended by {signal.Signals(-code).name}"
            if code < 0
            else (f"a worker process ended with {code}")
        )
        if process.guilty is not None:
            how = f"a picture could not be decoded within {self._decode:.0f} s"
        self._note(f"{how}; {len(process.flights)} rows that it was at are asked for again")
        for flight in process.flights.values():
            guilty = flight is process.guilty
            suspect = process.guilty is None
            decoding = flight.job.number in process.decoding
            error = WorkerDied(how, decoding=decoding, suspect=suspect, guilty=guilty)
            for future in (flight.came, flight.ended):
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # whoever waited may have been cancelled: then it concerns nobody
                    break


def _set(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _end(child: subprocess.Popen[bytes]) -> int:
    """Ends a process at once; how it ended, if it had done so by itself."""
    child.kill()
    return child.wait()
