"""Memory that this process and one of its children see: bytes change hands in it without passing through a pipe."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable

from datafetch.store.closing import Closing


class Sharing(Closing):
    """So many bytes, none of them on any disk. Raises OSError where the system has no such memory."""

    def __init__(self, size: int) -> None:
        self.fd = _unnamed()
        try:
            os.ftruncate(self.fd, size)
            self._map = mmap.mmap(self.fd, size)
        except BaseException:
            os.close(self.fd)
            raise
        self.size = size

    def put(self, chunks: Iterable[bytes | memoryview]) -> None:
        """Lay them there one after the other, from the first byte on; together they are no longer than it is."""
        at = 0
        for chunk in chunks:
            self._map[at : at + len(chunk)] = chunk
            at += len(chunk)

    def close(self) -> None:
        """Give it back; the child keeps what it has of it. May be called twice."""
        if self.fd >= 0:
            self._map.close()
            os.close(self.fd)
            self.fd = -1


def shared(fd: int) -> memoryview:
    """In the child: all of the bytes, as they are now."""
    return memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_READ))


def _unnamed() -> int:
    create = getattr(os, "memfd_create", None)  # of Linux
    if create is None:
        raise OSError("there is no memory without a name here")
    return int(create("datafetch"))
