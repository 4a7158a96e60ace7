"""The parts of one split file: each fetched, checked and named by itself, several at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from datafetch.errors import PRECEDENCE, DatafetchError
from datafetch.model import Fetched
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

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(wanted, journal)) for wanted, journal in shards]
    results = [task.result() for task in tasks]
    failures = [result for result in results if isinstance(result, DatafetchError)]
    if failures:
        raise min(failures, key=lambda failure: PRECEDENCE.index(failure.exit_code))
    return tuple(result for result in results if isinstance(result, Fetched))
