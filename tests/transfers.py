"""How the tests of `transfer` run one: tiny waits, a clock of their own, everything that happened kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datafetch.errors import DatafetchError
from datafetch.model import Checksum, Event, Fetched, Settings
from datafetch.store.journal import Journal
from datafetch.transfer.asking import Provider
from datafetch.transfer.engine import Limits
from datafetch.transfer.hosts import Hosts
from datafetch.transfer.http import client
from datafetch.transfer.pool import fetch
from datafetch.transfer.retry import Patience
from datafetch.transfer.wanted import Wanted, Ways
from datafetch.transfer.widen import Width

LIMITS = Limits(connect=2, low_speed_time=1, total=5)


def sha256(data: bytes) -> Checksum:
    return Checksum("sha256", hashlib.sha256(data).hexdigest())


class Time:
    """A monotonic clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Bench:
    """One file's folder, and what became of its transfers."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    time: Time = field(default_factory=Time)
    limits: Limits = LIMITS

    def __post_init__(self) -> None:
        self.hosts = Hosts(4, self.time.clock, self.time.sleep)

    @property
    def part(self) -> Path:
        return self.folder / "parts" / "a.part"

    @property
    def target(self) -> Path:
        return self.folder / "archives" / "a"

    @property
    def journal(self) -> Path:
        return self.folder / "journal" / "a.jsonl"

    @property
    def received(self) -> int:
        return sum(event.done for event in self.events if event.kind == "received")

    def whys(self) -> list[str]:
        return [event.why for event in self.events if event.kind == "retry"]

    def __call__(self, *urls: str, **how: Any) -> Fetched:
        """Fetch; raises what the transfer raised."""
        return asyncio.run(self.run(*urls, **how))

    def fails(self, *urls: str, **how: Any) -> DatafetchError:
        try:
            fetched = self(*urls, **how)
        except DatafetchError as error:
            return error
        raise AssertionError(f"it did not fail: {fetched}")

    async def run(
        self,
        *urls: str,
        settings: Mapping[str, Any] | None = None,
        patience: Patience | None = None,
        limits: Limits | None = None,
        width: Width | None = None,
        providers: tuple[Provider, ...] = (),
        **wanted: Any,
    ) -> Fetched:
        chosen = Settings(root=str(self.folder), **({"allow_private": True} | dict(settings or {})))
        asked = Wanted("a", urls, self.part, self.target, "archives/a", **wanted)
        async with client(chosen) as http:
            ways = Ways(
                http,
                self.hosts,
                self.events.append,
                chosen.mirrors,
                chosen.mirror_only,
                patience or Patience(tries=4, tries_before_next=2),
                limits or self.limits,
                width or Width(),
                chance=lambda: 0.0,
                providers=providers,
            )
            return await fetch(asked, ways, Journal(self.journal))
