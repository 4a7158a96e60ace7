"""What a host's manners promise, against models of how servers limit; no clock but the tests' own."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datafetch.transfer.manners import START, Learned, Manners
from datafetch.transfer.quota import Quota
from datafetch.transfer.signs import Heard
from tests.tempers import AtOnce, Bucket, Moody, Sliding, Temper, Window, patient, run


def fixed(busy: int, chance: random.Random) -> float:
    return 0.05


def noisy(busy: int, chance: random.Random) -> float:
    return 0.03 + chance.expovariate(25.0)


def queueing(busy: int, chance: random.Random) -> float:
    """A host that does eight at a time, the others wait."""
    return 0.05 * max(1.0, (busy + 1) / 8)


Kind = type[Window] | type[Sliding]
LATENCIES = pytest.mark.parametrize("latency", [fixed, noisy])


# --- Limits that nobody tells of ----------------------------------------------------------------------------


@LATENCIES
@pytest.mark.parametrize(
    ("rate", "burst"),
    [(5, 1), (5, 2), (5, 5), (50, 5), (50, 50), (50, 200), (500, 50), (500, 500), (500, 2000)],
)
def test_a_token_bucket_refuses_few_and_is_used(rate: int, burst: int, latency: Callable[..., float]) -> None:
    requests = {5: 3000, 50: 15_000, 500: 60_000}[rate]
    seen = run(Bucket(rate, burst), Manners(64, 0.0), inf, latency=latency, requests=requests)
    assert seen.share <= 0.01
    assert seen.rate() >= 0.9 * rate


@LATENCIES
@pytest.mark.parametrize("rate", [5, 500])
def test_a_retry_after_at_each_refusal_costs_little_of_the_rate(
    rate: int, latency: Callable[..., float]
) -> None:
    requests = {5: 3000, 500: 60_000}[rate]
    seen = run(Bucket(rate, rate), Manners(64, 0.0), inf, latency=latency, retry_after=1.0, requests=requests)
    assert seen.share <= 0.01
    assert seen.rate() >= 0.9 * rate


@LATENCIES
@pytest.mark.parametrize("most", [3, 20])
def test_a_limit_of_requests_at_once_refuses_few_and_is_used(
    most: int, latency: Callable[..., float]
) -> None:
    seen = run(AtOnce(most), Manners(64, 0.0), inf, latency=latency, requests=2000 * most)
    assert seen.share <= 0.01
    mean = sum(seen.latencies) / len(seen.latencies)
    assert seen.rate() >= 0.9 * most / mean


@LATENCIES
@pytest.mark.parametrize("kind", [Window, Sliding])
def test_a_window_of_a_second_refuses_few_and_is_used(kind: Kind, latency: Callable[..., float]) -> None:
    seen = run(kind(5, 1.0), Manners(64, 0.0), inf, latency=latency, requests=3000)
    assert seen.share <= 0.01
    assert seen.rate() >= 0.9 * 5


@pytest.mark.parametrize("kind", [Window, Sliding])
def test_a_long_window_that_tells_nothing_is_found_all_the_same(kind: Kind) -> None:
    """The hardest kind: it serves ten seconds' worth at once and then nothing, so each try costs a window."""
    seen = run(kind(500, 10.0), Manners(64, 0.0), inf, latency=fixed, requests=15_000)
    assert seen.share <= 0.01
    assert seen.rate() >= 0.75 * 50


# --- Latency ------------------------------------------------------------------------------------------------


@LATENCIES
@pytest.mark.parametrize("share", [0.02, 0.05, 0.2, 0.4])
def test_a_host_that_refuses_at_any_pace_is_not_asked_ever_slower(
    share: float, latency: Callable[..., float]
) -> None:
    """A host that answered 503 for 100 of its 260 addresses was asked once in 20 seconds, and less."""
    seen = run(Moody(share), Manners(64, 0.0), inf, latency=latency, requests=1000)
    assert seen.ended < 300


def test_a_host_that_first_refuses_at_any_pace_and_then_sets_a_limit_is_asked_less_again() -> None:
    manners, moody, limit = Manners(64, 0.0), Moody(0.4), Bucket(2, 2)
    first = run(moody, manners, inf, requests=1000)
    seen = run(limit, manners, inf, started=first.ended, requests=3000)
    assert seen.share <= 0.05
    assert seen.rate() >= 0.8 * 2


def test_a_host_without_limits_is_soon_asked_as_wide_as_allowed() -> None:
    manners = Manners(32, 0.0)
    seen = run(patient, manners, 2.0)
    assert manners.places == 32
    assert manners.rate is None
    assert seen.most == 32


def test_noise_of_the_latency_does_not_narrow() -> None:
    manners = Manners(32, 0.0)
    run(patient, manners, 60.0, latency=noisy)
    assert manners.places >= 24


def test_latency_that_grows_with_the_crowd_narrows() -> None:
    manners = Manners(256, 0.0)
    seen = run(patient, manners, 60.0, latency=queueing)
    assert manners.places <= 24  # eight are served at a time
    assert seen.rate(10) >= 0.9 * 160  # all that it can do


