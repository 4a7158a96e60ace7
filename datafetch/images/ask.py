"""One item over HTTP: its addresses in turn, with the retries of `transfer.retry`, until a body passes or
none is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from datafetch.errors import TransferFailed
from datafetch.images.judge import Judge
from datafetch.images.ledger import outcome_of
from datafetch.images.placeholders import leads_to_placeholder
from datafetch.model import Event, Outcome, Why
from datafetch.transfer.addresses import candidates, origin, safe_url, shown_host
from datafetch.transfer.engine import Limits
from datafetch.transfer.failures import Throttled, failed
from datafetch.transfer.http import open_url
from datafetch.transfer.retry import (
    Patience,
    Tries,
    Verdict,
    backoff,
    decide,
    retry_after,
    wait_for,
    why_of_status,
)
from datafetch.transfer.wanted import Ways


@dataclass(frozen=True, slots=True)
class Found:
    """A body that passed every check."""

    data: bytes
    url: str  # the list's address that it belongs to, not a mirror's
    sha256: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """An item that no address gave."""

    why: Why
    url: str  # free of secrets
    text: str


Ask = Callable[[tuple[str, ...]], Awaitable[Found | Lost]]

# A list has many rows and a later run asks again, so one row is not insisted on as a whole archive is.
PATIENCE = Patience(tries=4, tries_before_next=2)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks for items; one per list. All that a single item may cost is bounded: bytes, time, tries."""

    name: str  # of the artifact, for the events
    ways: Ways
    judge: Judge
    patience: Patience = PATIENCE
    total: float = 120.0  # seconds for one body

    async def __call__(self, urls: tuple[str, ...]) -> Found | Lost:
        """The first body that passes. Else how it was lost: a way that may mend counts before a final one."""
        lost: list[Lost] = []
        for url in urls:
            asked = candidates((url,), self.ways.mirrors, self.ways.mirror_only)
            for at, address in enumerate(asked, 1):
                found = await self._insist(address, url, last=at == len(asked))
                if isinstance(found, Found):
                    return found
                lost.append(found)
        return next((each for each in lost if outcome_of(each.why) is not Outcome.MISSING), lost[0])

    async def _insist(self, address: str, url: str, *, last: bool) -> Found | Lost:
        """One address, asked as often as the table in `transfer.retry` says."""
        tries = Tries()
        while True:
            try:
                return await self._once(address, url)
            except TransferFailed as failure:
                why = Why.PLACEHOLDER if leads_to_placeholder(failure.url) else failure.why
                count = tries.after(why, advanced=False)
                verdict = decide(why, count, last=last, patience=self.patience)
                if not await self._waited(address, failure, verdict, count):
                    return Lost(why, safe_url(url), str(failure))

    async def _waited(self, address: str, failure: TransferFailed, verdict: Verdict, count: int) -> bool:
        """Waits as the verdict says, the host's other items too if it says so; False when it says no."""
        asked = failure.seconds if isinstance(failure, Throttled) else None
        wait = 0.0
        if verdict.wait or verdict.host_wide:
            wait = wait_for(asked, backoff(count, self.ways.chance(), self.patience), self.patience)
        if verdict.host_wide:
            self.ways.hosts.slow(shown_host(address), wait)
        if not verdict.again:
            return False
        soon = f"again in {wait:.0f} s" if wait >= 0.5 else "again at once"
        text = f"{failure}; {soon}"
        self.ways.emit(Event("retry", self.name, count=count, why=failure.why, url=failure.url, text=text))
        if not verdict.host_wide:
            await self.ways.hosts.pause(wait)
        return True

    async def _once(self, address: str, url: str) -> Found:
        never = frozenset((origin(url),)) if self.ways.mirror_only and self.ways.mirrors else frozenset()
        limits = Limits(total=self.total, body_bytes=self.judge.limits.max_bytes)
        async with (
            self.ways.hosts.turn(shown_host(address)),
            open_url(self.ways.http, address, never=never, limits=limits) as answer,
        ):
            if leads_to_placeholder(answer.url):
                await answer.discard()
                raise failed(Why.PLACEHOLDER, answer.url, "the picture of a missing one")
            if answer.status != 200:
                await answer.discard()
                later = retry_after(answer.headers.get("retry-after", ""), datetime.now(UTC))
                raise failed(why_of_status(answer.status), address, f"status {answer.status}", later)
            data = b"".join([chunk async for chunk in answer.chunks()])
            self.ways.emit(Event("received", self.name, done=len(data)))
        # Hashing and decoding free the interpreter, so the network goes on meanwhile.
        judged = await asyncio.to_thread(self.judge, data)
        if isinstance(judged, Why):
            raise failed(judged, address, f"{len(data)} bytes that are {_WORDS.get(judged, judged)}")
        return Found(data, url, judged.sha256, judged.width, judged.height)


_WORDS = {
    Why.NOT_AN_IMAGE: "not an image",
    Why.SHORT: "an image that breaks off",
    Why.PLACEHOLDER: "a picture known to stand for a missing one",
    Why.TOO_SMALL: "too few",
    Why.TOO_LARGE: "too many, or too many pixels",
    Why.HTML: "a web page",
}
