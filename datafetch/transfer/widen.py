"""How many connections one file gets: more while that makes it faster; pure.

It begins with one. After each round the rate is compared with that before connections were added:

    time left at this rate is short       stay: a connection that is not open costs nothing
    faster by a good part                 twice as many
    no faster                             back to as many as before, for good
    a connection was refused              no more than are left, for good
"""

from __future__ import annotations

from dataclasses import dataclass

_FASTER = 1.15
_SETTLE = 2  # rounds before a rate is believed: a line starts slowly


@dataclass(frozen=True, slots=True)
class Width:
    """What several connections for one file are bound to."""

    most: int = 4  # connections
    least_size: int = 64 << 20  # bytes of a file that is worth more than one
    worth: float = 3.0  # seconds of transfer below which nothing is gained by another
    round: float = 0.5  # seconds


class Widen:
    """For one file at one address; told the bytes of each round."""

    def __init__(self, width: Width) -> None:
        self.width = width
        self.wanted = 1
        self._before = 1
        self._rate = 0.0  # at `_before` connections
        self._rounds = 0
        self._settled = width.most <= 1

    def round(self, received: int, seconds: float, left: int) -> int:
        """How many connections there should be, after a round with `received` bytes and `left` to come."""
        rate = received / seconds if seconds > 0 else 0.0
        self._rounds += 1
        if self._settled or self._rounds < _SETTLE or rate <= 0 or left / rate < self.width.worth:
            return self.wanted
        if self._rate and rate < self._rate * _FASTER:
            self.wanted, self._settled = self._before, True
        elif self.wanted >= self.width.most:
            self._settled = True
        else:
            self._before, self._rate, self._rounds = self.wanted, rate, 0
            self.wanted = min(self.width.most, self.wanted * 2)
        return self.wanted

    def shrink(self, to: int) -> None:
        """A connection was refused: no more than `to` from now on."""
        self.wanted, self._settled = max(1, min(self.wanted, to)), True
