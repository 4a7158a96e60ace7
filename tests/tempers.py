"""Hosts with tempers: models of how servers limit, and a run of one host's manners against them, without waiting."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from datafetch.transfer.manners import Manners
from datafetch.transfer.signs import Heard, Sent


class Temper(Protocol):
    """Whether a host serves a request that arrives; `busy` others are being served."""

    def __call__(self, now: float, busy: int) -> bool: ...


@dataclass
class Bucket:
    """A token bucket: so many a second, and `burst` at once after a quiet while."""

    rate: float
    burst: float
    level: float = -1.0
    at: float = 0.0

    def __call__(self, now: float, busy: int) -> bool:
        level = self.burst if self.level < 0 else min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        served = level >= 1 - 1e-9
        self.level = level - 1 if served else level
        return served


@dataclass
class Window:
    """So many in each fixed span of seconds."""

    count: int
    seconds: float
    at: int = -1
    used: int = 0

    def __call__(self, now: float, busy: int) -> bool:
        at = int(now // self.seconds)
        if at != self.at:
            self.at, self.used = at, 0
        self.used += 1
        return self.used <= self.count


@dataclass
class Sliding:
    """So many in the seconds before any moment."""

    count: int
    seconds: float
    seen: deque[float] = field(default_factory=deque)

    def __call__(self, now: float, busy: int) -> bool:
        while self.seen and self.seen[0] <= now - self.seconds:
            self.seen.popleft()
        if len(self.seen) >= self.count:
            return False
        self.seen.append(now)
        return True


@dataclass
class AtOnce:
    """So many at the same time."""

    most: int

    def __call__(self, now: float, busy: int) -> bool:
        return busy < self.most


@dataclass
class Moody:
    """Refuses a share of what arrives, however slowly it is asked."""

    share: float
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __call__(self, now: float, busy: int) -> bool:
        return self.chance.random() >= self.share


def patient(now: float, busy: int) -> bool:
    """Serves all."""
    return True


@dataclass
class Run:
    """What a host saw."""

    started: float = 0.0
    ended: float = 0.0
    sent: int = 0
    refused: int = 0
    most: int = 0  # at once, as the client had them
    widest_gap: float = 0.0  # seconds without any request
    times: list[float] = field(default_factory=list)  # of served requests
    latencies: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.refused / max(self.sent, 1)

    def rate(self, after: float = 0.0) -> float:
        """Served a second, the first seconds left out."""
        since = self.started + after
        return sum(at >= since for at in self.times) / max(self.ended - since, 1e-9)


def run(
    temper: Temper,
    manners: Manners,
    seconds: float,
    *,
    latency: Callable[[int, random.Random], float] = lambda busy, chance: 0.05,
    retry_after: float | None = None,
    started: float = 0.0,
    seed: int = 0,
    requests: int = 10**9,
) -> Run:
    """Sends as fast as `manners` allow. An answer takes `latency(busy, chance)`, half of a refusal's of it."""
    chance = random.Random(seed)
    seen = Run(started)
    flights: list[tuple[float, int, Sent, bool]] = []  # when the answer comes back
    leaving: list[float] = []  # when the host is done with one
    now, last, count = started, started, 0
    while now < started + seconds and count < requests:
        wait = manners.wait(now)
        if wait == 0.0:
            while leaving and leaving[0] <= now:
                heapq.heappop(leaving)
            seen.widest_gap = max(seen.widest_gap, now - last)
            last = now
            ticket = manners.sent(now)
            served = temper(now, len(leaving))
            takes = latency(len(leaving), chance) if served else 0.02
            if served:
                heapq.heappush(leaving, now + takes - 0.005)
                seen.times.append(now)
                seen.latencies.append(takes)
            else:
                seen.refused += 1
            count += 1
            seen.sent += 1
            seen.most = max(seen.most, manners.busy)
            heapq.heappush(flights, (now + takes, count, ticket, served))
            continue
        due = now + wait
        if flights and flights[0][0] <= due:
            now, _, ticket, served = heapq.heappop(flights)
            manners.answered(
                ticket,
                now,
                Heard.OK if served else Heard.REFUSED,
                retry_after=None if served else retry_after,
            )
        else:
            now = due + chance.random() * 0.001  # loops wake late
    for _ in flights:
        manners.dropped()
    seen.ended = now
    return seen
