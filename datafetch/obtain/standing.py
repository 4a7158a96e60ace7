"""Asks upstream whether it still has the version of each file that is here, by what it said when that was got."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from datafetch.errors import TransferFailed
from datafetch.identity import identity
from datafetch.model import Artifact, Event, Http, Settings, Shards, Standing, Why
from datafetch.obtain.ways import ways_of
from datafetch.store import journal
from datafetch.store.home import Home
from datafetch.store.journal import Upstream
from datafetch.transfer.addresses import clean_url, safe_url, shown_host
from datafetch.transfer.glance import Glance, head
from datafetch.transfer.holding import now
from datafetch.transfer.http import client
from datafetch.transfer.retry import why_of_status
from datafetch.transfer.upstream import conditions, differences, upstream
from datafetch.transfer.wanted import Wanted, Ways

UNCHANGED, CHANGED, GONE, UNKNOWN = "unchanged", "changed", "gone", "unknown"


async def standings(
    home: Home, artifacts: Sequence[Artifact], settings: Settings, emit: Callable[[Event], None]
) -> tuple[Standing, ...]:
    """Of every file of `artifacts` that has an address. No body is asked for but one byte where HEAD is not served;
    a host that does not answer makes the answer unknown, and raises nothing.
    """
    asked = [file for artifact in artifacts for file in _files(home, artifact)]
    if not asked:
        return ()
    async with client(settings) as http:
        return await _all(ways_of(settings, http, emit), asked)


async def _all(ways: Ways, asked: Sequence[tuple[Wanted, Upstream]]) -> tuple[Standing, ...]:

    async def one(wanted: Wanted, known: Upstream) -> Standing:
        async with ways.jobs:
            return await _ask(ways, wanted, known)

    return tuple(await asyncio.gather(*(one(wanted, known) for wanted, known in asked)))


def _files(home: Home, artifact: Artifact) -> Iterator[tuple[Wanted, Upstream]]:
    match artifact.source:
        case Http(urls=urls):
            yield _wanted(artifact.name, urls), _known(home, artifact.name)
        case Shards(shards=shards):
            for shard in shards:
                key = home.shard_key(artifact.name, shard.name)
                yield _wanted(key, shard.urls), _known(home, key)


def _wanted(name: str, urls: tuple[str, ...]) -> Wanted:
    nowhere = Path()
    return Wanted(name=name, urls=urls, part=nowhere, target=nowhere, path="")


def _known(home: Home, name: str) -> Upstream:
    """What was said of it; of a file that a person brought, or that was got before that was written down, its size."""
    found = journal.known(home.journal(name))
    if found.upstream is not None:
        return found.upstream
    done = found.done
    return Upstream("", "") if done is None else Upstream(done.address, done.url, size=done.size)


async def _ask(ways: Ways, wanted: Wanted, known: Upstream) -> Standing:
    """Of the address it was got from; of the first, by its size alone, when the recipe names that one no more."""
    addresses = ways.addresses(wanted)
    url = addresses[0]
    for one in addresses:
        with suppress(TransferFailed):  # it cannot be read, and was never asked
            if identity(clean_url(one)) == known.address:
                url = one
                break
    else:
        known = Upstream("", known.url, size=known.size)
    shown = safe_url(url)
    try:
        async with ways.hosts.turn(shown_host(url)):
            glance = await head(ways, wanted, url, conditions(known))
    except TransferFailed as failure:
        state = GONE if failure.why is Why.GONE else UNKNOWN
        return Standing(wanted.name, state, shown, str(failure), _said(known))
    return _judge(wanted.name, url, known, glance)


def _judge(name: str, url: str, known: Upstream, glance: Glance) -> Standing:
    """What an answer means for what is here; `known` has what was said when it was got."""
    shown, was = safe_url(url), _said(known)
    if glance.status == 304:
        return Standing(name, UNCHANGED, shown, "", was, was)
    if glance.status not in (200, 206):
        state = GONE if why_of_status(glance.status) is Why.GONE else UNKNOWN
        text = f"{shown_host(url)}: the server answered {glance.status}"
        return Standing(name, state, shown, text, was)
    found = upstream(url, glance.headers, glance.size, now())
    differs = differences(known, found)
    if differs:
        return Standing(name, CHANGED, shown, "; ".join(map(str, differs)), was, _said(found))
    if not set(dict(was)) & set(dict(_said(found))):
        text = f"{shown_host(url)}: the server says nothing by which two versions could be told apart"
        return Standing(name, UNKNOWN, shown, text, was, _said(found))
    return Standing(name, UNCHANGED, shown, "", was, _said(found))


def _said(one: Upstream) -> tuple[tuple[str, str], ...]:
    size = "" if one.size is None else str(one.size)
    pairs = (("size", size), ("etag", one.etag), ("last_modified", one.last_modified))
    return tuple((name, value) for name, value in pairs if value)
