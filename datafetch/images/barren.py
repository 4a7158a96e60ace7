"""When a host that serves nothing is given up for a while, so that its rows hold no run for days. Pure.

Rows are asked four times each, and a host that refuses is asked once a minute: a thousand rows of a host that is down
would take three days. It is given up once nothing was heard of it but refusals and broken lines, for LONG seconds and
for REFUSED refusals or LINES rows without an answer at the least. Its rows then end as failed, and the next run asks
for them again; after a REST it is tried anew in this one.
"""

from __future__ import annotations

from datafetch.model import Why

LONG, REST = 120.0, 600.0  # seconds
REFUSED, LINES = 4, 16
LINE = frozenset((Why.CONNECTION, Why.TIMEOUT, Why.DNS, Why.TOO_SLOW))  # no answer at all, or one without end


class Barren:
    """One host's. Times are seconds of any clock that never falls."""

    def __init__(self) -> None:
        self._since: float | None = None  # when it last began to serve nothing
        self._refused = 0
        self._rows: set[int] = set()  # without an answer
        self._until: float | None = None  # given up
        self._why = Why.THROTTLED

    def served(self) -> None:
        """It answered, and not with a refusal."""
        if self._since is not None:
            self._since = None
            self._refused = 0
            self._rows.clear()

    def refused(self, now: float) -> None:
        self._refused += 1
        self._count(now, Why.THROTTLED)

    def silent(self, row: int, why: Why, now: float) -> None:
        """A try for a row ended without an answer."""
        if why in LINE:
            if len(self._rows) < LINES:
                self._rows.add(row)
            self._count(now, why)

    def given_up(self, now: float) -> Why | None:
        """Why nothing is asked of it now; None: it is asked."""
        if self._until is None:
            return None
        if now < self._until:
            return self._why
        self._until = None
        self.served()
        return None

    def _count(self, now: float, why: Why) -> None:
        if self._since is None:
            self._since = now
        enough = self._refused >= REFUSED or len(self._rows) >= LINES
        if enough and now - self._since >= LONG and self._until is None:
            self._until, self._why = now + REST, why
