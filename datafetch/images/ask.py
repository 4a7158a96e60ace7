"""One item over HTTP: its addresses in turn, with the retries of `transfer.retry`, until a body passes or
none is left. The workers ask; what is decided about it is decided here, for all of them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from datafetch.images.ledger import outcome_of
from datafetch.images.wire import Ended
from datafetch.images.workers import WorkerDied, Workers
from datafetch.model import Event, Outcome, Why
from datafetch.transfer.addresses import candidates, origin, safe_url, shown_host
from datafetch.transfer.courtesy import Courtesy
from datafetch.transfer.retry import Patience, Tries, Verdict, backoff, decide, wait_for
from datafetch.transfer.robots import Robots
from datafetch.transfer.wanted import Ways

# A list has many rows and a later run asks again, so one row is not insisted on as a whole archive is.
PATIENCE = Patience(tries=4, tries_before_next=2)
DEATHS = 3  # worker processes that one item may take with it


@dataclass(frozen=True, slots=True)
class Found:
    """A body that passed every check and stands in the staging folder, not yet durable."""

    url: str  # the list's address that it belongs to, not a mirror's
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """An item that no address gave."""

    why: Why
    url: str  # free of secrets
    text: str
    unnameable: bool = False  # no file can have the path that its row wants

    @property
    def outcome(self) -> Outcome:
        """The state that its row ends in."""
        return Outcome.REJECTED if self.unnameable else outcome_of(self.why)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks for items; one per list. All that a single item may cost is bounded: bytes, time, tries, processes."""

    name: str  # of the artifact, for the events
    ways: Ways
    workers: Workers
    at_once: asyncio.Semaphore  # requests under way, of all hosts together
    courtesy: Courtesy
    robots: Robots | None  # None: what they forbid is taken, too
    patience: Patience = PATIENCE
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)  # for those that may have killed a process

    def host(self, urls: tuple[str, ...]) -> str:
        """Who is asked first."""
        return shown_host(self._asked(urls[0])[0])

    async def __call__(self, urls: tuple[str, ...], path: str) -> Found | Lost:
        """The first body that passes, written to `path`; of what was lost, a way that may mend counts first.

        Raises TransferLimit and NoRoom.
        """
        lost: list[Lost] = []
        for url in urls:
            asked = self._asked(url)
            for at, address in enumerate(asked, 1):
                found = await self._insist(address, url, path, last=at == len(asked))
                if isinstance(found, Found):
                    return found
                lost.append(found)
        return next((each for each in lost if each.outcome is not Outcome.MISSING), lost[0])

    def _asked(self, url: str) -> tuple[str, ...]:
        return candidates((url,), self.ways.mirrors, self.ways.mirror_only) if self.ways.mirrors else (url,)

    async def _insist(self, address: str, url: str, path: str, *, last: bool) -> Found | Lost:
        """One address, asked as often as the table in `transfer.retry` says."""
        if self.robots is not None and address == url and (no := await self._forbidden(url)) is not None:
            return no
        tries = Tries()
        while True:
            try:
                ended = await self._survived(address, url, path)
            except WorkerDied as died:
                why = Why.NOT_AN_IMAGE if died.decoding else Why.UNKNOWN
                return Lost(why, safe_url(url), f"{shown_host(address)}: {died}")
            if ended.unnameable:
                return Lost(Why.UNKNOWN, safe_url(url), f"no file can be called {path}", unnameable=True)
            if not ended.why:
                return Found(url, ended.received, ended.sha256, ended.width, ended.height)
            why = Why(ended.why)
            if why is Why.LIMIT:
                self.workers.check()
            count = tries.after(why, advanced=False)
            verdict = decide(why, count, last=last, patience=self.patience)
            if not await self._waited(address, ended, verdict, count):
                return Lost(why, safe_url(url), ended.text)

    async def _waited(self, address: str, ended: Ended, verdict: Verdict, count: int) -> bool:
        """Waits as the verdict says, the host's other items too if it says so; False when it says no."""
        wait = 0.0
        if verdict.wait or verdict.host_wide:
            own = backoff(count, self.ways.chance(), self.patience)
            wait = wait_for(ended.wait, own, self.patience)
        answered = ended.told is not None
        if verdict.host_wide and not answered:
            self.ways.hosts.slow(shown_host(address), wait)
        if not verdict.again:
            return False
        soon = f"again in {wait:.0f} s" if wait >= 0.5 else "again at once"
        text = f"{ended.text}; {soon}"
        self.ways.emit(Event("retry", self.name, count=count, why=ended.why, url=ended.url, text=text))
        if not verdict.host_wide:
            await self.ways.hosts.pause(wait)
        return True  # after a refusal the next turn waits for as long as is due

    async def _forbidden(self, url: str) -> Lost | None:
        """The end of a row that robots.txt keeps from being asked; None when it may be."""
        assert self.robots is not None
        if await self.robots.allow(url):
            return None
        return Lost(Why.OPTED_OUT, safe_url(url), f"{shown_host(url)}: robots.txt forbids it")

    async def _survived(self, address: str, url: str, path: str) -> Ended:
        """One try that a worker lives through. Raises WorkerDied when it is the item that kills them."""
        deaths = 0
        while True:
            try:
                if not deaths:
                    return await self._once(address, url, path)
                async with self.alone:  # so that the next death has one suspect
                    return await self._once(address, url, path)
            except WorkerDied as died:
                deaths += died.suspect
                if died.guilty or deaths >= DEATHS:
                    raise

    async def _once(self, address: str, url: str, path: str) -> Ended:
        never = origin(url) if self.ways.mirror_only and self.ways.mirrors else ""
        async with self.courtesy.turn(shown_host(address)) as turn, self.at_once:
            flight = self.workers.ask(address, path, never)
            if (heard := await flight.came) is not None:
                turn.heard(heard)
        return await flight.ended
