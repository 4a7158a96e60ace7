"""What all transfers of a run share about a host: how many ask at once, and when it may be asked again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Host:
    turns: asyncio.Semaphore
    not_before: float = 0.0  # on the monotonic clock


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
            found = self._hosts[host] = _Host(asyncio.Semaphore(self._max))
        return found

    def slow(self, host: str, seconds: float) -> None:
        """Nobody asks `host` for that long; a shorter wait never undoes a longer one."""
        state = self._of(host)
        state.not_before = max(state.not_before, self._clock() + seconds)

    def wait_left(self, host: str) -> float:
        """Seconds until `host` may be asked again; 0 when it may now."""
        return max(0.0, self._of(host).not_before - self._clock())

    async def pause(self, seconds: float) -> None:
        """Waits on behalf of one transfer."""
        await self._sleep(seconds)

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Holds one of the host's places, once the host may be asked."""
        state = self._of(host)
        async with state.turns:
            while (left := self.wait_left(host)) > 0:
                await self._sleep(left)
            yield
