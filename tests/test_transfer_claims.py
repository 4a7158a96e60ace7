"""Which bytes are there, who fetches which, and how many connections there are: the pure part of ranges."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.transfer.claims import LEAST, Claim, Claims
from datafetch.transfer.spans import Spans
from datafetch.transfer.widen import Widen, Width

TOTAL = 60
span = st.tuples(st.integers(0, TOTAL), st.integers(0, TOTAL))


@given(st.lists(span))
def test_spans_are_the_set_of_their_bytes(added: list[tuple[int, int]]) -> None:
    spans = Spans(added)
    there = {byte for start, end in added for byte in range(start, end)}
    assert {byte for start, end in spans.all() for byte in range(start, end)} == there
    assert spans.size == len(there)
    assert {byte for start, end in spans.gaps(TOTAL) for byte in range(start, end)} == set(
        range(TOTAL)
    ) - there
    assert all(end < start for (_, end), (start, _) in pairwise(spans.all()))
    for at in range(TOTAL):
        reach = next(byte for byte in range(at, TOTAL + 1) if byte not in there)
        assert spans.reach(at) == reach
    assert all(end <= 30 for _, end in spans.upto(30))


acts = st.lists(st.tuples(st.sampled_from(["next", "steal", "split", "extend", "done"]), st.integers(0, 40)))


@given(st.lists(span), acts)
def test_every_byte_is_claimed_by_one_or_free_or_there(
    there: list[tuple[int, int]], acts: list[tuple[str, int]]
) -> None:
    gaps = tuple((start * LEAST, end * LEAST) for start, end in Spans(there).gaps(TOTAL))
    lacking = sum(end - start for start, end in gaps)
    claims, held, came = Claims(gaps), list[Claim](), Spans()
    for act, number in acts:
        mine = held[number % len(held)] if held else None
        match act:
            case "next" if (claim := claims.next(max(1, number) * LEAST)) is not None:
                held.append(claim)
            case "steal" if (claim := claims.steal()) is not None:
                held.append(claim)
            case "split" if mine is not None:
                start = mine.at + number * LEAST // 2
                if (claim := claims.split(mine, start, start + LEAST)) is not None:
                    held.append(claim)
            case "extend" if mine is not None:
                claims.extend(mine, number * LEAST)
            case "done" if mine is not None:
                step = min(mine.left, number * LEAST // 3)
                came.add(mine.at, mine.at + step)
                mine.at += step
                claims.done(mine)
                held.remove(mine)
        taken = sorted((claim.at, claim.end) for claim in held)
        assert all(end <= start for (_, end), (start, _) in pairwise(taken))
        assert claims.left == lacking - came.size
    for claim in held:
        claims.done(claim)
    while (claim := claims.next(7 * LEAST)) is not None:
        came.add(claim.at, claim.end)
        claim.at = claim.end
        claims.done(claim)
    assert claims.left == 0
    assert came.all() == Spans(gaps).all()


def test_pieces_are_claimed_from_the_front_and_the_tail_is_shared() -> None:
    claims = Claims([(0, 10 * LEAST)])
    first, second = claims.next(6 * LEAST), claims.next(6 * LEAST)
    assert first is not None
    assert second is not None
    assert (second.at, second.end) == (6 * LEAST, 10 * LEAST)
    first.at += LEAST
    tail = claims.steal()
    assert tail is not None
    assert (tail.at, tail.end, first.end) == (7 * LEAST // 2, 6 * LEAST, 7 * LEAST // 2)
    second.at = second.end - LEAST
    first.at, tail.at = first.end - LEAST, tail.end - LEAST
    assert claims.steal() is None


def rates(widen: Widen, *rounds: int, left: int = 10**9) -> list[int]:
    return [widen.round(rate, 1.0, left) for rate in rounds]


@pytest.mark.parametrize(
    ("most", "rounds", "wanted"),
    [
        (4, (5, 10, 15, 20, 30, 40), [1, 2, 2, 4, 4, 4]),  # each gives the same
        (4, (10, 10, 10, 10, 10, 10), [1, 2, 2, 1, 1, 1]),  # the line is full
        (16, (10, 10, 20, 20, 40, 40, 41, 41), [1, 2, 2, 4, 4, 8, 8, 4]),
        (3, (10, 10, 20, 20, 30, 30), [1, 2, 2, 3, 3, 3]),
        (1, (10, 10, 10, 10), [1, 1, 1, 1]),
        (4, (0, 0, 0, 0), [1, 1, 1, 1]),
    ],
)
def test_connections_are_doubled_while_that_makes_it_faster(
    most: int, rounds: tuple[int, ...], wanted: list[int]
) -> None:
    assert rates(Widen(Width(most)), *rounds) == wanted


def test_what_is_soon_here_gets_no_more_connections() -> None:
    assert rates(Widen(Width(4)), 100, 100, 100, left=299) == [1, 1, 1]
    assert rates(Widen(Width(4)), 100, 100, 100, left=300) == [1, 2, 2]


def test_after_a_refusal_there_are_no_more_than_were_left() -> None:
    widen = Widen(Width(16))
    rates(widen, 10, 10, 20, 20)
    assert widen.wanted == 4
    widen.shrink(3)
    assert rates(widen, 100, 200, 400) == [3, 3, 3]
