"""The connections that fetch one file together: a lead, whose answer is open, and helpers while they pay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.transfer.addresses import shown_host
from datafetch.transfer.claims import LEAST, Claim, Claims
from datafetch.transfer.failures import Throttled, failed
from datafetch.transfer.holding import Holding
from datafetch.transfer.http import Answer
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.pump import Pump
from datafetch.transfer.resume import Act, ask_piece, judge
from datafetch.transfer.resume import Answer as Judged
from datafetch.transfer.retry import wait_for
from datafetch.transfer.wanted import Wanted, Ways
from datafetch.transfer.widen import Widen

_PIECE_SECONDS = 3.0  # of one connection; then a piece's round trip is a small part of it
_PIECE = (4 << 20, 64 << 20)  # bytes, at least and at most
_HICCUPS = frozenset((Why.CONNECTION, Why.TIMEOUT, Why.TOO_SLOW, Why.SHORT))  # of a line, no word against it


class Crew:
    """For one attempt at a file of known length.

    A helper that fails gives its piece back: the lead is the one whose failure ends the attempt. Only a file
    that proves to be another one, or a disk that fails, ends it from a helper.
    """

    def __init__(
        self, wanted: Wanted, ways: Ways, holding: Holding, url: str, widen: Widen, pump: Pump
    ) -> None:
        self._wanted, self._ways, self._holding, self._url = wanted, ways, holding, url
        self._widen, self._pump = widen, pump
        self._host = shown_host(url)
        self._claims = Claims(holding.gaps())
        self._helpers: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()  # a helper has left
        self._rate = 0.0  # bytes per second of all together
        self._proven = False  # whether the server gives two answers at once
        self._open: Claim | None = None  # what the lead's first answer is taken into

    async def fetch(
        self, answer: Answer, length: int | None, first: list[Chunk], batches: AsyncIterator[list[Chunk]]
    ) -> None:
        """All that lacks, beginning with the open answer. Raises TransferFailed or what the disk says."""
        claim = self._claims.first()
        if claim is None:
            return
        end = claim.end if length is None else claim.at + length
        work = self._lead(claim, end, answer, first, batches)
        if not self._may_widen(answer):
            await work
            return
        lead = asyncio.create_task(work)
        steer = asyncio.create_task(self._steer())
        try:
            await asyncio.wait((lead, steer), return_when=asyncio.FIRST_COMPLETED)
            if steer.done():
                steer.result()
            await lead
        except TransferFailed as failure:
            if failure.why is Why.THROTTLED and self._helpers:
                self._widen.shrink(len(self._helpers))
            raise
        finally:
            await _end(lead, steer, *self._helpers)

    def _may_widen(self, answer: Answer) -> bool:
        tied = self._holding.validators
        large = tied.total is not None and tied.total >= self._widen.width.least_size
        refuses = answer.headers.get("accept-ranges", "").strip().lower() == "none"
        return self._widen.width.most > 1 and large and tied.strong and not refuses

    # --- The lead -------------------------------------------------------------------------------------------

    async def _lead(
        self, claim: Claim, end: int, answer: Answer, first: list[Chunk], batches: AsyncIterator[list[Chunk]]
    ) -> None:
        def more(claim: Claim) -> bool:
            return claim.end < end and self._claims.extend(claim, self._piece())

        self._open = claim
        try:
            beyond = await self._pump.take(claim, first, batches, more)
            if beyond and claim.at >= end:
                text = f"the server sends more than the {end} bytes it has told of"
                raise failed(Why.CHANGED, self._url, text)
            self._check_short(claim)
        finally:
            self._open = None
            self._claims.done(claim)
        await answer.close()
        while True:
            self._left.clear()
            mine = self._claims.next(self._piece()) or self._claims.steal()
            if mine is not None:
                await self._fetch_piece(mine)
            elif self._helpers:
                await self._left.wait()
            elif not self._claims.left:
                return

    def _check_short(self, claim: Claim) -> None:
        if claim.left:
            total = self._holding.validators.total
            raise failed(Why.SHORT, self._url, f"{self._holding.size} of {total} bytes arrived")

    # --- Helpers --------------------------------------------------------------------------------------------

    async def _steer(self) -> None:
        """Adds helpers as long as they pay; ends only by raising what a helper found that concerns all."""
        clock, seconds = self._ways.clock, self._widen.width.round
        before, since = self._claims.left, clock()
        while True:
            for helper in await self._ended(seconds):
                self._helpers.discard(helper)
                self._left.set()
                helper.result()
            left, now = self._claims.left, clock()
            if now - since < seconds:
                continue
            self._rate = (before - left) / (now - since)
            wanted = self._widen.round(before - left, now - since, left)
            before, since = left, now
            if 1 + len(self._helpers) < wanted:
                self._add(wanted)

    async def _ended(self, seconds: float) -> set[asyncio.Task[None]]:
        """The helpers that have left; waits for one to leave, but not for longer than that."""
        if not self._helpers:
            await asyncio.sleep(seconds)
            return set()
        done, _ = await asyncio.wait(self._helpers, timeout=seconds)
        return done

    def _add(self, wanted: int) -> None:
        """Helpers up to `wanted` connections, as far as the host has places to spare."""
        if not self._proven:
            wanted = 2
        while 1 + len(self._helpers) < wanted and self._ways.hosts.spare(self._host):
            helper = asyncio.create_task(self._help())
            helper.add_done_callback(lambda _: self._ways.hosts.leave(self._host))
            self._helpers.add(helper)

    async def _help(self) -> None:
        """Piece after piece until there is none, or the place is needed. Raises what concerns all."""
        began, claim = 0, None
        try:
            if not self._proven:
                await self._probe()
            if not self._proven:
                return  # what is left is too short to try
            while 1 + len(self._helpers) <= self._widen.wanted and not self._ways.hosts.crowded(self._host):
                claim = self._claims.next(self._piece()) or self._claims.steal()
                if claim is None:
                    return
                began = claim.at
                await self._fetch_piece(claim)
        except TransferFailed as failure:
            self._judge_failure(failure, advanced=claim is not None and claim.at > began)

    async def _probe(self) -> None:
        """The first piece beside the lead, which leaves its open answer only once another was given.

        A server that ignores ranges, or wants one connection only, so costs a request and nothing else.
        """
        lead = self._open
        if lead is None:
            self._proven = True
            return
        start = lead.at + self._piece()
        end = min(lead.end, start + self._piece())
        if start >= end:
            return
        async with self._answer(start, end) as (answer, length):
            await self._holding.open_up()
            self._proven = True
            claim = self._claims.split(lead, start, end) if self._open is lead else None
            if claim is not None:
                try:
                    await self._pour(claim, length, answer)
                finally:
                    self._claims.done(claim)

    def _judge_failure(self, failure: TransferFailed, advanced: bool) -> None:
        """What a helper's failure means for the others. Raises it when it concerns the file itself."""
        if failure.why in (Why.CHANGED, Why.NO_SPACE):
            raise failure
        if failure.why is Why.RANGE_IGNORED:
            self._widen.shrink(1)
            return
        if failure.why is Why.THROTTLED:
            asked = failure.seconds if isinstance(failure, Throttled) else None
            self._ways.hosts.slow(self._host, wait_for(asked, 0.0, self._ways.patience))
        if not (advanced and failure.why in _HICCUPS):
            self._widen.shrink(len(self._helpers))

    async def _fetch_piece(self, claim: Claim) -> None:
        """One request for a claim; what does not come in of it is given back. Raises TransferFailed."""
        try:
            async with self._answer(claim.at, claim.end) as (answer, length):
                await self._pour(claim, length, answer)
        finally:
            self._claims.done(claim)

    @asynccontextmanager
    async def _answer(self, start: int, end: int) -> AsyncIterator[tuple[Answer, int]]:
        """The answer to a request for these bytes and how many it promises. Raises TransferFailed."""
        asked = ask_piece(start, end, self._holding.validators)
        async with self._ways.open(self._wanted, self._url, asked.headers) as answer:
            judged = judge(asked, answer.status, answer.headers)
            if judged.act is not Act.CONTINUE or judged.length is None:
                raise self._refusal(judged, answer)
            known = self._holding.promise
            if text := answer.promise.differs(known.size, known.checksums):
                raise failed(Why.CHANGED, self._url, text)
            yield answer, judged.length

    async def _pour(self, claim: Claim, length: int, answer: Answer) -> None:
        began = claim.at
        beyond = await self._pump.take(claim, [], answer.batches())
        if beyond and claim.at >= began + length:
            raise failed(Why.CHANGED, self._url, "the server sends more than it has told of")
        if claim.at == began:
            raise failed(Why.SHORT, self._url, "the answer to a range was empty")

    def _refusal(self, judged: Judged, answer: Answer) -> TransferFailed:
        """Why an answer brings no piece."""
        if judged.act is Act.REJECT:
            return failed(judged.why, self._url, judged.text, answer.later)
        if judged.act is Act.START and judged.validators == self._holding.validators:
            return failed(Why.RANGE_IGNORED, self._url, "the server ignores ranges")
        self._widen.shrink(1)  # if it is not the file but the server that is at fault, one stream will do
        return failed(Why.CHANGED, self._url, judged.text or "the file on the server is another one now")

    def _piece(self) -> int:
        """Bytes of a fair piece: a few seconds of one connection, and less towards the end."""
        crew = 1 + len(self._helpers)
        least, most = _PIECE
        fair = min(most, max(least, int(self._rate / crew * _PIECE_SECONDS))) if self._rate else most
        return max(LEAST, min(fair, self._claims.left // (2 * crew)))


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Stops the tasks and waits until they have come to rest, their bytes taken in."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
