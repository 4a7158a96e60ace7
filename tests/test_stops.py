"""What runs beside the loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from datafetch.stops import in_thread


def test_work_that_waits_takes_no_thread_of_the_loops_pool() -> None:
    """Subsets of seven zips beside two tars of one host, one request at a time, hung: each member waited for its
    turn in a thread of that pool, and the transfer whose turn it was waited for such a thread.
    """
    began, turn, seen = threading.Event(), threading.Event(), []

    def work() -> None:
        began.set()
        seen.append(turn.wait(3))

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        waiting = asyncio.create_task(in_thread(work))
        while not began.is_set():
            await asyncio.sleep(0)
        await asyncio.to_thread(turn.set)
        await waiting

    asyncio.run(run())
    assert seen == [True]
