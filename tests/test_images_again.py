"""When a row without a file is asked for again: the table of `again`, row by row, and what a run makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from lists import Shop, rewrite, rows

from datafetch.demo.server import Thing, status, web_page
from datafetch.images.again import HOUR, MINUTE, NEVER, due_at, is_due, rest
from datafetch.images.ledger import Settled, asked_again, outcome_of
from datafetch.model import Outcome, Why

AT = "2026-01-02T03:04:05Z"
SETTLED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()

TABLE = {
    Why.GONE: NEVER,
    Why.PLACEHOLDER: NEVER,
    Why.BAD_URL: NEVER,
    Why.TLS: 10 * MINUTE,
    Why.FORBIDDEN: 10 * MINUTE,
    Why.QUOTA: 10 * MINUTE,
    Why.HTML: HOUR,
    Why.NOT_AN_IMAGE: HOUR,
    Why.TOO_SMALL: HOUR,
    Why.TOO_LARGE: HOUR,
    Why.OPTED_OUT: HOUR,
}


@pytest.mark.parametrize("why", list(Why))
def test_each_reason_rests_as_long_as_the_table_says(why: Why) -> None:
    wanted, outcome = TABLE.get(why, 0.0), outcome_of(why)
    assert rest(outcome, why) == wanted
    if wanted == NEVER:
        assert not is_due(outcome, why, AT, SETTLED + 10**8)
        return
    assert is_due(outcome, why, AT, SETTLED + wanted)
    assert wanted == 0 or not is_due(outcome, why, AT, SETTLED + wanted - 1)
    assert due_at(outcome, why, AT, SETTLED) == SETTLED + wanted


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.SKIPPED, Outcome.MISSING])
def test_what_is_final_is_never_due(outcome: Outcome) -> None:
    assert not is_due(outcome, "anything", AT, SETTLED + 10**8)


@pytest.mark.parametrize("at", ["", "yesterday", "2126-01-01T00:00:00Z"])
def test_a_row_without_a_time_or_from_the_future_is_due(at: str) -> None:
    assert is_due(Outcome.FAILED, Why.FORBIDDEN, at, SETTLED)


def test_an_unknown_reason_is_asked_again_by_the_next_run() -> None:
    assert is_due(Outcome.FAILED, "of a later version", AT, SETTLED)


def test_what_was_withheld_is_due_at_once_for_a_run_that_heeds_no_opt_outs() -> None:
    assert not is_due(Outcome.REJECTED, Why.OPTED_OUT, AT, SETTLED + 1)
    assert is_due(Outcome.REJECTED, Why.OPTED_OUT, AT, SETTLED + 1, heed=False)
    assert not is_due(Outcome.REJECTED, Why.NOT_AN_IMAGE, AT, SETTLED + 1, heed=False)


def test_retry_gone_asks_for_all() -> None:
    row = Settled(1, Outcome.MISSING, Why.GONE, at=AT)
    assert asked_again(row, retry_gone=True, now=SETTLED)
    assert not asked_again(row, retry_gone=False, now=SETTLED + 10**8)


def age(folder: Path, seconds: float) -> None:
    """As if the rows had been settled so long ago."""
    at = (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rewrite(folder, {number: msgspec.structs.replace(row, at=at) for number, row in rows(folder).items()})


def test_a_published_list_is_asked_for_what_is_due_and_for_nothing_else(tmp_path: Path) -> None:
    names = ("busy", "500", "403", "page", "404", "ok")
    faults = [status(418), status(500), status(403), web_page(), status(404)]
    paths = [f"/{name}.png" for name in names]
    with Shop(paths, dict(zip(paths, faults, strict=False))) as shop:
        shop.run(tmp_path, "get", "--retries", "0")

        def asked(*options: str) -> set[str]:
            before = len(shop.seen)
            shop.run(tmp_path, "get", "--retries", "0", *options)
            paths = {seen.path for seen in shop.seen[before:]} - {"/robots.txt"}
            return {path.strip("/").removesuffix(".png") for path in paths}

        assert asked() == {"busy", "500"}
        age(tmp_path, 11 * MINUTE)
        assert asked() == {"busy", "500", "403"}
        age(tmp_path, 2 * HOUR)
        assert asked() == {"busy", "500", "403", "page"}
        assert asked("--retry-gone") == {"busy", "500", "403", "page", "404"}
        shop.answers["/busy.png"] = Thing(b"still not a picture")
        assert asked() == {"busy", "500"} and asked() == {"500"}
