"""The worker processes of a list: started as the work grows, given jobs, replaced when they die."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from datafetch.children import spawn
from datafetch.errors import DatafetchError, NoRoom
from datafetch.images.ask import Death, Errand
from datafetch.images.wire import (
    Allow,
    Answered,
    Back,
    Begin,
    Came,
    Claim,
    Ended,
    FromWorker,
    Job,
    Share,
    Trouble,
    Wire,
)
from datafetch.images.wire import from_worker as decoder
from datafetch.store.files import user_errors
from datafetch.transfer.allowance import Allowance

MOST = 4  # processes; more of them only wait for the disk and for their supervisor
WORTH_ANOTHER = 64  # jobs for each process before the next is started: it takes as long as they do
DECODE = 60.0  # seconds for one picture: the pixels that `check` allows take ten, as WebP on a busy machine
# Seconds beyond the limits of a job in which a process may have nothing to say: it may have to wait for a host first.
GRACE = 120.0
RETRY = 30.0  # seconds until another process is tried, after one could not be started


@dataclass(eq=False, slots=True)
class Load:
    """Rows that somebody was given and no answer has come for."""

    asking: int = 0
    lately: int = 0  # answers in one frame
    count: int = 0  # of the frame that is being read

    def answered(self) -> None:
        self.asking -= 1
        self.count += 1

    def frame_ended(self) -> None:
        self.lately = max(self.count, self.lately * 3 // 4)
        self.count = 0

    def room(self, places: int) -> int:
        """Rows more for somebody with so many places: some are to wait there while a frame is on its way."""
        return places + 2 + 2 * self.lately - self.asking


@dataclass(eq=False, slots=True)
class Process:
    """A worker process, and what it was given and has not brought to an end."""

    child: subprocess.Popen[bytes]
    wire: Wire[FromWorker]
    connecting: asyncio.Task[object]
    share: int  # requests that it may have under way
    spoke: float  # when it was last heard of, or given a job while it had none
    errands: dict[int, Errand] = field(default_factory=dict)
    decoding: dict[int, Errand] = field(default_factory=dict)  # in their order
    decodes_since: float = 0.0  # when it began with the first of them
    guilty: Errand | None = None  # whose picture took too long
    load: Load = field(default_factory=Load)

    @property
    def room(self) -> int:
        """Rows that it can be given, of all hosts."""
        return self.load.room(2 * self.share)


class Listener(Protocol):
    """Who is told of what the processes do. `heard` follows what came in one frame."""

    def answered(self, process: Process, errand: Errand, answered: Answered | None) -> None:
        """The network's part of a try is over; without an answer, None."""

    def ended(self, process: Process, errand: Errand, ended: Ended) -> None: ...

    def came_back(self, process: Process, errands: list[Errand]) -> None:
        """These were not asked."""

    def heard(self, process: Process) -> None: ...

    def died(self, process: Process, deaths: list[tuple[Errand, Death]]) -> None:
        """The process is gone, and what it was at is to be asked again or given up."""


