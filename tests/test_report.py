"""Counts that add up, exit codes by precedence, and a hollow result that is never 0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import PRECEDENCE, worst
from datafetch.model import Event, Outcome
from datafetch.report import Problem, Tally, add_up, unexpected, verdict
from datafetch.store.held import Held

COUNTS = st.dictionaries(st.sampled_from(list(Outcome)), st.integers(0, 1000))


@given(st.lists(COUNTS))
def test_total_is_always_the_sum_of_the_others(parts: list[dict[Outcome, int]]) -> None:
    counts = add_up(parts)
    assert counts.pop("total") == sum(counts.values())
    assert set(counts) == set(Outcome)


@given(COUNTS, st.floats(0.1, 100))
def test_a_hollow_result_is_never_complete(counts: dict[Outcome, int], least: float) -> None:
    status, code = verdict(add_up([counts | {Outcome.OK: 0}]), (), least)
    assert status == "failed" and code != 0


VERDICTS = [
    ({"ok": 99, "missing": 1}, 100.0, ("partial", 6)),
    ({"ok": 99, "missing": 1}, 99.0, ("complete", 0)),
    ({"ok": 99, "skipped": 50}, 100.0, ("complete", 0)),
    ({"ok": 1}, 100.0, ("complete", 0)),
    ({"failed": 3}, 0.0, ("failed", 6)),
]


@pytest.mark.parametrize(("found", "least", "expected"), VERDICTS)
def test_verdict(found: dict[str, int], least: float, expected: tuple[str, int]) -> None:
    counts = add_up([{Outcome(name): number for name, number in found.items()}])
    assert verdict(counts, (), least) == expected


def test_the_first_of_the_contracts_order_wins() -> None:
    in_contract = [1, 2, 3, 12, 11, 10, 8, 13, 7, 4, 5, 6]
    assert [code for code in PRECEDENCE if code in in_contract] == in_contract
    for at, code in enumerate(in_contract):
        assert worst(in_contract[at:]) == code
    assert worst(()) == 0


def test_a_problem_decides_the_exit_code_even_if_items_are_few() -> None:
    counts = add_up([{Outcome.OK: 1000, Outcome.FAILED: 1}])
    assert verdict(counts, (Problem("b", "gone", code=4),), 50.0) == ("partial", 4)


def test_the_peak_counts_archives_and_trees_together() -> None:
    tally = Tally(Held(10))
    for event in (
        Event("progress", "a", done=50),
        Event("fetched", "a", done=100),
        Event("staged", "a", done=90),
        Event("freed", "a"),
        Event("received", "a", done=100),
    ):
        tally(event)
    assert (tally.peak, tally.transferred) == (200, 100)


def test_expected_counts_are_compared_for_built_folders_only() -> None:
    paths = ["set/train/a/0.jpg", "set/train/b/c/0.jpg", "set/info.json"]
    assert unexpected([("set/train/**", "2"), ("set/*", "1"), ("other/**", "9")], paths) == []
    assert unexpected([("set/train/*/*", ">=2")], paths) == ["set/train/*/*: 1 files, upstream speaks of >=2"]
    assert unexpected([("set/**", "1..2")], paths) == ["set/**: 3 files, upstream speaks of 1..2"]
