"""The jobs of a worker process, by host: each asked as soon as the terms of its host and of the process allow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf

from datafetch.errors import TransferFailed
from datafetch.images.wire import Job
from datafetch.transfer.direct import Direct, Got
from datafetch.transfer.engine import Limits
from datafetch.transfer.gait import Gait, Grant
from datafetch.transfer.signs import Sent
from datafetch.transfer.told import Told

# Given an answer, or why there is none; gives back what it told of its host.
Came = Callable[[Job, Sent, Got | TransferFailed], Told | None]


class _Desk:
    """A host."""

    __slots__ = ("gait", "jobs", "queued", "timer")

    def __init__(self) -> None:
        self.gait = Gait()
        self.jobs: deque[Job] = deque()
        self.queued = False  # it waits to be looked at
        self.timer: asyncio.TimerHandle | None = None


class Desks:
    """`most` requests are under way at once, none are begun while `resting`."""

    def __init__(self, direct: Direct, limits: Limits, came: Came) -> None:
        self.most = 1
        self.resting = False
        self._direct, self._limits, self._came = direct, limits, came
        self._loop = asyncio.get_running_loop()
        self._busy = 0
        self._desks: dict[int, _Desk] = {}
        self._queue: deque[_Desk] = deque()  # of those that may have something to ask: hosts take turns

    def put(self, job: Job) -> None:
        """For `work` to begin; the host's terms have been told."""
        desk = self._desks[job.host]
        desk.jobs.append(job)
        self._look_at(desk)

    def allow(self, host: int, grant: Grant) -> tuple[int, ...]:
        """Takes new terms. Without a place there the host is forgotten; its jobs are given back."""
        desk = self._desks.get(host)
        if desk is None:
            if not grant.places:
                return ()
            desk = self._desks[host] = _Desk()
        desk.gait.allow(grant)
        if grant.places:
            self._look_at(desk)
            return ()
        back = tuple(job.number for job in desk.jobs)
        desk.jobs.clear()
        del self._desks[host]
        return back

    def work(self) -> None:
        """Begins all that may be begun."""
        while self._queue and self._busy < self.most and not self.resting:
            desk = self._queue.popleft()
            desk.queued = False
            if not desk.jobs:
                continue
            now = self._loop.time()
            wait = desk.gait.wait(now)
            if wait <= 0:
                self._begin(desk, desk.jobs.popleft(), now)
                self._look_at(desk)
            elif wait < inf and desk.timer is None:
                desk.timer = self._loop.call_later(wait, self._in_time, desk)

    def _in_time(self, desk: _Desk) -> None:
        desk.timer = None
        self._look_at(desk)
        self.work()

    def _look_at(self, desk: _Desk) -> None:
        if not desk.queued:
            desk.queued = True
            self._queue.append(desk)

    def _begin(self, desk: _Desk, job: Job, now: float) -> None:
        sent = desk.gait.sent(now)
        self._busy += 1

        def then(found: Got | TransferFailed) -> None:
            self._busy -= 1
            desk.gait.left(self._came(job, sent, found))
            self._look_at(desk)
            self.work()

        self._direct.get(job.url, self._limits, then, (job.never,) if job.never else ())
