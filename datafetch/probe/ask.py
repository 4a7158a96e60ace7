"""Asks the addresses: two small requests each, few at a host, as robots.txt and the answers allow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from datafetch.errors import DatafetchError, TransferFailed
from datafetch.identity import identity
from datafetch.model import Event, Settings
from datafetch.obtain.ways import ways_of
from datafetch.probe import memory
from datafetch.probe.judge import ROW, by_answer, by_failure, without_network
from datafetch.probe.words import Finding, Health, Target
from datafetch.stops import signals
from datafetch.store.home import Home
from datafetch.store.journal import Upstream
from datafetch.transfer.addresses import clean_url, host_of, safe_url, shown_host
from datafetch.transfer.courtesy import Courtesy
from datafetch.transfer.engine import Limits
from datafetch.transfer.glance import Glance, begin, head
from datafetch.transfer.holding import now
from datafetch.transfer.http import client
from datafetch.transfer.robots import Robots, asking
from datafetch.transfer.told import told
from datafetch.transfer.upstream import upstream
from datafetch.transfer.wanted import Ways

AT_ONCE, AT_HOST = 16, 2  # requests, in all and at one host
GAP = 0.2  # seconds between two that begin at one host
NOWHERE = ".invalid"  # how names of hosts end that are none
FIRST = 512  # bytes that tell what a file is
LIMITS = Limits(connect=10.0, low_speed_time=15, total=30.0)
_SETTLED = (Health.OK, Health.CHANGED)  # then no further address need be asked for the same file


def probe(
    wanted: Sequence[Target],
    settings: Settings,
    home_of: Callable[[str], Home],
    note: Callable[[str], None],
    *,
    heed_robots: bool = True,
) -> tuple[Finding, ...]:
    """What each target answers, in their order. No body is read but its first bytes, and what is published here is not
    looked at. What was said is remembered for the next look.

    Raises Offline when that is asked, Interrupted at a signal, UsageError for variables that name a provider wrongly.
    """

    async def run() -> tuple[Finding, ...]:
        reasons: list[DatafetchError] = []
        task = asyncio.ensure_future(_run(wanted, settings, home_of, note, heed_robots))

        def stop(reason: DatafetchError) -> None:
            reasons.append(reason)
            task.cancel()

        with signals(stop):
            await asyncio.wait((task,))
        if reasons:
            raise reasons[0]
        return task.result()

    return without_network(asyncio.run(run()))


async def _run(
    wanted: Sequence[Target],
    settings: Settings,
    home_of: Callable[[str], Home],
    note: Callable[[str], None],
    heed_robots: bool,
) -> tuple[Finding, ...]:
    settings = replace(settings, jobs=AT_ONCE, max_per_host=AT_HOST)

    def tell(event: Event) -> None:
        if event.kind == "note":
            note(event.text)

    async with client(settings, LIMITS) as http:
        ways = ways_of(settings, http, tell)
        courtesy = Courtesy(ways.hosts, AT_HOST)
        robots = Robots(asking(http, courtesy)) if heed_robots else None
        prober = _Prober(ways, courtesy, robots, home_of)
        found = await asyncio.gather(*(prober.look(target) for target in wanted))
    for dataset, known in prober.known.items():
        try:
            memory.save(home_of(dataset), known)
        except DatafetchError as error:
            note(f"what {dataset} answered is not remembered: {error}")
    return tuple(found)


@dataclass
class _Prober:
    """One for a run: an address that several files have is asked once."""

    ways: Ways
    courtesy: Courtesy
    robots: Robots | None
    home_of: Callable[[str], Home]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    known: dict[str, dict[str, Upstream]] = field(default_factory=dict)  # by dataset, as it is now
    _before: dict[str, dict[str, Upstream]] = field(default_factory=dict)  # as it was
    _glances: dict[str, asyncio.Task[Glance]] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)  # host -> when it may be asked again

    async def look(self, target: Target) -> Finding:
        """Each mirror of the user's, then the origin, until one has the file."""
        if target.unasked is not None:
            url = safe_url(target.url)
            return Finding(target.dataset, target.file, target.unasked, url, text=target.text)
        try:
            addresses = self.ways.addresses(target.wanted)
        except TransferFailed as error:
            return by_failure(target, target.url, error)
        addresses = tuple(url for url in addresses if not host_of(url).endswith(NOWHERE))
        if not addresses:
            text = "no network knows its host, by RFC 2606"
            return Finding(
                target.dataset, target.file, Health.UNASKED, safe_url(target.url), text=text, row=target.row
            )
        for url in addresses:
            found = await self._ask(target, url)
            if found.health in _SETTLED:
                break
        return found

    async def _ask(self, target: Target, url: str) -> Finding:
        try:
            clean = clean_url(url)
            if self.robots is not None and not (await self.robots.rules(clean)).allow(clean):
                text = f"{shown_host(url)}: its robots.txt forbids to ask for it"
                where = safe_url(target.url)
                return Finding(target.dataset, target.file, Health.UNASKED, where, text=text, row=target.row)
            glance = await self._glance(target, url, identity(clean))
        except TransferFailed as error:
            return by_failure(target, url, error)
        if target.row:  # nobody remembers a row: the next sample may be another
            return by_answer(target, url, glance, upstream(url, glance.headers, glance.size, now()), None)
        home = self.home_of(target.dataset)
        said = upstream(url, glance.headers, glance.size, now())
        if target.dataset not in self.known:
            self._before[target.dataset] = memory.load(home)
            self.known[target.dataset] = dict(self._before[target.dataset])
        last = self._before[target.dataset].get(said.address)
        before = last or memory.when_got(home, target.file, said.address)
        found = by_answer(target, url, glance, said, before)
        if found.health in _SETTLED:
            self.known[target.dataset][said.address] = said
        return found

    async def _glance(self, target: Target, url: str, address: str) -> Glance:
        if address not in self._glances:
            self._glances[address] = asyncio.ensure_future(self._both(target, url))
        return await self._glances[address]

    async def _both(self, target: Target, url: str) -> Glance:
        """HEAD, for what it says of the whole, and the first bytes; what GET answers counts."""
        whole: Glance | None = None
        async with self.ways.jobs:
            if target.row:
                return await self._turn(url, lambda: begin(self.ways, target.wanted, url, most=ROW))
            if not self.ways.provided(url):
                whole = await self._turn(url, lambda: head(self.ways, target.wanted, url))
            first = await self._turn(url, lambda: begin(self.ways, target.wanted, url, most=FIRST))
        if whole is None or whole.status != 200 or first.status not in (200, 206):
            return first
        headers = {**{k: v for k, v in whole.headers.items() if k in _OF_THE_FILE}, **first.headers}
        return replace(first, size=whole.size if first.size is None else first.size, headers=headers)

    async def _turn(self, url: str, ask: Callable[[], Awaitable[Glance]]) -> Glance:
        host = shown_host(url)
        async with self.courtesy.turn(host) as turn:
            at = max(time.monotonic(), self._due.get(host, 0.0))
            self._due[host] = at + GAP
            await self.sleep(max(0.0, at - time.monotonic()))
            glance = await ask()
            turn.heard(told(glance.status, glance.headers))
            return glance


_OF_THE_FILE = frozenset(("etag", "last-modified", "content-type"))
