"""The shards of an archive read in order while later ones still arrive."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from datafetch.errors import Interrupted


class Supply(Protocol):
    """Hands out verified shards, in order. Both methods are called from the thread that unpacks."""

    def take(self) -> Path | None:
        """The next shard, waited for; None after the last. Raises what fetching it raised."""

    def free(self, count: int) -> None:
        """The first `count` shards are needed no more: they may be removed, and others fetched."""


class Pieces(Protocol):
    """Packed bytes that come in pieces: shards, or a body that is cut. One thread reads."""

    index: int  # of the piece that is open
    length: int  # of it
    left: int  # bytes of it that were not read
    size: int  # of all pieces up to it

    def open_next(self) -> bool:
        """Turn to the next piece; False when there is none."""

    def read(self, length: int) -> bytes:
        """The next bytes of the open piece, fewer when fewer are here; Interrupted when it is time to stop."""


def stopped() -> Interrupted:
    """What is raised when unpacking was asked to stop."""
    return Interrupted("stopped while unpacking", hint="run the same command again: what is unpacked is kept")


class Arriving:
    """Reads shards from `first` on. `size` is what all of them have together, as far as they have come."""

    def __init__(
        self, supply: Supply, first: int, size: int, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._supply, self._stop = supply, stop
        self._fd = -1
        self.index = first - 1  # of the shard that is open
        self.length = 0  # of it
        self.left = 0  # bytes of it that were not read
        self.size = size

    def open_next(self) -> bool:
        """Turn to the next shard; False when there is none."""
        self.close()
        path = self._supply.take()
        if path is None:
            return False
        self._fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.index += 1
        self.length = self.left = os.fstat(self._fd).st_size
        self.size += self.left
        return True

    def read(self, length: int) -> bytes:
        """The next bytes of the open shard. EOFError when it became shorter meanwhile, Interrupted once `stop` is true.

        Whatever is read, and however little comes of it, is read through here: so a stop is heard.
        """
        if self._stop():
            raise stopped()
        data = os.read(self._fd, min(length, self.left))
        if self.left and not data:
            raise EOFError("a shard became shorter while it was read")
        self.left -= len(data)
        return data

    def close(self) -> None:
        """Give back the descriptor; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
