"""The parts of one split file: each fetched, checked and named by itself, several at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from datafetch.errors import PRECEDENCE, DatafetchError
from datafetch.model import Fetched
from datafetch.store.files import as_user_error
from datafetch.store.journal import Journal
from datafetch.transfer.pool import fetch
from datafetch.transfer.wanted import Wanted, Ways


async def fetch_shards(shards: Sequence[tuple[Wanted, Journal]], ways: Ways) -> tuple[Fetched, ...]:
    """Every shard in its place, in the order given; the caller leaves out those that are there already.

    `ways` bounds how many are fetched at once, with all other files of the run. All are tried even if one fails,
    so that a later run has less to do; then the gravest failure is raised.
    """

    async def one(wanted: Wanted, journal: Journal) -> Fetched | DatafetchError:
        try:
            return await fetch(wanted, ways, journal)
        except DatafetchError as error:
            return error
        except OSError as error:  # a group of tasks would hide it in a group of errors
            return as_user_error(error, error.filename or wanted.part)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(wanted, journal)) for wanted, journal in shards]
    results = [task.result() for task in tasks]
    failures = [result for result in results if isinstance(result, DatafetchError)]
    if failures:
        raise min(failures, key=lambda failure: PRECEDENCE.index(failure.exit_code))
    return tuple(result for result in results if isinstance(result, Fetched))


class InOrder:
    """Shards handed out one by one, each verified, with no more than `at_once` of them begun and not yet freed.

    `obtain` fetches the shard of an index, or finds it on disk. All methods belong to the loop.
    """

    def __init__(
        self, first: int, count: int, obtain: Callable[[int], Awaitable[Fetched]], at_once: int
    ) -> None:
        self._obtain, self._count, self._at_once = obtain, count, at_once
        self.next = self.freed = first
        self._tasks: dict[int, asyncio.Task[Fetched]] = {}
        self._closed = False

    async def take(self) -> tuple[int, Fetched] | None:
        """The next shard and its index, waited for; None after the last. CancelledError once closed."""
        if self.next >= self._count:
            return None
        self._top_up()
        index = self.next
        if index not in self._tasks:
            raise asyncio.CancelledError
        fetched = await asyncio.shield(self._tasks[index])
        self.next += 1
        return index, fetched

    def free(self, count: int) -> None:
        """The first `count` shards take up no room any more."""
        self.freed = max(self.freed, count)
        self._top_up()

    async def close(self) -> None:
        """Stop what is under way; may be called twice."""
        self._closed = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _top_up(self) -> None:
        for index in range(self.freed, min(self.freed + self._at_once, self._count)):
            if index not in self._tasks and index >= self.next and not self._closed:
                self._tasks[index] = asyncio.ensure_future(self._obtain(index))
