"""Whether a host refuses by how fast it is asked, or by what it is asked for; pure.

Some hosts answer 503 for a part of their addresses, or at random, however slowly they are asked. Who takes that for a
limit asks ever slower and never ends. A true limit tells itself: where a host served four in ten or more, it serves all
at an eighth of that rate. When it goes on refusing there, its refusals are no limit.
"""

from __future__ import annotations

from collections import Counter, deque
from math import ceil, log2

SLOWER = 3  # octaves of the rate
FEW = 3  # refusals, at the least, that tell something; twice as many after each doubt that was wrong
SERVED = 0.5  # accepted for one refused, at the least, where it was asked fast
RARE = 100  # accepted for one refused, above which nothing is told: long windows do that
LATELY, MOSTLY = 20, 0.8  # answers, and their share that is refused, from which on there is a limit after all
LONG = 5000  # answers after which it is found out anew


class Doubt:
    """One host's. `on`: its refusals are not to slow anybody down."""

    def __init__(self) -> None:
        self.on = False
        self._accepted: Counter[int] = Counter()  # by octave of the rate
        self._refused: Counter[int] = Counter()
        self._few = FEW
        self._since = 0  # answers in doubt
        self._lately: deque[bool] = deque(maxlen=LATELY)

    def accepted(self, rate: float | None) -> None:
        if self.on:
            self._heard(False)
        elif rate is not None:
            self._accepted[_octave(rate)] += 1

    def refused(self, rate: float) -> float | None:
        """A refusal that followed something served. When it makes for doubt, the rate to go back to."""
        here = _octave(rate)
        self._refused[here] += 1
        slow = [at for at in self._refused if at <= here]
        fast = [at for at in self._refused if at >= here + SLOWER]
        if not self._tells(slow) or not self._tells(fast):
            return None
        served = sum(self._accepted[at] for at in fast)
        if served < SERVED * sum(self._refused[at] for at in fast):
            return None
        self.on, self._since = True, 0
        self._lately.clear()
        return float(2.0 ** max(fast))

    def ignored(self) -> None:
        """A refusal while in doubt; too many of them, and the doubt was wrong."""
        self._heard(True)
        if len(self._lately) == LATELY and sum(self._lately) > MOSTLY * LATELY:
            self._few *= 2
            self._end()

    def _heard(self, refused: bool) -> None:
        self._lately.append(refused)
        self._since += 1
        if self._since >= LONG:
            self._end()

    def _end(self) -> None:
        self.on = False
        self._accepted.clear()
        self._refused.clear()
        self._lately.clear()

    def _tells(self, octaves: list[int]) -> bool:
        refused = sum(self._refused[at] for at in octaves)
        return refused >= self._few and sum(self._accepted[at] for at in octaves) <= RARE * refused


def _octave(rate: float) -> int:
    return ceil(log2(rate))
