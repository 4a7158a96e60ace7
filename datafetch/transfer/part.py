"""The `.part` file of one transfer: written and hashed beside the loop, synced when told, renamed whole.

Bytes may come in any order. Those in order go to the digests straight from memory; what came ahead of its
turn is read again from the file once all before it is there. So is what an earlier run left, while the rest
arrives.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.store.files import make_folder, sync_dir, sync_fd, user_errors
from datafetch.store.room import reserve
from datafetch.transfer.lanes import Batch, Chunk, Lane
from datafetch.transfer.pieces import Piece, Pieces, Proof, crc_of
from datafetch.transfer.rehash import digests_of
from datafetch.transfer.spans import Span, Spans

MIB = 1 << 20
_WAITING = 1 * MIB  # bytes that may wait for disk or digest before the network has to
_READ = 1 * MIB
_IOV = 1024  # buffers one writev takes

Placed = tuple[int, Batch]  # where a batch goes, and the batch


class _Hash(Protocol):
    def update(self, data: Chunk, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Again:
    """Bytes that a digest has to read from the file, once the write of that number is done."""

    start: int
    end: int
    after: int


def no_one(piece: Piece) -> None:
    """Nobody wants to know what was written."""


class PartFile:
    """Opened with the pieces that are trusted; whatever else it holds does not count. Close it in any case.

    `wrote` is called from another thread for every piece once the system has it. When the disk does not hold
    what those pieces say, the digests find it: TransferFailed is raised by whatever waits for them.
    """

    def __init__(
        self,
        path: Path,
        trusted: Iterable[Piece],
        algorithms: Iterable[str],
        wrote: Callable[[Piece], None] = no_one,
    ) -> None:
        self.path = path
        self.algorithms = tuple(dict.fromkeys(("sha256", *algorithms)))
        self._wrote = wrote
        self._fd = -1
        self._writer: Lane[Placed] | None = None
        self._hashers: list[_Hasher] = []
        self._front = 0  # bytes that were handed to the digests
        self._number = 0  # of the last write
        self._lock = threading.Lock()  # of what the writing thread and the syncing one share
        make_folder(path.parent)
        with user_errors(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o644)
            size = os.fstat(self._fd).st_size
            self._solid = Pieces(piece for piece in trusted if piece[1] <= size)  # the system has them
            self._unproven = self._solid.all()  # an earlier run wrote them
            self._spans = Spans(self._solid.spans())  # accepted
            self._synced = 0  # bytes
            os.ftruncate(self._fd, max((end for _, end in self._solid.spans()), default=0))

    @property
    def position(self) -> int:
        """Bytes accepted from the beginning on, without a gap."""
        return self._spans.reach(0)

    @property
    def size(self) -> int:
        """Bytes accepted."""
        return self._spans.size

    @property
    def unsynced(self) -> bool:
        """Whether bytes were taken in since the last sync."""
        return self.size > self._synced

    def gaps(self, total: int) -> tuple[Span, ...]:
        return self._spans.gaps(total)

    def also(self, algorithms: Iterable[str]) -> None:
        """Further digests to make. For those that come when others are under way the file is read at the end."""
        self.algorithms = tuple(dict.fromkeys((*self.algorithms, *algorithms)))

    def stretch(self, total: int) -> None:
        """Gives the file its full length and place on the disk, so that bytes may come in any order; blocks."""
        with user_errors(self.path):
            reserve(self._fd, total)
            os.ftruncate(self._fd, total)

    async def write(self, batch: Batch, size: int, at: int) -> None:
        """Takes a batch in; waits while too much of earlier ones is under way. Raises what the disk says."""
        writer = self._start()
        self._advance()
        in_turn = at == self._front
        self._number = writer.put((at, batch), size)
        self._spans.add(at, at + size)
        if in_turn:
            self._front += size
            for hasher in self._hashers:
                hasher.lane.put(batch, size)
        await writer.below(_WAITING)
        for hasher in self._hashers:
            await hasher.lane.below(_WAITING)

    async def settled(self) -> None:
        """All that was taken in is written, and hashed as far as it has no gap."""
        if self._writer is None and not self.position:
            return
        writer = self._start()
        await writer.below(0)
        while self._advance() or any(hasher.behind for hasher in self._hashers):
            for hasher in self._hashers:
                await hasher.lane.below(0)
        for hasher in self._hashers:
            await hasher.lane.below(0)

    async def written(self) -> None:
        """All that was taken in is written; digests may be behind."""
        if self._writer is not None:
            await self._writer.below(0)

    async def rewind(self) -> None:
        """Starts again from nothing."""
        with suppress(OSError):
            await self.written()
        self._stop()
        with user_errors(self.path):
            os.ftruncate(self._fd, 0)
        self._spans, self._solid, self._synced, self._front = Spans(), Pieces(), 0, 0
        self._unproven = ()

    async def digests(self) -> dict[str, str]:
        """The digests of all that was taken in, by algorithm: every one that was asked for."""
        await self.settled()
        self._start()
        found = {hasher.name: hasher.digest.hexdigest() for hasher in self._hashers}
        late = [name for name in self.algorithms if name not in found]
        if late:
            with user_errors(self.path):
                found |= await asyncio.to_thread(digests_of, self._fd, self.position, late)
        return found

    def sync(self) -> tuple[Piece, ...]:
        """Makes what is written durable and says what that is; blocks, so call it beside the loop."""
        with self._lock:
            pieces = self._solid.all()
        with user_errors(self.path):
            getattr(os, "fdatasync", os.fsync)(self._fd)
        self._synced = sum(end - start for start, end, _ in pieces)
        return pieces

    def solid(self) -> tuple[Piece, ...]:
        """What the system has: a kill loses none of it."""
        with self._lock:
            return self._solid.all()

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
            await self.written()
        self._stop()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # --- Lanes ----------------------------------------------------------------------------------------------

    def _start(self) -> Lane[Placed]:
        if self._writer is None:
            self._writer = Lane("write", self._write)
            self._hashers = [
                _Hasher(name, self._fd, self._writer, Proof(self._unproven)) for name in self.algorithms
            ]
            self._number = self._front = 0
        return self._writer

    def _stop(self) -> None:
        lanes = [hasher.lane for hasher in self._hashers] + ([self._writer] if self._writer else [])
        for lane in lanes:
            lane.stop(halt=True)
        for lane in lanes:
            lane.join()
        self._writer, self._hashers = None, []

    def _advance(self) -> bool:
        """Has the digests read what lies before them in the file, unless they are busy with that already."""
        reach = self._spans.reach(self._front)
        if reach == self._front or any(hasher.behind > _WAITING for hasher in self._hashers):
            return False
        for hasher in self._hashers:
            hasher.read(_Again(self._front, reach, self._number))
        self._front = reach
        return True

    def _write(self, placed: Placed) -> None:
        at, batch = placed
        with user_errors(self.path):
            start = at
            for cut in range(0, len(batch), _IOV):
                at += self._write_some(batch[cut : cut + _IOV], at)
        piece = (start, at, crc_of(batch))
        with self._lock:
            self._solid.add(piece)
        self._wrote(piece)

    def _write_some(self, batch: Batch, at: int) -> int:
        size = sum(map(len, batch))
        done = os.pwritev(self._fd, batch, at)
        if done < size:
            rest = memoryview(b"".join(batch))[done:]
            while rest:
                wrote = os.pwrite(self._fd, rest, at + done)
                done += wrote
                rest = rest[wrote:]
        return size


class _Hasher:
    """One digest on its lane, fed from memory or told to read."""

    def __init__(self, name: str, fd: int, writer: Lane[Placed], proof: Proof) -> None:
        self.name, self._proof = name, proof
        self.digest: _Hash = hashlib.new(name)
        self._fd, self._writer = fd, writer
        self._asked = self._read = 0  # bytes to be read from the file, and those that were
        self.lane: Lane[Batch | _Again] = Lane(name, self._work)

    @property
    def behind(self) -> int:
        """Bytes still to be read from the file."""
        return self._asked - self._read

    def read(self, again: _Again) -> None:
        self._asked += again.end - again.start
        self.lane.put(again)

    def _work(self, item: Batch | _Again) -> None:
        if not isinstance(item, _Again):
            for chunk in item:
                self.digest.update(chunk)
            return
        self._writer.wait_for(item.after)
        at = item.start
        while at < item.end and not self.lane.halted:
            data = os.pread(self._fd, min(_READ, item.end - at), at)
            if not data:
                raise OSError("the part became shorter while it was read")
            if not self._proof.take(at, data):
                text = "what an earlier run had brought of it was changed on this disk"
                raise TransferFailed(Why.CHECKSUM, text, hint="the disk may be failing")
            self.digest.update(data)
            at += len(data)
            self._read += len(data)
