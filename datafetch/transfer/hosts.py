"""What all transfers of a run share about a host: how many ask at once, and when it may be asked again.

A host that says it is asked too much loses half of its places, and gets one back after each quiet while.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

GROW_AFTER = 10.0  # seconds without a complaint until a host gets one place back


@dataclass(slots=True)
class _Host:
    places: int
    busy: int = 0
    not_before: float = 0.0  # on the monotonic clock
    grown: float = 0.0  # when `places` last changed, or began to be due to
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Hosts:
    """One per run. `clock` and `sleep` are passed in so that tests need not wait."""

    def __init__(
        self,
        max_per_host: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._max = max(1, max_per_host)
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}

    def _of(self, host: str) -> _Host:
        found = self._hosts.get(host)
        if found is None:
            found = self._hosts[host] = _Host(self._max)
        return found

    def slow(self, host: str, seconds: float) -> None:
        """Nobody asks `host` for that long, and then fewer at once; a shorter wait never undoes a longer one.

        Answers to what was asked at the same time count as one complaint.
        """
        state, now = self._of(host), self._clock()
        if state.not_before <= now:
            state.places = max(1, self._places(state) // 2)
        state.not_before = max(state.not_before, now + seconds)
        state.grown = state.not_before

    def places(self, host: str) -> int:
        """How many may ask `host` at once as things stand."""
        return self._places(self._of(host))

    def _places(self, state: _Host) -> int:
        if state.places < self._max:
            due = int(max(0.0, self._clock() - state.grown) // GROW_AFTER)
            state.places = min(self._max, state.places + due)
            state.grown += due * GROW_AFTER
        return state.places

    def wait_left(self, host: str) -> float:
        """Seconds until `host` may be asked again; 0 when it may now."""
        return max(0.0, self._of(host).not_before - self._clock())

    def crowded(self, host: str) -> bool:
        """Whether a place that can be spared should be given back: others wait, or there are too many."""
        state = self._of(host)
        return state.busy > self._places(state) or bool(state.waiting)

    async def pause(self, seconds: float) -> None:
        """Waits on behalf of one transfer."""
        await self._sleep(seconds)

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Holds one of the host's places, once the host may be asked."""
        state = self._of(host)
        await self._take(state)
        try:
            while (left := self.wait_left(host)) > 0:
                await self._sleep(left)
            yield
        finally:
            self.leave(host)

    def spare(self, host: str) -> bool:
        """Takes one more place if that keeps nobody waiting; then it must be left again with `leave`."""
        state = self._of(host)
        if state.waiting or state.busy >= self._places(state) or self.wait_left(host) > 0:
            return False
        state.busy += 1
        return True

    def leave(self, host: str) -> None:
        """Gives a place back."""
        state = self._of(host)
        state.busy -= 1
        self._wake(state)

    async def _take(self, state: _Host) -> None:
        if not state.waiting and state.busy < self._places(state):
            state.busy += 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        state.waiting.append(future)
        try:
            while not future.done():
                # Places grow with time, too, and then nobody leaves who would wake the next.
                lost = state.places < self._max
                await asyncio.wait((future,), timeout=GROW_AFTER if lost else None)
                self._wake(state)
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                state.busy -= 1  # it was given, and nobody is there to take it
            else:
                state.waiting.remove(future)
            self._wake(state)
            raise

    def _wake(self, state: _Host) -> None:
        while state.waiting and state.busy < self._places(state):
            future = state.waiting.popleft()
            state.busy += 1
            future.set_result(None)
