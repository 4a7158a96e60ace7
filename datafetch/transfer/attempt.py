"""One try at one address: ask for what is missing, judge the answer, take the bytes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from datafetch.errors import NoRoom
from datafetch.identity import identity
from datafetch.model import Event, Why
from datafetch.store.journal import Upstream
from datafetch.store.room import free_space, taken
from datafetch.transfer.addresses import clean_url, safe_url, shown_host
from datafetch.transfer.claims import Claim
from datafetch.transfer.crew import Crew
from datafetch.transfer.failures import Replaced, failed
from datafetch.transfer.holding import Holding, now
from datafetch.transfer.http import Answer
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.pages import SNIFF, page, squeezed
from datafetch.transfer.pump import UNSAID, Pump
from datafetch.transfer.resume import Act, Said, ask, content_length, judge
from datafetch.transfer.resume import Answer as Judged
from datafetch.transfer.upstream import is_other, upstream
from datafetch.transfer.wanted import Wanted, Ways
from datafetch.transfer.widen import Widen


async def attempt(wanted: Wanted, ways: Ways, holding: Holding, url: str, widen: Widen) -> None:
    """Returns when the holding is whole. Raises TransferFailed when this answer did not bring the end."""
    proven = wanted.proven or bool(holding.promise.checksums)
    asked = ask(holding.held(), identity(clean_url(url)), proven)
    async with ways.open(wanted, url, asked.headers) as answer:
        judged = judge(asked, answer.status, answer.headers)
        match judged.act:
            case Act.REJECT | Act.AGAIN:
                await answer.discard()
                if judged.why is Why.GONE:
                    await asyncio.to_thread(holding.gone, safe_url(clean_url(url)))
                raise failed(judged.why, url, judged.text, answer.later)
            case Act.COMPLETE:
                _check_promise(wanted, url, judged, holding, answer)
                holding.promised(answer.promise)
                holding.heard(upstream(url, answer.headers, judged.validators.total, now()))
                holding.whole = True
            case Act.START | Act.CONTINUE:
                await _take(wanted, ways, holding, url, widen, judged, answer)


async def _take(
    wanted: Wanted, ways: Ways, holding: Holding, url: str, widen: Widen, judged: Judged, answer: Answer
) -> None:
    total = judged.validators.total
    if wanted.size is not None and total is not None and total != wanted.size:
        text = f"the file should have {wanted.size} bytes, the server's has {total}"
        raise failed(Why.CHANGED, url, text)
    _check_promise(wanted, url, judged, holding, answer)
    _check_version(wanted, ways, upstream(url, answer.headers, total, now()))
    batches = answer.batches()
    first = await _first(batches)
    _refuse_pages(wanted, url, judged, answer, b"".join(first))
    if judged.act is Act.START:
        await holding.drop()
    holding.promised(answer.promise)
    _check_room(wanted, ways, total)
    await holding.describe(clean_url(url), judged.validators)
    holding.heard(upstream(url, answer.headers, total, now()))
    holding.said = Said.by(answer.headers)
    ways.emit(Event("started", wanted.name, holding.size, total, url=safe_url(url)))
    pump = Pump(wanted, ways, holding)
    if total is None:
        most = UNSAID if wanted.size is None else wanted.size
        if await pump.take(Claim(0, most), first, batches):
            raise failed(Why.TOO_LARGE, url, f"the server sends more than {most:,} bytes, and no length")
    else:
        crew = Crew(wanted, ways, holding, url, widen, pump)
        await crew.fetch(answer, judged.length, first, batches)
    _check_end(wanted, url, holding, answer)
    holding.whole = True


def _check_promise(wanted: Wanted, url: str, judged: Judged, holding: Holding, answer: Answer) -> None:
    """Before a byte is taken: raises when what the provider promises cannot be the file that is wanted."""
    promise = answer.promise
    total = judged.validators.total if wanted.size is None else wanted.size
    # What promises an md5 reads it out of an ETag, which may be none: the file itself decides about that.
    stated = tuple(one for one in wanted.checksums if one.algorithm != "md5")
    text = promise.differs(total, stated)
    if not text and judged.act is not Act.START:
        text = promise.differs(holding.promise.size, holding.promise.checksums)
    if text:
        raise failed(Why.CHANGED, url, text)


def _check_version(wanted: Wanted, ways: Ways, found: Upstream) -> None:
    """Before a byte is taken: raises when the origin has other bytes than those that were locked, by its own word."""
    was = wanted.version
    if was is not None and found.address in ways.origin(wanted) and is_other(was, found):
        text = f"another file than the one that was locked: its ETag was {was.etag} and is {found.etag}"
        raise Replaced(Why.CHANGED, f"{shown_host(found.url)}: {text}", found.url)


async def _first(batches: AsyncIterator[list[Chunk]]) -> list[Chunk]:
    """Enough of a body to tell a page from a file."""
    first: list[Chunk] = []
    async for batch in batches:
        first += batch
        if sum(map(len, first)) >= SNIFF:
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


def _check_room(wanted: Wanted, ways: Ways, total: int | None) -> None:
    """NoRoom for a file that is larger than what is free, or than what the user lets the dataset take."""
    if total is None:
        return
    part = wanted.part
    missing = total - min(total, taken(part))
    free, inodes = free_space(part)
    if missing > free or not inodes:
        text = f"{missing:,} bytes are still to come and {free:,} are free at {part.parent}"
        raise NoRoom(text, "make room and run the same command again: what is here is kept")
    ways.held.claim("file", wanted.name, total)


def _check_end(wanted: Wanted, url: str, holding: Holding, answer: Answer) -> None:
    """Raises unless the body's own frame says that this is the end, or something later will prove it."""
    total = holding.validators.total
    if total is not None and holding.size < total:
        raise failed(Why.SHORT, url, f"{holding.size} of {total} bytes arrived")
    framed = content_length(answer.headers) is not None or "transfer-encoding" in answer.headers
    if not (framed or wanted.proven or wanted.end_proves or holding.size == wanted.size):
        text = "the server sends no length, and nothing else proves that the file is whole"
        raise failed(Why.BAD_ANSWER, url, text)