class Workers:
    """At most `most` processes, with `jobs` requests under way in all of them together."""

    def __init__(
        self,
        begin: Begin,
        allowance: Allowance,
        note: Callable[[str], None],
        jobs: int,
        most: int = 0,
        decode: float = DECODE,
    ) -> None:
        self._begin = begin
        self._allowance = allowance
        self._note = note
        self._decode = decode
        count = max(1, min(most or min(os.cpu_count() or 1, MOST), jobs))
        self._shares = [jobs // count + (at < jobs % count) for at in range(count)]  # of those not running
        self._number = 0
        self._not_before = 0.0  # when another may be started, after one could not
        self._tolls: set[asyncio.Task[None]] = set()
        self._trouble: Trouble | None = None
        self._closed = False
        self.processes: list[Process] = []
        self.listener: Listener | None = None
        self.received = 0  # bytes of bodies

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every process has ended afterwards: none can write any more. What they were at is lost."""
        self._closed = True
        for process in self.processes:
            process.wire.close()
            _end(process.child)

    def give(self, process: Process, host: int, errand: Errand, never: str) -> None:
        """Gives a job to a process, which knows the terms of the host."""
        self._number += 1
        if not process.errands:
            process.spoke = time.monotonic()
        process.errands[self._number] = errand
        process.wire.send(Job(self._number, host, errand.address, errand.path, never))

    def check(self) -> None:
        """Raises TransferLimit when no more may be taken."""
        self._allowance.check()

    def watch(self) -> None:
        """Ends every process that is stuck; to be called now and then. Raises NoRoom when a disk is full."""
        if self._trouble is not None:
            raise NoRoom(self._trouble.text, self._trouble.hint)
        now = time.monotonic()
        for process in self.processes:
            first = next(iter(process.decoding.values()), None)
            if first is not None and now - process.decodes_since > self._decode:
                process.guilty = first
                process.child.kill()
            elif process.errands and now - process.spoke > self._begin.total + self._decode + GRACE:
                process.child.kill()

    # --- Processes -----------------------------------------------------------------------------------------

    def grow(self) -> None:
        """Starts another process when there is work for it."""
        if self._shares and self._number >= len(self.processes) * WORTH_ANOTHER:
            if self.processes and time.monotonic() < self._not_before:
                return
            try:
                self.processes.append(self._start(self._shares[0]))
            except DatafetchError as error:  # such as too many processes of this user, for now
                if not self.processes:
                    raise
                self._not_before = time.monotonic() + RETRY
                self._note(f"{error}; {len(self.processes)} go on")
                return
            self._shares.pop(0)

    def _start(self, share: int) -> Process:
        with user_errors("a worker process"), ExitStack() as unless_begun:
            ours, theirs = socket.socketpair()
            unless_begun.enter_context(ours)
            unless_begun.enter_context(theirs)
            child = spawn("datafetch.images.worker", stdin=theirs.fileno(), stdout=subprocess.DEVNULL)
            unless_begun.pop_all()
            theirs.close()
        wire: Wire[FromWorker] = Wire(
            decoder(), lambda messages: self._got(process, messages), lambda: self._died(process)
        )
        loop = asyncio.get_running_loop()
        connecting = loop.create_task(loop.create_connection(lambda: wire, sock=ours))
        process = Process(child, wire, connecting, share, time.monotonic())
        wire.send(self._begin)
        wire.send(Share(share))
        return process

    def _got(self, process: Process, messages: list[FromWorker]) -> None:
        listener = self.listener
        if self._closed or listener is None:
            return
        process.spoke = time.monotonic()
        for message in messages:
            match message:
                case Ended(number=number):
                    errand = process.errands.pop(number)
                    self.received += message.received
                    if process.decoding.pop(number, None) is None:
                        listener.answered(process, errand, message.answered)
                    else:
                        process.decodes_since = process.spoke
                    listener.ended(process, errand, message)
                case Came(number=number, answered=answered):
                    if not process.decoding:
                        process.decodes_since = process.spoke
                    errand = process.decoding[number] = process.errands[number]
                    listener.answered(process, errand, answered)
                case Back(numbers=numbers):
                    listener.came_back(process, [process.errands.pop(number) for number in numbers])
                case Claim(number=number, size=size):
                    task = asyncio.get_running_loop().create_task(self._toll(process, number, size))
                    self._tolls.add(task)
                    task.add_done_callback(self._tolls.discard)
                case Trouble():
                    self._trouble = message
        listener.heard(process)

    async def _toll(self, process: Process, number: int, size: int) -> None:
        allowed = await self._allowance.claim(size)
        process.wire.send(Allow(number, allowed))

    def _died(self, process: Process) -> None:
        """What a process was at that is gone; it must be gone, or it might still write what others do."""
        if self._closed:
            return
        code = _end(process.child)
        self.processes.remove(process)
        self._shares.append(process.share)
        how = (
            f"a worker process was ended by {signal.Signals(-code).name}"
            if code < 0
            else (f"a worker process ended with {code}")
        )
        if process.guilty is not None:
            how = f"a picture could not be decoded within {self._decode:.0f} s"
        self._note(f"{how}; {len(process.errands)} rows that it was at are asked for again")
        deaths = [
            (errand, Death(how, number in process.decoding, process.guilty is None, errand is process.guilty))
            for number, errand in process.errands.items()
        ]
        if self.listener is not None:
            self.listener.died(process, deaths)


def _end(child: subprocess.Popen[bytes]) -> int:
    """Ends a process at once; how it ended, if it had done so by itself."""
    child.kill()
    return child.wait()
