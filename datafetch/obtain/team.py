"""Processes that unpack what a body brings, a portion each, while the next bytes arrive on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from datafetch.archive.hands import MOST, Done, Hand
from datafetch.archive.members import Chunk, Member
from datafetch.obtain.portions import Portion, Work, apportioned, portions
from datafetch.stops import in_thread
from datafetch.store.closing import Closing
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree

Took = Callable[[Sequence[Work], Done], None]  # what became of some of the work


class Team(Closing):
    """`count` of them, which write below `into`; none at all where one process is enough."""

    def __init__(self, into: Path, count: int) -> None:
        self.count = count if count > 1 else 0
        self._into = into
        # Those that have nothing to do, each with the folder for who does its work here, should it die.
        self._free: asyncio.Queue[tuple[Hand, Tree]] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(max(1, self.count), "beside")
        with ExitStack() as stack:
            stack.callback(self._threads.shutdown)
            for _ in range(self.count):
                self._free.put_nowait((stack.enter_context(Hand(into)), stack.enter_context(Tree(into))))
            self._open = stack.pop_all()

    def close(self) -> None:
        """None of them can write any more. May be called twice."""
        self._open.close()

    def can_take(self, work: Sequence[Work]) -> bool:
        """Whether they are to unpack it: who reads alone holds little of a long member in memory."""
        return self.count > 0 and all(member.packed <= MOST for member, _ in work)

    async def carry(
        self,
        body: AsyncIterable[list[Chunk]],
        reach: tuple[int, int],
        work: Sequence[Work],
        span: Callable[[Member], tuple[int, int]],
        ahead: int,
        took: Took,
    ) -> None:
        """All of the work, which lies in a body of these bytes of the file, `ahead` portions of it at once. `took` is
        told of each on the loop. Raises what the body does, and what user_errors makes of faults of the disk; none of
        them writes any more then.
        """
        under_way: set[asyncio.Task[None]] = set()
        try:
            async for portion, chunks in apportioned(body, reach[0], portions(work, reach[1], MOST, span)):
                while len(under_way) >= ahead:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                under_way.add(asyncio.ensure_future(self._unpack(portion, chunks, took)))
            await asyncio.gather(*under_way)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _unpack(self, portion: Portion, chunks: Sequence[Chunk], took: Took) -> None:
        hand, tree = await self._free.get()
        done: list[Done] = []

        def unpack() -> None:
            with user_errors(self._into):
                done.append(hand.unpack(tree, chunks, portion.start, portion.work))

        try:
            await in_thread(unpack, pool=self._threads)
        finally:
            self._free.put_nowait((hand, tree))
        took(portion.work, done[0])
