"""One allowance of bytes per second for all transfers of a run: who took bytes waits until they are due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_SLACK = 0.1  # seconds of allowance that may be saved up
_HELD = (16 << 10, 2 << 20)  # bytes, at least and at most


class Pace:
    """`rate` bytes per second in all; 0 is without limit. `clock` and `sleep` are passed in for tests."""

    def __init__(
        self,
        rate: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock()  # when all that was taken so far is paid for

    @property
    def held(self) -> int:
        """Bytes of one transfer that may wait in memory: so few that a limited line still flows smoothly."""
        least, most = _HELD
        return max(least, min(most, int(self.rate * _SLACK))) if self.rate else most

    async def take(self, size: int) -> None:
        """Returns once `size` bytes, which are here, were due; those who wait are served in turn."""
        if not self.rate:
            return
        now = self._clock()
        self._due = max(self._due, now - _SLACK) + size / self.rate
        if self._due > now:
            await self._sleep(self._due - now)