def test_a_host_that_slows_down_by_itself_keeps_its_places() -> None:
    manners = Manners(16, 0.0)
    run(patient, manners, 10.0)
    run(patient, manners, 120.0, started=10.0, latency=lambda busy, chance: 0.5)
    assert manners.places == 16


# --- What always holds --------------------------------------------------------------------------------------

TEMPERS = st.one_of(
    st.builds(Bucket, st.floats(0.2, 800), st.floats(1, 500)),
    st.builds(Window, st.integers(1, 300), st.floats(0.5, 30)),
    st.builds(AtOnce, st.integers(1, 40)),
    st.just(patient),
    st.just(lambda now, busy: False),
)


@settings(max_examples=60, deadline=None)
@given(TEMPERS, st.integers(1, 40), st.one_of(st.none(), st.floats(0, 300)), st.integers(0, 5))
def test_never_more_than_allowed_at_once_and_never_silent_for_long(
    temper: Temper, most: int, retry_after: float | None, seed: int
) -> None:
    seen = run(
        temper, Manners(most, 0.0), 400.0, latency=noisy, retry_after=retry_after, seed=seed, requests=4000
    )
    assert seen.most <= most
    assert seen.widest_gap <= 61.0


@pytest.mark.parametrize("temper", [Bucket(5, 5), AtOnce(3), Window(50, 10.0)])
def test_a_limit_that_is_lifted_is_noticed(temper: Temper) -> None:
    manners = Manners(16, 0.0)
    run(temper, manners, 300.0)
    run(patient, manners, 1500.0, started=300.0)
    seen = run(patient, manners, 60.0, started=1800.0)
    assert seen.rate() >= 160  # of 320 that sixteen at once can do


def test_it_starts_gentle() -> None:
    assert Manners(64, 0.0).places == START == 2


def test_what_was_learned_is_where_the_next_run_starts() -> None:
    first = Manners(64, 0.0)
    run(Bucket(50, 5), first, 300.0)
    known = first.learned()
    assert known.rate is not None
    second = Manners(64, 0.0, known)
    seen = run(Bucket(50, 5), second, 60.0)
    assert seen.share <= 0.005
    assert seen.rate() >= 0.8 * 50


def test_knowing_more_places_than_allowed_allows_no_more() -> None:
    assert Manners(4, 0.0, Learned(40, None)).places == 4


# A host that answered 503 for a while was asked once in twelve seconds in every later run.
def test_an_outage_of_one_run_slows_the_next_one_little() -> None:
    manners, now = Manners(4, 0.0, Learned(1, 0.05)), 0.0
    assert manners.rate is not None and manners.rate < 0.1
    manners.answered(manners.sent(now), 0.1, Heard.REFUSED)
    again = Manners(4, 0.0, manners.learned())
    assert again.rate is not None and again.rate >= 0.8


# --- What a host says ---------------------------------------------------------------------------------------


def test_nothing_is_sent_before_retry_after_is_over() -> None:
    manners = Manners(4, 0.0)
    manners.answered(manners.sent(0.0), 0.1, Heard.REFUSED, retry_after=7.0)
    assert manners.wait(1.0) == pytest.approx(6.1)
    assert manners.wait(7.2) == 0.0


def test_an_absurd_retry_after_is_waited_for_as_long_as_patience_goes() -> None:
    manners = Manners(4, 0.0, longest=60.0)
    manners.answered(manners.sent(0.0), 0.0, Heard.REFUSED, retry_after=10.0**9)
    assert manners.wait(0.0) == 60.0


def test_an_empty_quota_is_obeyed_before_anything_is_refused() -> None:
    manners = Manners(4, 0.0)
    manners.answered(manners.sent(0.0), 0.1, Heard.OK, quota=Quota(0, 20.0, 100))
    assert manners.wait(0.2) == pytest.approx(19.9)


def test_what_is_left_of_a_quota_is_spread_over_its_time() -> None:
    manners = Manners(4, 0.0)
    manners.answered(manners.sent(0.0), 0.0, Heard.OK, quota=Quota(90, 10.0, 100))
    assert manners.pace(0.0) is None  # plenty
    manners.answered(manners.sent(0.0), 0.0, Heard.OK, quota=Quota(40, 10.0, 100))
    assert manners.pace(0.0) == pytest.approx(4.0)
    assert manners.pace(11.0) is None  # it is over


def test_refusals_of_what_was_sent_together_count_as_one() -> None:
    manners = Manners(8, 0.0, Learned(10, 100.0))
    tickets = [manners.sent(0.0) for _ in range(8)]
    manners.answered(tickets[0], 0.1, Heard.REFUSED)
    once = manners.learned()
    for ticket in tickets[1:]:
        manners.answered(ticket, 0.2, Heard.REFUSED)
    assert manners.learned() == once


def test_a_request_that_never_got_an_answer_gives_its_place_back() -> None:
    manners = Manners(1, 0.0)
    manners.sent(0.0)
    assert manners.wait(0.0) == inf
    manners.dropped()
    assert manners.wait(0.0) == 0.0
