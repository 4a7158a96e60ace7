"""The `.part` file of one transfer: written and hashed beside the loop, synced when told, renamed whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from datafetch.store.files import make_folder, sync_dir, sync_fd, user_errors
from datafetch.transfer.lanes import Batch, Lane

MIB = 1 << 20
_WAITING = 16 * MIB  # bytes that may wait for disk or digest before the network has to
_READ = 1 * MIB
_IOV = 1024  # buffers one writev takes


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _hashing(digest: _Hash) -> Callable[[Batch], None]:
    def work(batch: Batch) -> None:
        digest.update(b"".join(batch))

    return work


class PartFile:
    """Opened at a trusted size; whatever stands behind that is cut off. Close it in any case."""

    def __init__(self, path: Path, trusted: int, algorithms: Iterable[str]) -> None:
        self.path = path
        self.algorithms = tuple(dict.fromkeys(("sha256", *algorithms)))
        self._fd = -1
        self._lanes: list[Lane] = []
        self._digests = {name: hashlib.new(name) for name in self.algorithms}
        self.position = 0  # bytes accepted
        self._written = 0  # bytes that the system has
        self._synced = 0
        make_folder(path.parent)
        with user_errors(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o644)
            self.position = self._written = min(trusted, os.fstat(self._fd).st_size)
            os.ftruncate(self._fd, self.position)
        self._unhashed = self.position

    @property
    def unsynced(self) -> bool:
        """Whether bytes were taken in since the last sync."""
        return self.position > self._synced

    async def write(self, batch: Batch, size: int) -> None:
        """Takes a batch in; waits while too much of earlier ones is under way. Raises what the disk says."""
        await self._catch_up()
        if not self._lanes:
            self._lanes.append(Lane("write", self._write))
            self._lanes += (Lane(name, _hashing(self._digests[name])) for name in self.algorithms)
        self.position += size
        for lane in self._lanes:
            lane.put(batch, size)
        for lane in self._lanes:
            await lane.below(_WAITING)

    async def settled(self) -> None:
        """All that was taken in is written and hashed."""
        await self._catch_up()
        for lane in self._lanes:
            await lane.below(0)

    async def rewind(self) -> None:
        """Starts again from nothing."""
        with suppress(OSError):
            await self.settled()
        self._unhashed = 0
        self._digests = {name: hashlib.new(name) for name in self.algorithms}
        self._stop()
        with user_errors(self.path):
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        self.position = self._written = self._synced = 0

    async def digests(self) -> dict[str, str]:
        """The digests of all that was taken in, by algorithm."""
        await self.settled()
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def sync(self) -> int:
        """Makes what is written durable and says how much that is; blocks, so call it beside the loop."""
        size = self._written
        with user_errors(self.path):
            getattr(os, "fdatasync", os.fsync)(self._fd)
        self._synced = size
        return size

    def rename(self, target: Path) -> None:
        """Gives the whole, settled file its final name, durably; blocks."""
        make_folder(target.parent)
        with user_errors(self.path):
            sync_fd(self._fd)
            os.rename(self.path, target)
        sync_dir(target.parent)

    def remove(self) -> None:
        """Takes the file away; nothing of it is trusted any more."""
        with user_errors(self.path), suppress(FileNotFoundError):
            os.unlink(self.path)

    async def close(self) -> None:
        """Writes what was taken in, as far as the disk takes it, and lets go of it; may be called twice."""
        with suppress(Exception):  # what went wrong was told when it was written
            for lane in self._lanes[:1]:
                await lane.below(0)
        self._stop()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _stop(self) -> None:
        for lane in self._lanes:
            lane.stop()
        self._lanes = []

    def _write(self, batch: Batch) -> None:
        with user_errors(self.path):
            for at in range(0, len(batch), _IOV):
                self._write_some(batch[at : at + _IOV])

    def _write_some(self, batch: Batch) -> None:
        size = sum(map(len, batch))
        done = os.pwritev(self._fd, batch, self._written)
        if done < size:
            rest = memoryview(b"".join(batch))[done:]
            while rest:
                wrote = os.pwrite(self._fd, rest, self._written + done)
                done += wrote
                rest = rest[wrote:]
        self._written += size

    async def _catch_up(self) -> None:
        """Hashes what an earlier run left, once and beside the loop."""
        if self._unhashed:
            size, self._unhashed = self._unhashed, 0
            halt = [False]
            try:
                await asyncio.to_thread(self._hash_prefix, size, halt)
            except BaseException:
                halt[0] = True
                self._unhashed = size
                self._digests = {name: hashlib.new(name) for name in self.algorithms}
                raise

    def _hash_prefix(self, size: int, halt: list[bool]) -> None:
        digests = tuple(self._digests.values())
        fd = os.dup(self._fd)  # the part may be closed while this thread still reads
        try:
            at = 0
            while at < size and not halt[0]:
                data = os.pread(fd, min(_READ, size - at), at)
                if not data:
                    raise OSError(f"{self.path} became shorter while it was read")
                for digest in digests:
                    digest.update(data)
                at += len(data)
        finally:
            os.close(fd)
