"""Items spread over their hosts: each host has a queue, so that a slow one holds up nobody else's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

RUNNERS = 1024  # items begun, of all hosts together


@dataclass(eq=False, slots=True)
class _Queue(Generic[Item]):
    host: str
    items: deque[Item] = field(default_factory=deque)
    runners: int = 0
    ready: bool = False  # it waits for a runner


class Spread(Generic[Item]):
    """Applies `work` to items, `per_host` of a host at a time, in their order. Its first error ends all."""

    def __init__(self, work: Callable[[Item], Awaitable[None]], per_host: int, window: int) -> None:
        self._work = work
        self._per_host = max(1, per_host)
        self._window = window
        self._spare = RUNNERS
        self._waiting = 0
        self._queues: dict[str, _Queue[Item]] = {}  # of hosts with items that wait or run
        self._ready: deque[_Queue[Item]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None
        self._moved = asyncio.Event()  # what `put` or `drained` waits for may have come

    async def put(self, host: str, item: Item) -> None:
        """Queues an item; waits while too many do. Raises what `work` raised."""
        if self._waiting >= self._window:
            # For more than one place: each wait costs a turn of the loop.
            await self._until(lambda: self._waiting <= self._window * 3 // 4)
        queue = self._queues.get(host)
        if queue is None:
            queue = self._queues[host] = _Queue(host)
        queue.items.append(item)
        self._waiting += 1
        if not queue.ready and queue.runners < self._per_host:
            queue.ready = True
            self._ready.append(queue)
            self._start()

    async def drained(self) -> None:
        """Returns when nothing waits or runs. Raises what `work` raised."""
        await self._until(lambda: not self._tasks)

    async def rest(self, seconds: float) -> None:
        """Waits until nothing runs, but no longer than that."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def stop(self) -> None:
        """Forgets what waits and cancels what runs."""
        self._ready.clear()
        for queue in self._queues.values():
            queue.items.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def check(self) -> None:
        """Raises what `work` raised."""
        if self._error is not None:
            raise self._error

    async def _until(self, come: Callable[[], bool]) -> None:
        self.check()
        while not come():
            self._moved.clear()
            await self._moved.wait()
            self.check()

    def _start(self) -> None:
        while self._ready and self._spare:
            queue = self._ready.popleft()
            queue.ready = False
            if queue.items and queue.runners < self._per_host:
                queue.runners += 1
                self._spare -= 1
                task = asyncio.create_task(self._run(queue))
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    async def _run(self, queue: _Queue[Item]) -> None:
        try:
            while queue.items:
                item = queue.items.popleft()
                self._waiting -= 1
                if self._waiting <= self._window * 3 // 4:
                    self._moved.set()
                await self._work(item)
        finally:
            queue.runners -= 1
            self._spare += 1
            if not queue.runners and not queue.items:
                self._queues.pop(queue.host, None)
            self._start()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._error = self._error or task.exception()
        self._moved.set()
