"""A span of a remote file in order, while what follows is on its way over other connections."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from datafetch.transfer.lanes import Chunk
from datafetch.transfer.remote import Remote

PIECE = 4 << 20  # bytes of one request; so many, times the requests at once, wait in memory


async def ordered(remote: Remote, start: int, end: int, at_once: int) -> AsyncGenerator[list[Chunk], None]:
    """The bytes from `start` to before `end`, no more than `at_once` pieces ahead of who reads them.

    Raises what `remote.body` does, at the byte from which on it lacks. Nothing is under way once this is closed.
    """
    starts = iter(range(start, end, PIECE))
    coming: deque[asyncio.Task[list[Chunk]]] = deque()

    async def piece(at: int) -> list[Chunk]:
        return [chunk async for batch in remote.body(at, min(end, at + PIECE)) for chunk in batch]

    def top_up() -> None:
        while len(coming) < max(at_once, 1) and (at := next(starts, None)) is not None:
            coming.append(asyncio.ensure_future(piece(at)))

    try:
        top_up()
        while coming:
            chunks = await coming[0]
            coming.popleft()
            top_up()
            yield chunks
    finally:
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
