"""One try at one address: ask for what is missing, judge the answer, take the bytes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from datafetch.errors import NoRoom
from datafetch.model import Event, Why
from datafetch.store.files import free_space
from datafetch.transfer.addresses import clean_url, safe_url
from datafetch.transfer.holding import Holding
from datafetch.transfer.http import Answer, open_url
from datafetch.transfer.pages import SNIFF, page, squeezed
from datafetch.transfer.resume import Act, ask, content_length, judge
from datafetch.transfer.resume import Answer as Judged
from datafetch.transfer.retry import retry_after
from datafetch.transfer.wanted import Wanted, Ways, failed

_SYNC_EVERY = 2.0  # seconds of transfer that a power cut may cost
_TELL_EVERY = 0.2  # seconds between two progress events
_BATCH = 2 << 20  # bytes that are handed on at once


async def attempt(wanted: Wanted, ways: Ways, holding: Holding, url: str) -> None:
    """Returns when the holding is whole. Raises TransferFailed when this answer did not bring the end."""
    shown = safe_url(clean_url(url))
    asked = ask(holding.held(), shown, wanted.proven)
    never = ways.never(wanted)
    async with open_url(ways.http, url, asked.headers, never=never, limits=ways.limits) as answer:
        judged = judge(asked, answer.status, answer.headers)
        match judged.act:
            case Act.REJECT | Act.AGAIN:
                await answer.discard()
                if judged.why is Why.GONE:
                    await asyncio.to_thread(holding.gone, shown)
                wait = retry_after(answer.headers.get("retry-after", ""), datetime.now(UTC))
                raise failed(judged.why, url, judged.text, wait)
            case Act.COMPLETE:
                holding.whole = True
            case Act.START | Act.CONTINUE:
                await _take(wanted, ways, holding, url, judged, answer)


async def _take(
    wanted: Wanted, ways: Ways, holding: Holding, url: str, judged: Judged, answer: Answer
) -> None:
    total = judged.validators.total
    if wanted.size is not None and total is not None and total != wanted.size:
        text = f"the file should have {wanted.size} bytes, the server's has {total}"
        raise failed(Why.CHANGED, url, text)
    chunks = answer.chunks()
    first = await _first(chunks)
    _refuse_pages(wanted, url, judged, answer, b"".join(first))
    if judged.act is Act.START:
        await holding.drop()
    offset = holding.size
    _check_room(wanted.part, None if total is None else total - offset)
    await holding.describe(safe_url(clean_url(url)), judged.validators)
    ways.emit(Event("started", wanted.name, offset, total, url=safe_url(url)))
    await _pump(wanted, ways, holding, first, chunks)
    _check_end(wanted, url, holding, judged, answer, offset)
    holding.whole = True


async def _first(chunks: AsyncIterator[bytes]) -> list[bytes]:
    """Enough of a body to tell a page from a file."""
    first: list[bytes] = []
    seen = 0
    async for chunk in chunks:
        first.append(chunk)
        seen += len(chunk)
        if seen >= SNIFF:
            break
    return first


def _refuse_pages(wanted: Wanted, url: str, judged: Judged, answer: Answer, first: bytes) -> None:
    """Before a byte is written: raises when the body is not the file, whatever its status says."""
    start = first if judged.act is Act.START else b""
    found = page(start, answer.headers.get("content-type", ""), wanted.urls[0], wanted.archive)
    if found is not None and judged.act is Act.START:
        raise failed(found[0], url, found[1])
    encoding = answer.headers.get("content-encoding", "")
    if not wanted.proven and squeezed(start, encoding, wanted.urls[0]):
        raise failed(Why.BAD_ANSWER, url, f"the server packs the file as {encoding}, which nobody asked for")


def _check_room(part: Path, missing: int | None) -> None:
    if missing is None:
        return
    free, inodes = free_space(part)
    if missing > free or not inodes:
        text = f"{missing:,} bytes are still to come and {free:,} are free at {part.parent}"
        raise NoRoom(text, "make room and run the same command again: what is here is kept")


class _Meter:
    """Tells how far a transfer is, a few times a second."""

    def __init__(self, wanted: Wanted, ways: Ways, holding: Holding) -> None:
        self._wanted, self._ways, self._holding = wanted, ways, holding
        self._untold = 0
        self._told = self._synced = ways.clock()

    def count(self, size: int) -> None:
        self._untold += size

    def due(self) -> bool:
        return self._ways.clock() - self._told >= _TELL_EVERY

    def tick(self) -> bool:
        """Tells if it is time to; True when what has arrived should be made durable."""
        now = self._ways.clock()
        if now - self._told >= _TELL_EVERY:
            self.tell(now)
        if now - self._synced < _SYNC_EVERY:
            return False
        self._synced = now
        return True

    def tell(self, now: float = 0.0) -> None:
        self._told = now
        if self._untold:
            name, total = self._wanted.name, self._holding.validators.total
            self._ways.emit(Event("received", name, self._untold))
            self._ways.emit(Event("progress", name, self._holding.size, total))
            self._untold = 0


async def _pump(
    wanted: Wanted, ways: Ways, holding: Holding, first: list[bytes], chunks: AsyncIterator[bytes]
) -> None:
    """The body into the part; whatever ends it, all that arrived is taken in and counted."""
    meter = _Meter(wanted, ways, holding)
    batch, size = first, sum(map(len, first))
    try:
        async for chunk in chunks:
            batch.append(chunk)
            size += len(chunk)
            if size >= _BATCH or meter.due():
                full, batch, size_now, size = batch, [], size, 0
                meter.count(size_now)
                await holding.part.write(full, size_now)
                if meter.tick():
                    holding.checkpoint()
    finally:
        meter.count(size)
        try:
            if size:
                await holding.part.write(batch, size)
            await holding.part.settled()
        finally:
            meter.tell()


def _check_end(
    wanted: Wanted, url: str, holding: Holding, judged: Judged, answer: Answer, offset: int
) -> None:
    """Raises unless the body's own frame says that this is the end, or something later will prove it."""
    total = holding.validators.total
    if total is not None and holding.size < total:
        raise failed(Why.SHORT, url, f"{holding.size} of {total} bytes arrived")
    if total is not None and holding.size > total:
        raise failed(Why.CHANGED, url, f"the file has {total} bytes, the server sent {holding.size}")
    framed = content_length(answer.headers) is not None or "transfer-encoding" in answer.headers
    if not (framed or wanted.proven or wanted.end_proves or holding.size == wanted.size):
        text = "the server sends no length, and nothing else proves that the file is whole"
        raise failed(Why.BAD_ANSWER, url, text)
