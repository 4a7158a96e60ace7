"""What follows from each way a transfer can end; pure.

why                                   part       again                                       then
connection, timeout, too slow, dns,   keep       with back-off; counted anew after real       next address
  server error, short body                       progress, and more of them then
throttled                             keep       after Retry-After; the host slows for all    next address
range ignored                         truncate   at once: the same answer, from 0             -
changed (offset, validator or size)   drop       at once, from 0, twice                       next address
checksum                              drop       at once, from 0, twice; once when they are   next address
                                                 the same and another file is locked
bad answer                            drop       once, with back-off                          next address
html, quota, forbidden, gone          drop       no                                           next address
tls, bad url, refused, too large,     drop       no                                           next address
  opted out
not an image, too small               drop       once                                         next address
no space                              keep       no                                           stop the run
anything else                         drop       no                                           next address

Progress is real when it brings the file further than ever before by a MiB or a hundredth of it, and no slower
than `Patience.floor` on average since it last was: a server that sends a little and drops, for ever, holds no
run for ever. Nor does one that drips: a try that falls below the floor for `Patience.window` ends as too slow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from datafetch.model import Why
from datafetch.transfer.numbers import count


class Keep(Enum):
    KEEP = "keep"
    TRUNCATE = "truncate"
    DROP = "drop"


class Then(Enum):
    NEXT = "next address"
    STOP = "stop the run"


@dataclass(frozen=True, slots=True)
class Verdict:
    part: Keep
    again: bool
    wait: bool  # back off before the next try
    host_wide: bool  # everyone who asks this host waits too
    then: Then  # what follows when there is no next try


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a transfer insists. Waits are seconds; tries count from the last real progress."""

    tries: int = 6
    tries_before_next: int = 3  # when another address is left to ask
    more_of_proven: int = 4  # tries more where bytes came in this run: minutes, until a router is up again
    first: float = 0.5
    cap: float = 60.0  # longest single wait, whatever a server asks for
    floor: int = 8 << 10  # bytes per second that a file must come at …
    window: float = 60.0  # … on average over so many seconds

    def insisting(self, retries: int | None) -> Patience:
        """The same with so many tries after the first; None changes nothing."""
        if retries is None:
            return self
        most, before_next = retries + 1, min(self.tries_before_next, retries + 1)
        return replace(self, tries=most, tries_before_next=before_next, more_of_proven=0)

    def with_proven(self) -> Patience:
        """The same for a server that has shown that it has the file; who insists on one try gets one."""
        return replace(self, tries=self.tries + self.more_of_proven) if self.tries > 1 else self

    def at_rate(self, rate: int | None) -> Patience:
        """The same for transfers that share so many bytes per second: a small share is no server's fault."""
        return self if rate is None else replace(self, floor=min(self.floor, rate // 64))


@dataclass(frozen=True, slots=True)
class _Row:
    part: Keep
    tries: int | None  # in all; None takes Patience
    wait: bool = False
    host_wide: bool = False
    then: Then = Then.NEXT


_PATIENT = _Row(Keep.KEEP, None, wait=True)
_FROM_ZERO = _Row(Keep.DROP, 3)
_FINAL = _Row(Keep.DROP, 1)
_TABLE = {
    Why.CONNECTION: _PATIENT,
    Why.TIMEOUT: _PATIENT,
    Why.TOO_SLOW: _PATIENT,
    Why.SERVER_ERROR: _PATIENT,
    Why.SHORT: _PATIENT,
    Why.DNS: _Row(Keep.KEEP, None, wait=True, host_wide=True),
    Why.THROTTLED: _Row(Keep.KEEP, None, wait=True, host_wide=True),
    Why.RANGE_IGNORED: _Row(Keep.TRUNCATE, 3),
    Why.CHANGED: _FROM_ZERO,
    Why.CHECKSUM: _FROM_ZERO,
    Why.BAD_ANSWER: _Row(Keep.DROP, 2, wait=True),
    Why.NOT_AN_IMAGE: _Row(Keep.DROP, 2),
    Why.TOO_SMALL: _Row(Keep.DROP, 2),
    Why.NO_SPACE: _Row(Keep.KEEP, 1, then=Then.STOP),
}


def decide(why: Why, tries: int, *, last: bool = True, patience: Patience | None = None) -> Verdict:
    """The verdict after `tries` tries that ended with `why`; `last` when no other address is left."""
    row = _TABLE.get(why, _FINAL)
    insist = patience or Patience()
    allowed = row.tries if row.tries is not None else (insist.tries if last else insist.tries_before_next)
    again = tries < allowed
    return Verdict(row.part, again, again and row.wait, row.host_wide, row.then)


class Tries:
    """Counts the tries at one address: those that patience covers together, every other kind by itself."""

    def __init__(self) -> None:
        self._counts: dict[Why | None, int] = {}

    def after(self, why: Why, advanced: bool) -> int:
        """The number of tries in a row that ended with `why`, this one included.

        `advanced`: it made real progress; then patience begins anew.
        """
        patient = _TABLE.get(why, _FINAL).tries is None
        key = None if patient else why
        before = 0 if patient and advanced else self._counts.get(key, 0)
        self._counts[key] = before + 1
        return before + 1


_REAL = 1 << 20  # bytes of a large file that count as progress


class Ground:
    """How far one file has come at one address, and whether that is worth new patience."""

    def __init__(self, held: int, patience: Patience) -> None:
        self._mark = held  # where real progress was last seen
        self._floor = patience.floor
        self._spent = 0.0  # seconds of transfer since then
        self.gains = 0

    def gained(self, held: int, total: int | None, seconds: float) -> bool:
        """Whether a try of so many seconds, after which `held` bytes of `total` are here, made real progress."""
        self._spent += seconds
        enough = _REAL if total is None else min(_REAL, total // 100)
        if held - self._mark < max(1, enough, self._floor * self._spent):
            return False
        self._mark, self._spent = held, 0.0
        self.gains += 1
        return True


class Drip:
    """Watches the speed of one try; told how many bytes are here as they come."""

    def __init__(self, held: int, now: float, patience: Patience) -> None:
        self._before, self._since = held, now
        self._window, self._least = patience.window, patience.floor * patience.window

    def too_slow(self, held: int, now: float) -> bool:
        """Whether a whole window has passed below the floor."""
        if now - self._since < self._window:
            return False
        if held - self._before < self._least:
            return True
        self._before, self._since = held, now
        return False


def backoff(tries: int, chance: float, patience: Patience) -> float:
    """Seconds to wait after `tries` failures: full jitter, `chance` in [0, 1) of a doubling, capped time."""
    return chance * min(patience.cap, patience.first * 2.0 ** min(tries - 1, 30))


_AGES = 10**9  # seconds


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, never negative; None when it cannot be read."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = count(text)
        return float(_AGES if seconds is None else min(seconds, _AGES))
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def wait_for(asked: float | None, own: float, patience: Patience) -> float:
    """Seconds to wait: what the server asks for or our own back-off, whichever is longer, up to the cap."""
    return min(max(asked or 0.0, own), patience.cap)


def why_of_status(status: int) -> Why:
    """The Why of a status that is neither 200 nor 206."""
    match status:
        case 404 | 410:
            return Why.GONE
        case 401 | 402 | 403 | 407 | 451:
            return Why.FORBIDDEN
        case 420 | 429 | 503:
            return Why.THROTTLED
        case 408 | 425:
            return Why.SERVER_ERROR
        case _ if 500 <= status <= 599:
            return Why.SERVER_ERROR
        case _:
            return Why.BAD_ANSWER
