"""Digests of bytes that pass on their way to somebody else, made by a thread of their own."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from queue import Queue

from datafetch.model import Checksum
from datafetch.store.closing import Closing
from datafetch.transfer.lanes import Chunk

_WAITING = 16  # chunks that wait to be hashed: a few MiB


class Hashing(Closing):
    """Of one file, whose bytes pass in order."""

    def __init__(self, checksums: Sequence[Checksum]) -> None:
        self._checksums = checksums
        names = {checksum.algorithm for checksum in checksums}
        self._digests = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        self._queue: Queue[Chunk | None] = Queue(_WAITING)
        self._thread: threading.Thread | None = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def passing(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """The chunks, which nobody may change."""
        if not self._digests:
            return chunks
        return self._noted(chunks)

    def _noted(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            self._queue.put(chunk)
            yield chunk

    async def noting(self, body: AsyncIterable[list[Chunk]]) -> AsyncIterator[list[Chunk]]:
        """`passing` for who is on the loop."""
        async for batch in body:
            if self._digests:
                await asyncio.to_thread(deque, map(self._queue.put, batch), 0)
            yield batch

    def wrong(self) -> str:
        """The checksum that what has passed does not have, and what it has instead; "" when all agree."""
        self.close()
        for checksum in self._checksums:
            found = self._digests[checksum.algorithm].hexdigest()
            if found != checksum.digest:
                return f"its {checksum.algorithm} is {found}, and should be {checksum.digest}"
        return ""

    def close(self) -> None:
        """All that has passed is hashed; may be called twice."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (chunk := self._queue.get()) is not None:
            for digest in self._digests.values():
                digest.update(chunk)
