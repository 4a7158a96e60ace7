"""The table of `retry`, row by row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.model import Why
from datafetch.transfer.retry import (
    Keep,
    Patience,
    Then,
    Tries,
    backoff,
    decide,
    retry_after,
    wait_for,
    why_of_status,
)

PATIENCE = Patience(tries=8, tries_before_next=3)
# why -> what becomes of the part, tries in all at the last address, whether it waits, whether the host does
TABLE = {
    Why.CONNECTION: (Keep.KEEP, 8, True, False),
    Why.TIMEOUT: (Keep.KEEP, 8, True, False),
    Why.TOO_SLOW: (Keep.KEEP, 8, True, False),
    Why.SERVER_ERROR: (Keep.KEEP, 8, True, False),
    Why.SHORT: (Keep.KEEP, 8, True, False),
    Why.DNS: (Keep.KEEP, 8, True, True),
    Why.THROTTLED: (Keep.KEEP, 8, True, True),
    Why.RANGE_IGNORED: (Keep.TRUNCATE, 3, False, False),
    Why.CHANGED: (Keep.DROP, 3, False, False),
    Why.CHECKSUM: (Keep.DROP, 3, False, False),
    Why.BAD_ANSWER: (Keep.DROP, 2, True, False),
    Why.NOT_AN_IMAGE: (Keep.DROP, 2, False, False),
    Why.TOO_SMALL: (Keep.DROP, 2, False, False),
    Why.NO_SPACE: (Keep.KEEP, 1, False, False),
}


@pytest.mark.parametrize("why", Why)
def test_the_table(why: Why) -> None:
    part, tries, waits, host_wide = TABLE.get(why, (Keep.DROP, 1, False, False))
    for count in range(1, 12):
        verdict = decide(why, count, patience=PATIENCE)
        assert verdict.part is part
        assert verdict.again == (count < tries)
        assert verdict.wait == (waits and count < tries)
        assert verdict.host_wide == host_wide
        assert verdict.then is (Then.STOP if why is Why.NO_SPACE else Then.NEXT)


def test_patience_is_shorter_while_another_address_is_left() -> None:
    assert not decide(Why.CONNECTION, 3, last=False, patience=PATIENCE).again
    assert decide(Why.CONNECTION, 3, last=True, patience=PATIENCE).again


def test_tries_begin_anew_when_bytes_arrived() -> None:
    tries = Tries()
    assert [tries.after(Why.CONNECTION, advanced=False) for _ in range(3)] == [1, 2, 3]
    assert tries.after(Why.TIMEOUT, advanced=False) == 4
    assert tries.after(Why.SHORT, advanced=True) == 1


def test_damage_is_counted_whether_bytes_arrived_or_not() -> None:
    tries = Tries()
    assert [tries.after(Why.CHECKSUM, advanced=True) for _ in range(3)] == [1, 2, 3]
    assert tries.after(Why.CONNECTION, advanced=False) == 1


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_is_jittered_and_bounded(tries: int, chance: float) -> None:
    assert 0 <= backoff(tries, chance, PATIENCE) <= PATIENCE.cap
    assert backoff(tries, 0.0, PATIENCE) == 0
    assert backoff(tries, 0.9, PATIENCE) <= backoff(tries + 1, 0.9, PATIENCE)


NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    {
        "0": 0.0,
        " 120 ": 120.0,
        "9" * 400: 1e9,
        "Sat, 21 Nov 2026 12:01:00 GMT": 60.0,
        "Saturday, 21-Nov-26 12:01:00 GMT": 60.0,
        "Sat, 21 Nov 2020 12:01:00 GMT": 0.0,
        "-5": None,
        "1.5": None,
        "soon": None,
        "": None,
        "٣": None,
        "Sat, 99 Nov 2026 99:99:99 GMT": None,
    }.items(),
)
def test_retry_after_in_seconds_dates_and_nonsense(header: str, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text())
def test_retry_after_never_raises(text: str) -> None:
    found = retry_after(text, NOW)
    assert found is None or found >= 0


def test_the_longer_wait_counts_up_to_the_cap() -> None:
    assert wait_for(None, 3.0, PATIENCE) == 3.0
    assert wait_for(10.0, 3.0, PATIENCE) == 10.0
    assert wait_for(1.0, 3.0, PATIENCE) == 3.0
    assert wait_for(86_400.0, 3.0, PATIENCE) == PATIENCE.cap


@pytest.mark.parametrize(
    ("status", "why"),
    {
        404: Why.GONE,
        410: Why.GONE,
        401: Why.FORBIDDEN,
        403: Why.FORBIDDEN,
        451: Why.FORBIDDEN,
        420: Why.THROTTLED,
        429: Why.THROTTLED,
        503: Why.THROTTLED,
        408: Why.SERVER_ERROR,
        500: Why.SERVER_ERROR,
        502: Why.SERVER_ERROR,
        599: Why.SERVER_ERROR,
        204: Why.BAD_ANSWER,
        304: Why.BAD_ANSWER,
        400: Why.BAD_ANSWER,
        0: Why.BAD_ANSWER,
        999: Why.BAD_ANSWER,
    }.items(),
)
def test_every_status_has_a_why(status: int, why: Why) -> None:
    assert why_of_status(status) is why
