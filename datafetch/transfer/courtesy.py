"""Who of many small requests may ask a host, and when: one for a run, whatever processes do the asking.

Each host has its manners, learned as it answers. Whoever asks takes a turn, and says in it what was heard:

    async with courtesy.turn(host) as turn:
        answer = ...
        turn.heard(told(answer.status, answer.headers, took))

A supervisor of several processes hands out `terms` of a host instead, shares them among those who ask there, and
tells with `heard` what they send back: the budget of a host is one whole, whoever uses it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf

from datafetch.transfer.hosts import Hosts
from datafetch.transfer.manners import Learned, Manners
from datafetch.transfer.signs import Sent
from datafetch.transfer.told import Told


@dataclass(frozen=True, slots=True)
class Terms:
    """How a host may be asked."""

    places: int  # requests at once
    pace: float | None  # requests a second; None: as many as come
    not_before: float  # by the clock


class _Host:
    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.next = asyncio.Lock()  # those who wait are served in the order they came
        self.moved = asyncio.Event()  # an answer came, or somebody left


class Turn:
    """A request that may be sent now."""

    def __init__(self, host: _Host, sent: Sent, clock: Callable[[], float]) -> None:
        self._host, self._sent, self._clock = host, sent, clock
        self._open = True

    def heard(self, told: Told) -> None:
        """Learn from the answer; the first word counts."""
        if not self._open:
            return
        self._open = False
        now = self._clock()
        took = now - self._sent.at if told.took is None else told.took
        self._host.manners.answered(
            self._sent, now, told.heard, took=took, retry_after=told.retry_after, quota=told.quota
        )
        self._host.moved.set()

    def end(self) -> None:
        """Nothing was heard, unless it was."""
        if self._open:
            self._open = False
            self._host.manners.dropped()
        self._host.moved.set()


class Courtesy:
    """One for a run. `hosts` keeps its upper bounds over these and all other transfers.

    `clock` and `sleep` are passed in so that tests need not wait.
    """

    def __init__(
        self,
        hosts: Hosts,
        most: int,
        known: Mapping[str, Learned] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bounds = hosts
        self._most = most
        self._known = dict(known or {})
        self._clock, self._sleep = clock, sleep
        self._hosts: dict[str, _Host] = {}

    def _of(self, host: str) -> _Host:
        found = self._hosts.get(host)
        if found is None:
            manners = Manners(self._most, self._clock(), self._known.get(host))
            found = self._hosts[host] = _Host(manners)
        return found

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[Turn]:
        """Waits for a place and for the pace. Who leaves without having `heard` anything got no answer."""
        state = self._of(host)
        async with state.next:
            await self._due(state)
            turn = Turn(state, state.manners.sent(self._clock()), self._clock)
        try:
            async with self._bounds.turn(host):
                yield turn
        finally:
            turn.end()

    def terms(self, host: str) -> Terms:
        """What all who ask a host without turns may do there together, as things stand."""
        manners, now = self._of(host).manners, self._clock()
        not_before = max(manners.due(now), now + self._bounds.wait_left(host))
        return Terms(manners.at_once, manners.pace(now), not_before)

    def heard(self, host: str, sent: Sent, told: Told) -> None:
        """Learn from an answer to what was sent by such terms."""
        manners = self._of(host).manners
        manners.sent_elsewhere(sent.at)
        took = 0.0 if told.took is None else told.took
        manners.learn(
            sent, sent.at + took, told.heard, took=took, retry_after=told.retry_after, quota=told.quota
        )

    async def _due(self, state: _Host) -> None:
        while (left := state.manners.wait(self._clock())) > 0:
            if left < inf:
                await self._sleep(left)
                continue
            state.moved.clear()
            await state.moved.wait()

    def learned(self) -> dict[str, Learned]:
        """What is known now of every host that was asked, and of those known before."""
        return self._known | {host: state.manners.learned() for host, state in self._hosts.items()}
