"""Work beside the loop: items in order, on a thread of their own, with a bound on the bytes that wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

Chunk = bytes | memoryview
Batch = Sequence[Chunk]
Item = TypeVar("Item")


class Lane(Generic[Item]):
    """One thread that applies `work` to each item in turn. Its first error ends that and is told."""

    def __init__(self, name: str, work: Callable[[Item], None]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[Item, int] | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._pending = 0
        self._put = self._done = 0  # items
        self._error: BaseException | None = None
        self._halted = False
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item, size: int = 0) -> int:
        """Queues an item that nobody changes any more, `size` bytes of memory; its number is given back."""
        with self._changed:
            self._pending += size
            self._put += 1
            number = self._put
        self._queue.put((item, size))
        return number

    async def below(self, limit: int) -> None:
        """Returns once at most `limit` bytes wait; with 0, all is done. Raises what the work raised."""
        while True:
            with self._changed:
                if self._error is not None:
                    raise self._error
                if self._is_below(limit):
                    return
                future: asyncio.Future[None] = self._loop.create_future()
                self._waiters.append((limit, future))
            await future

    def wait_for(self, number: int) -> None:
        """Blocks until the item of that number is done; for another lane. Raises when it never will be."""
        with self._changed:
            self._changed.wait_for(lambda: self._done >= number or self._error is not None or self._halted)
            if self._done < number or self._error is not None:
                raise OSError("what was to be read was never written")

    @property
    def halted(self) -> bool:
        """Whether what is queued is no longer wanted; long work looks at it."""
        return self._halted

    def stop(self, *, halt: bool = False) -> None:
        """Ends the thread after what is queued, or before it with `halt`; does not wait for it."""
        if halt:
            with self._changed:
                self._halted = True
                self._changed.notify_all()
        self._queue.put(None)

    def join(self) -> None:
        """Blocks until the thread has ended, after `stop`: no longer than the item takes that it is at."""
        self._thread.join()

    def _is_below(self, limit: int) -> bool:
        return self._pending <= limit and (limit > 0 or self._done == self._put)

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            item, size = entry
            if self._error is None and not self._halted:
                try:
                    self._work(item)
                except BaseException as error:  # handed to whoever waits
                    self._error = error
            with self._changed:
                self._pending -= size
                self._done += 1
                self._changed.notify_all()
                if self._waiters:
                    self._wake()

    def _wake(self) -> None:
        woken = [one for one in self._waiters if self._error is not None or self._is_below(one[0])]
        if woken:
            self._waiters = [one for one in self._waiters if one not in woken]
            with suppress(RuntimeError):  # the loop is gone: nobody waits
                for _, future in woken:
                    self._loop.call_soon_threadsafe(_set, future)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
