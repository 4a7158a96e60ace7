"""How one process may ask one host just now: what those who learn its manners granted, and what of that is used.

The manners of a host are learned in one place from what all processes hear, so its budget is one whole. Between two
grants a process keeps to the last; at an answer that asks for less it holds by itself, until a grant that knows of
that answer.
"""

from __future__ import annotations

from math import inf

import msgspec

from datafetch.transfer.manners import following
from datafetch.transfer.signs import Heard, Sent
from datafetch.transfer.told import Told


class Grant(msgspec.Struct, array_like=True, frozen=True):
    """Times are on the monotonic clock, which the processes of a machine share."""

    places: int  # requests at once; 0: none, and what was not asked goes back
    pace: float | None = None  # requests a second
    not_before: float = -inf
    others: int = 0  # places that other processes have there
    halts: int = 0  # of the answers for which the process holds, those that are known


class Gait:
    """One host's, in one process. Call `wait` until it is 0, then `sent`, then exactly once `left`."""

    __slots__ = ("_grant", "_halts", "_next", "busy")

    def __init__(self) -> None:
        self.busy = 0
        self._grant = Grant(0)
        self._halts = 0
        self._next = -inf  # when the pace allows another

    def allow(self, grant: Grant) -> None:
        self._grant = grant

    def wait(self, now: float) -> float:
        """Seconds until one more may be sent: 0 is now, inf is not before an answer or a grant has come."""
        grant = self._grant
        if self.busy >= grant.places or self._halts > grant.halts:
            return inf
        due = grant.not_before if grant.pace is None else max(grant.not_before, self._next)
        return max(0.0, due - now)

    def sent(self, now: float) -> Sent:
        self.busy += 1
        if self._grant.pace is not None:
            self._next = following(self._next, now, self._grant.pace)
        return Sent(now, self.busy + self._grant.others)

    def left(self, told: Told | None) -> bool:
        """A request ended; whether what was heard makes this process hold."""
        self.busy -= 1
        if told is None or not asks_for_less(told):
            return False
        self._halts += 1
        return True


def asks_for_less(told: Told) -> bool:
    """Whether an answer is such that the next request must wait for what is made of it."""
    used_up = told.quota is not None and told.quota.remaining <= 0
    return used_up or told.retry_after is not None or told.heard is Heard.REFUSED
