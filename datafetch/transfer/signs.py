"""What the answers of a host tell: of its patience, and of a crowd by refusals and latency that come with it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from statistics import median

import msgspec

MOSTLY = 20.0  # accepted for one refused, below which so many in flight are taken for too many
FLAT, RISEN = 1.3, 2.0  # times the usual latency: no wider from there on; halved
SAMPLES = 30  # latencies, at the least, whose median counts
NOISE = 0.02  # seconds by which any two medians may differ
STUCK = 30  # medians that are neither flat nor risen: then it is tried whether fewer places help


class Heard(Enum):
    """What an answer says of the host's patience."""

    OK = "ok"  # served
    REFUSED = "refused"  # 420, 429, 503: asked too much
    OTHER = "other"  # gone, forbidden, broken: says nothing of it


class Sent(msgspec.Struct, frozen=True):
    """One request under way."""

    at: float
    among: int  # in flight, itself included


@dataclass(slots=True)
class Span:
    """What was accepted since a moment."""

    since: float
    accepted: int = 0
    barred: bool = False  # at first nothing was, whatever the pace
    seconds: float = 0.0  # its length, once it is over


class Levels:
    """How requests fared by how many were in flight with them."""

    def __init__(self, most: int) -> None:
        self._accepted = [0.0] * (most + 1)
        self._refused = [0.0] * (most + 1)

    def accepted(self, among: int) -> None:
        self._accepted[among] += 1

    def crowded(self, among: int) -> bool:
        """Whether it was the crowd that had this one refused: so many or more are mostly refused.

        Half of what was known is forgotten by that, since hosts change.
        """
        self._refused[among] += 1
        found = sum(self._accepted[among:]) < MOSTLY * sum(self._refused[among:])
        for counts in (self._accepted, self._refused):
            counts[among:] = [count / 2 for count in counts[among:]]
        return among > 1 and found


class Latency:
    """Whether the host takes longer since more ask at once; told of served requests only."""

    def __init__(self) -> None:
        self.flat = True
        self._usual = 0.0
        self._samples: list[float] = []
        self._high = self._stuck = 0  # medians in a row
        self._tried: float | None = None  # the median before places were halved

    @property
    def usual(self) -> float:
        """Seconds that an answer takes; 0 before the first."""
        return self._usual or (median(self._samples) if self._samples else 0.0)

    def risen(self, seconds: float, places: int) -> bool:
        """Take note of one; True when places should be halved for it."""
        self._samples.append(seconds)
        if len(self._samples) < max(SAMPLES, 2 * places):
            return False
        now = median(self._samples)
        self._samples.clear()
        if self._tried is not None and now > 0.8 * self._tried:
            self._usual = now  # it did not help: the host is slower by itself
        elif not self._usual or now < self._usual:
            self._usual += (now - self._usual) * (0.25 if self._usual else 1.0)
        self._tried = None
        self.flat = now <= FLAT * self._usual + NOISE
        self._stuck = 0 if self.flat else self._stuck + 1
        self._high = self._high + 1 if now > RISEN * self._usual + NOISE else 0
        if self._high < 2 and self._stuck < STUCK:
            return False
        self._high = self._stuck = 0
        self._tried = now
        return True
