"""When a host that serves nothing is given up: never early, and not for ever."""

from __future__ import annotations

import pytest

from datafetch.images.barren import LINES, LONG, REFUSED, REST, Barren
from datafetch.model import Why


def test_a_host_that_refuses_everything_is_given_up_after_a_while_and_tried_anew_later() -> None:
    barren = Barren()
    for at in range(REFUSED - 1):
        barren.refused(at)
    assert barren.given_up(LONG - 1) is None
    barren.refused(LONG)
    assert barren.given_up(LONG) is Why.THROTTLED
    assert barren.given_up(LONG + REST) is None, "it may be well again"
    barren.refused(LONG + REST)
    assert barren.given_up(LONG + REST) is None, "it has a whole while again"


def test_a_host_that_serves_now_and_then_is_never_given_up() -> None:
    barren = Barren()
    for at in range(1000):
        barren.refused(float(at))
        if at % 100 == 0:
            barren.served()
    assert barren.given_up(1000) is None


@pytest.mark.parametrize(
    ("why", "given_up"), [(Why.CONNECTION, True), (Why.TIMEOUT, True), (Why.SHORT, False)]
)
def test_only_rows_without_any_answer_tell_of_the_host(why: Why, given_up: bool) -> None:
    barren = Barren()
    for row in range(LINES):
        barren.silent(row, why, row * LONG)
    assert (barren.given_up(LINES * LONG) is why) == given_up


def test_a_few_rows_that_stall_are_not_their_host() -> None:
    barren = Barren()
    for at in range(100):
        barren.silent(at % (LINES - 1), Why.TIMEOUT, at * LONG)
    assert barren.given_up(100 * LONG) is None
