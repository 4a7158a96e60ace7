"""From the network into the part: a body to its place in batches, progress told, syncs asked for in time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from datafetch.model import Event, Why
from datafetch.transfer.claims import Claim
from datafetch.transfer.failures import failed
from datafetch.transfer.holding import Holding
from datafetch.transfer.lanes import Batch, Chunk
from datafetch.transfer.retry import Drip
from datafetch.transfer.wanted import Wanted, Ways

UNSAID = 64 << 30  # bytes of a body whose length nobody says; one without end must not fill the disk
_SYNC_EVERY = 2.0  # seconds of transfer that a power cut may cost
_TELL_EVERY = 0.2  # seconds between two progress events
_BATCH = 512 << 10  # bytes that are handed on at once; a kill costs no more of each connection


def never(claim: Claim) -> bool:
    """There is no more to have."""
    return False


class Pump:
    """For one attempt; several bodies may be taken in at once."""

    def __init__(self, wanted: Wanted, ways: Ways, holding: Holding) -> None:
        self._wanted, self._ways, self._holding = wanted, ways, holding
        self._untold = 0
        self._told = self._synced = ways.clock()
        self._drip = Drip(holding.size, self._told, ways.patience)

    async def take(
        self,
        claim: Claim,
        first: list[Chunk],
        batches: AsyncIterator[list[Chunk]],
        more: Callable[[Claim], bool] = never,
    ) -> bool:
        """What was read of a body and what follows, into the claim; whatever ends it, all of it is taken in.

        Returns whether the body went on beyond the claim, of which `more` may make more: else it ended. Raises
        TransferFailed when it comes too slowly.
        """
        held: list[Chunk] = []
        size = 0
        try:
            async for came in _after(first, batches):
                length = sum(map(len, came))
                while length > claim.left and more(claim):
                    pass
                beyond = length > claim.left
                if beyond:
                    came, length = [b"".join(came)[: claim.left]], claim.left
                held += came
                size += length
                claim.at += length
                if beyond:
                    return True
                if size >= _BATCH or self._due():
                    full, held, full_size, size = held, [], size, 0
                    await self._write(full, full_size, claim.at - full_size)
                    self._check_speed()
        finally:
            try:
                if size:
                    await self._write(held, size, claim.at - size)
            finally:
                self.tell()
        return False

    def _check_speed(self) -> None:
        if self._drip.too_slow(self._holding.size, self._ways.clock()):
            patience = self._ways.patience
            text = f"less than {patience.floor} bytes a second over {patience.window:.0f} s"
            raise failed(Why.TOO_SLOW, self._holding.url, text)

    def _due(self) -> bool:
        return self._ways.clock() - self._told >= _TELL_EVERY

    async def _write(self, batch: Batch, size: int, at: int) -> None:
        self._untold += size
        await self._holding.part.write(batch, size, at)
        now = self._ways.clock()
        if now - self._told >= _TELL_EVERY:
            self.tell(now)
        if now - self._synced >= _SYNC_EVERY:
            self._synced = now
            self._holding.checkpoint()

    def tell(self, now: float = 0.0) -> None:
        self._told = now or self._ways.clock()
        if self._untold:
            name, total = self._wanted.name, self._holding.validators.total
            self._ways.emit(Event("received", name, self._untold))
            self._ways.emit(Event("progress", name, self._holding.size, total))
            self._untold = 0


async def _after(first: list[Chunk], batches: AsyncIterator[list[Chunk]]) -> AsyncIterator[list[Chunk]]:
    if first:
        yield first
    async for batch in batches:
        yield batch
