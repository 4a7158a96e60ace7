"""What the user allows a run to take in, of all transfers together: bytes in all, and bytes per second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from datafetch.model import Settings
from datafetch.transfer.curl import Limits
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.meter import Meter
from datafetch.transfer.pace import Pace


@dataclass(frozen=True, slots=True)
class Allowance:
    """One for a run."""

    pace: Pace
    meter: Meter

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(Pace(settings.limit_rate or 0), Meter(settings.max_transfer))

    @property
    def bounded(self) -> bool:
        """Whether there is anything to hold to."""
        return bool(self.pace.rate) or self.meter.bounded

    @property
    def held(self) -> int:
        """Bytes of one transfer that may wait in memory."""
        return min(self.pace.held, self.meter.held)

    def slowest(self, limits: Limits) -> Limits:
        """The same limits; but a share of a small allowance is not a server's fault."""
        if not self.pace.rate:
            return limits
        return replace(limits, low_speed=min(limits.low_speed, self.pace.rate // 64))

    def check(self) -> None:
        """Raises TransferLimit when nothing more may be taken."""
        self.meter.check()

    async def take(self, batch: list[Chunk]) -> list[Chunk]:
        """As much of a batch as may be taken, once it was due. Raises TransferLimit when that is nothing."""
        taken = self.meter.take(batch)
        if self.pace.rate:
            await self.pace.take(sum(map(len, taken)))
        return taken

    async def claim(self, size: int) -> int:
        """How many of `size` bytes that came elsewhere may be taken, once they were due; 0 is the end of all."""
        allowed = self.meter.claim(size)
        await self.pace.take(allowed)
        return allowed
