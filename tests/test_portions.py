"""Bodies cut into portions for the processes that unpack them, and the memory in which they are handed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.archive.central import span_of
from datafetch.archive.hands import MOST
from datafetch.archive.members import Chunk, Member
from datafetch.obtain.portions import apportioned, portions
from datafetch.obtain.team import Team
from datafetch.store.sharing import Sharing, shared

HEAD = 31  # bytes of a local header whose name has one letter


def laid_out(sizes: list[tuple[int, int]]) -> tuple[list[tuple[Member, str]], int]:
    """Members of these sizes, each behind a gap that belongs to nobody who is wanted; and where the last one ends."""
    work, at = [], 0
    for gap, size in sizes:
        at += gap
        end = at + HEAD + size
        work.append((Member("m", False, size, size, at, end), f"{len(work)}"))
        at = end
    return work, at


@given(
    sizes=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 90)), min_size=1, max_size=30),
    most=st.integers(1, 300),
    chunk=st.integers(1, 70),
)
def test_every_portion_brings_the_bytes_of_its_members(
    sizes: list[tuple[int, int]], most: int, chunk: int
) -> None:
    work, end = laid_out(sizes)
    data = bytes(at % 251 for at in range(end))
    start = work[0][0].offset
    wanted = portions(work, end, most, span_of)

    async def body() -> AsyncIterator[list[Chunk]]:
        for at in range(start, end, chunk):
            yield [data[at : min(at + chunk, end)]]

    async def read() -> list[tuple[object, bytes]]:
        return [
            (portion, b"".join(map(bytes, chunks)))
            async for portion, chunks in apportioned(body(), start, wanted)
        ]

    found = asyncio.run(read())
    assert [portion for portion, _ in found] == wanted
    assert [each for portion in wanted for each in portion.work] == work
    for portion, brought in zip(wanted, (brought for _, brought in found), strict=True):
        assert brought == data[portion.start : portion.end]
        first, last = portion.work[0][0], portion.work[-1][0]
        assert portion.start == first.offset and portion.end == last.end
        assert len(portion.work) == 1 or portion.end - portion.start <= most


def test_a_team_leaves_long_members_to_who_holds_little_of_them(tmp_path: Path) -> None:
    async def ask() -> tuple[bool, bool]:
        long = Member("m", False, 2 * MOST, 2 * MOST, 0, 2 * MOST + HEAD)
        with Team(tmp_path, 2) as team:
            return team.can_take([(long._replace(packed=MOST), "m")]), team.can_take([(long, "m")])

    assert asyncio.run(ask()) == (True, False)


def test_a_team_of_one_is_none(tmp_path: Path) -> None:
    async def count() -> tuple[int, bool]:
        with Team(tmp_path, 1) as team:
            return team.count, team.can_take([])

    assert asyncio.run(count()) == (0, False)


def test_what_is_laid_in_shared_memory_is_seen_at_once() -> None:
    try:
        sharing = Sharing(100)
    except OSError:
        pytest.skip("this system has no memory without a name")
    with sharing:
        seen = shared(sharing.fd)
        sharing.put([b"abc", memoryview(b"def")])
        assert bytes(seen[:6]) == b"abcdef"
        sharing.put([b"xy"])
        assert bytes(seen[:6]) == b"xycdef" and len(seen) == 100
        sharing.close()
