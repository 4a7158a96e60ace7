"""When more of a host may be tried than it was seen to allow: refusals are a budget; pure."""

from __future__ import annotations

BUDGET = 0.007  # of all requests, refusals above which nothing is probed
REMEMBERED = 50_000  # requests after which the counts are halved: an old refusal is forgotten
PROBE = 0.02  # by which the first probe exceeds the rate; each further one twice as much
HOLD, LONGEST_HOLD = 5.0, 120.0  # seconds between probes: doubled by each that fails
LOST = 30  # times the pause that a refusal costs: no probe earlier


class Probing:
    """One host's budget of refusals, and how bold the next probe is."""

    def __init__(self) -> None:
        self._requests = self._refused = 0
        self._hold = HOLD
        self._step = PROBE
        self._under_way = False  # since the last refusal something was probed

    def count(self, refused: bool) -> None:
        """One more answer came."""
        self._requests += 1
        self._refused += refused
        if self._requests > REMEMBERED:
            self._requests //= 2
            self._refused //= 2

    def allowed(self, quiet: float, pause: float) -> bool:
        """Whether one may begin, `quiet` seconds after a refusal that cost a `pause`."""
        return self._refused + 1 <= BUDGET * self._requests and quiet >= max(self._hold, LOST * pause)

    def begin(self) -> None:
        self._under_way = True

    def step(self) -> float:
        """By how much the rate may be exceeded now; those before went well."""
        if self._under_way:
            self._hold = HOLD
        self._under_way = True
        step, self._step = self._step, min(1.0, 2 * self._step)
        return step

    def refused(self) -> None:
        """It came to a refusal; the next is gentle, and later if it was a probe that did."""
        if self._under_way:
            self._hold = min(LONGEST_HOLD, 2 * self._hold)
        self._under_way, self._step = False, PROBE
