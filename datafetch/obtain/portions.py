"""A body that holds many members, cut into portions that a process unpacks while the next bytes arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from datafetch.archive.members import Chunk, Member

Work = tuple[Member, str]


class Portion(NamedTuple):
    """Neighbours, and the bytes of the file in which all of them lie."""

    start: int
    end: int
    work: Sequence[Work]


def portions(
    work: Sequence[Work], end: int, most: int, span: Callable[[Member], tuple[int, int]]
) -> list[Portion]:
    """The work, which lies in rising order before `end`, in portions of at most `most` bytes, but for that of a
    single longer member. Pure.
    """
    if not work:
        return []
    firsts, start = [0], work[0][0].offset
    for index, (member, _) in enumerate(work):
        if member.end - start > most and index > firsts[-1]:
            firsts.append(index)
            start = member.offset
    found = []
    for first, last in pairwise((*firsts, len(work))):
        before = work[last][0].offset if last < len(work) else end
        found.append(
            Portion(work[first][0].offset, min(before, span(work[last - 1][0])[1]), work[first:last])
        )
    return found


async def apportioned(
    body: AsyncIterable[list[Chunk]], at: int, wanted: Sequence[Portion]
) -> AsyncIterator[tuple[Portion, list[Chunk]]]:
    """Each portion with its bytes, of a body that begins at `at` and is read to its end."""
    waiting, held = deque(wanted), list[Chunk]()
    async for batch in body:
        for chunk in batch:
            rest = memoryview(chunk)
            while rest and waiting:
                portion = waiting[0]
                if at < portion.start:
                    gap = min(portion.start - at, len(rest))
                    rest, at = rest[gap:], at + gap
                    continue
                held.append(rest[: portion.end - at])
                at += len(held[-1])
                rest = rest[len(held[-1]) :]
                if at == portion.end:
                    yield waiting.popleft(), held
                    held = []
            at += len(rest)
