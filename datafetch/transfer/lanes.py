"""Work beside the loop: batches of bytes, in order, on a thread of their own, with a bound on what waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue

Batch = Sequence[bytes]


class Lane:
    """One thread that applies `work` to each batch in turn. Its first error ends that and is told."""

    def __init__(self, name: str, work: Callable[[Batch], None]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[Batch, int] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._pending = 0
        self._error: BaseException | None = None
        self._waiter: tuple[int, asyncio.Future[None]] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, batch: Batch, size: int) -> None:
        """Queues a batch that nobody changes any more."""
        with self._lock:
            self._pending += size
        self._queue.put((batch, size))

    async def below(self, limit: int) -> None:
        """Returns once at most `limit` bytes wait; with 0, all is done. Raises what the work raised."""
        while True:
            with self._lock:
                if self._error is not None:
                    raise self._error
                if self._pending <= limit:
                    return
                future: asyncio.Future[None] = self._loop.create_future()
                self._waiter = (limit, future)
            await future

    def stop(self) -> None:
        """Ends the thread after what is queued; does not wait for it."""
        self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            batch, size = item
            if self._error is None:
                try:
                    self._work(batch)
                except BaseException as error:  # handed to whoever waits
                    self._error = error
            with self._lock:
                self._pending -= size
                waiter = self._waiter
                if waiter is not None and (self._pending <= waiter[0] or self._error is not None):
                    self._waiter = None
                    with suppress(RuntimeError):  # the loop is gone: nobody waits
                        self._loop.call_soon_threadsafe(_set, waiter[1])


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
