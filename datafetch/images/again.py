"""When a row that ended without its file is asked for again. Pure: the clock comes in.

why                                         again                          because
gone, placeholder, bad url                  only with --retry-gone         nothing there changes by itself
tls, forbidden, quota                       10 minutes later               a host that blocks is not to be hammered
a page, not an image, too small, too large  1 hour later                   a person has to change something there
opted out                                   1 hour later, and by a run     as before
                                            with --ignore-opt-out
server error, throttled, connection, dns,   by the next run                the host or the line may be well again
  timeout, too slow, short body, what
  stopped on our side, and all others

The clock starts when the row was settled. A row without a time, or from the future, is due: clocks are set.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from datafetch.model import Outcome, Why

MINUTE, HOUR = 60.0, 3600.0
NEVER = float("inf")

_RESTS: Mapping[str, float] = {
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


def rest(outcome: Outcome, why: str) -> float:
    """Seconds before a row that ended so is asked for again; NEVER for one that is final."""
    if outcome in (Outcome.OK, Outcome.SKIPPED, Outcome.MISSING):
        return NEVER
    return _RESTS.get(why, 0.0)


def due_at(outcome: Outcome, why: str, at: str, now: float) -> float:
    """From when on a row that was settled at `at` is asked for again, in seconds since 1970; NEVER: not at all."""
    since = _seconds(at)
    return rest(outcome, why) + (since if since <= now else 0.0)


def is_due(outcome: Outcome, why: str, at: str, now: float, *, heed: bool = True) -> bool:
    """Whether a run at `now` asks for it again; one that does not heed opt-outs takes what was withheld at once."""
    return (why == Why.OPTED_OUT and not heed) or due_at(outcome, why, at, now) <= now


def _seconds(at: str) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0
