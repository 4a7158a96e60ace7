"""What a run may still take in: bytes counted where they are read, to the last one."""

from __future__ import annotations

from datafetch.errors import RUN_AGAIN, TransferLimit
from datafetch.transfer.lanes import Chunk

_HELD = (16 << 10, 2 << 20)  # bytes, at least and at most


class Meter:
    """`most` bytes of bodies for all transfers of a run, pages and pictures included; None is without limit."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._taken = 0

    @property
    def held(self) -> int:
        """Bytes of one transfer that may wait in memory: they came over the line, too, and are not counted yet."""
        least, most = _HELD
        return most if self._most is None else max(least, min(most, self._most // 16))

    def check(self) -> None:
        """Raises TransferLimit when nothing more may be taken."""
        if self._most is not None and self._taken >= self._most:
            raise TransferLimit(f"--max-transfer of {self._most} bytes is used up", RUN_AGAIN)

    @property
    def bounded(self) -> bool:
        """Whether there is a limit."""
        return self._most is not None

    def take(self, batch: list[Chunk]) -> list[Chunk]:
        """As much of a batch as may be taken, which counts from now on. Raises TransferLimit when that is nothing."""
        if self._most is None or not batch:
            return batch
        self.check()
        size = sum(map(len, batch))
        allowed = self.claim(size)
        return batch if allowed == size else [b"".join(batch)[:allowed]]

    def claim(self, size: int) -> int:
        """How many of `size` bytes may be taken, which count from now on."""
        allowed = size if self._most is None else max(0, min(size, self._most - self._taken))
        self._taken += allowed
        return allowed
