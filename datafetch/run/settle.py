"""settle(): act on the plan, look again, stop when nothing is left or nothing changed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from datafetch.model import Plan, Step, Verb

TRIES = 3  # an archive that proves damaged only when it is opened is fetched again, twice


async def settle(
    look: Callable[[], Plan], act: Callable[[Step], Awaitable[None]], at_once: Callable[[Verb], int]
) -> None:
    """Act on the plan, look again, stop when nothing is left or nothing changed.

    `look` returns the plan as things stand. Steps run side by side, `at_once` of each verb. A step that is still in
    the plan after it ran `TRIES` times changes nothing any more and is left alone. What `act` raises stops the loop
    after the steps under way have been cancelled and have come to rest.
    """
    tried: Counter[Step] = Counter()
    running: dict[asyncio.Task[None], Step] = {}
    try:
        while True:
            for step in look().steps:
                busy = [other.verb for other in running.values()]
                if (
                    step in running.values()
                    or tried[step] >= TRIES
                    or busy.count(step.verb) >= at_once(step.verb)
                ):
                    continue
                tried[step] += 1
                running[asyncio.ensure_future(act(step))] = step
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # when several raise at once, the others are looked at below
            for task in done:
                del running[task]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
