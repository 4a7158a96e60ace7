"""One file from its addresses to its place: asked for, continued, checked, renamed in, written down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from datafetch.errors import PRECEDENCE, NoRoom, TransferFailed
from datafetch.identity import identity
from datafetch.model import Event, Fetched, Why
from datafetch.store.journal import Journal
from datafetch.transfer.addresses import safe_url, shown_host
from datafetch.transfer.attempt import attempt
from datafetch.transfer.failures import Replaced, Wrong, failed, wrong
from datafetch.transfer.holding import Holding, now
from datafetch.transfer.promise import Promise
from datafetch.transfer.retry import Ground, Keep, Then, Tries, decide
from datafetch.transfer.upstream import differences
from datafetch.transfer.waiting import wait
from datafetch.transfer.wanted import Wanted, Ways
from datafetch.transfer.widen import Widen


async def fetch(wanted: Wanted, ways: Ways, journal: Journal) -> Fetched:
    """The file, verified and durable at `wanted.target`, its Done row written; an earlier part is continued.

    Emits started, received, progress, retry and fetched. Raises TransferFailed when every address failed,
    NoRoom when the disk is full. What the table in `retry` keeps is kept, on cancelling too. May be repeated.
    """
    algorithms = tuple(checksum.algorithm for checksum in wanted.checksums)
    async with ways.jobs:
        holding = await asyncio.to_thread(
            Holding, wanted.part, journal, algorithms, ways.identities(wanted), wanted.proven
        )
        try:
            fetched = await holding.finished_before(wanted.target, wanted.fits)
            if fetched is None:
                fetched = await _from_any(wanted, ways, holding)
        finally:
            await holding.close()
    ways.emit(Event("fetched", wanted.name, fetched.size, fetched.size, url=fetched.url))
    return fetched


async def _from_any(wanted: Wanted, ways: Ways, holding: Holding) -> Fetched:
    addresses = ways.addresses(wanted)
    failures: list[TransferFailed] = []
    came: set[str] = set()
    for number, url in enumerate(addresses, 1):
        last = number == len(addresses)
        try:
            return await _from_one(wanted, ways, holding, url, last, came)
        except TransferFailed as failure:
            failures.append(failure)
            # Where a digest of the whole file is known, the next address may go on with what this one gave.
            proven = wanted.proven or holding.promise.checksums
            kept = not last and proven and failure.why not in _SPOILT
            if not kept and decide(failure.why, 1).part is not Keep.KEEP:
                await holding.drop()
            if not last:
                text = f"{failure}; asking {shown_host(addresses[number])}"
                ways.emit(Event("retry", wanted.name, why=failure.why, url=failure.url, text=text))
    if not holding.size:
        holding.part.remove()
    raise _telling(failures)


# After these the bytes themselves are in doubt.
_SPOILT = frozenset((Why.CHECKSUM, Why.CHANGED))


def _telling(failures: Sequence[TransferFailed]) -> TransferFailed:
    """The failure that says most, which tells of the others too: a file is gone only if it is gone everywhere.

    What a person can mend comes before what time may: the contract's order of exit codes.
    """
    hopeful = [failure for failure in failures if failure.why is not Why.GONE]
    last_first = (hopeful or list(failures))[::-1]
    chosen = min(last_first, key=lambda failure: PRECEDENCE.index(failure.exit_code))
    others = list(dict.fromkeys(str(failure) for failure in failures if failure is not chosen))
    if others:
        more = f"; and {len(others) - _TOLD} more" if len(others) > _TOLD else ""
        chosen.args = (f"{chosen} (also asked: {'; '.join(others[:_TOLD])}{more})",)
    return chosen


_TOLD = 3  # other addresses that one line tells of


async def _from_one(
    wanted: Wanted, ways: Ways, holding: Holding, url: str, last: bool, came: set[str]
) -> Fetched:
    """The file from one address, which is asked as often as the table says. `came`: SHA-256 of the wrong files that
    any address gave.
    """
    tries, widen = Tries(), Widen(ways.width)
    ground, began = Ground(holding.size, ways.patience), ways.clock()
    while True:
        try:
            if not holding.whole:
                async with ways.hosts.turn(shown_host(url)):
                    began = ways.clock()
                    await attempt(wanted, ways, holding, url, widen)
            return await _verified(wanted, ways, holding, url)
        except Replaced:
            raise
        except TransferFailed as failure:
            if isinstance(failure, Wrong) and (why := _why_for_good(wanted, ways, holding, failure, came)):
                failure.args = (f"{failure}; {why}",)
                raise
            spent, total = ways.clock() - began, holding.validators.total
            count = tries.after(failure.why, advanced=ground.gained(holding.size, total, spent))
            patience = ways.patience.with_proven() if ground.gains else ways.patience
            verdict = decide(failure.why, count, last=last, patience=patience)
            if verdict.then is Then.STOP:
                raise NoRoom(str(failure), failure.hint) from failure
            await wait(wanted, ways, url, failure, count, verdict)
            if verdict.part is not Keep.KEEP:
                await holding.drop()


def _why_for_good(wanted: Wanted, ways: Ways, holding: Holding, failure: Wrong, came: set[str]) -> str:
    """Why no further try would bring the file that was locked; empty while this one may have been damaged on the way,
    and without a lock, since then what is wrong may be a cache between us, or the server's disk.
    """
    if wanted.version is None:
        return ""
    if failure.sha256 in came:
        return "the same bytes came twice, so they were not damaged on the way"
    came.add(failure.sha256)
    now = holding.upstream
    if now is not None and now.address in ways.origin(wanted):
        return "; ".join(map(str, differences(wanted.version, now)))
    return ""


async def _verified(wanted: Wanted, ways: Ways, holding: Holding, url: str) -> Fetched:
    """The held file in its final place. Raises TransferFailed when it is not the one that was asked for.

    A checksum of the recipe that fits outranks a promise that does not, which is told as a note.
    """
    digests = await holding.part.digests()
    if wanted.size is not None and holding.size != wanted.size:
        text = f"the file should have {wanted.size} bytes, {holding.size} arrived"
        raise failed(Why.CHANGED, url, text)
    for checksum in wanted.checksums:
        if digests[checksum.algorithm] != checksum.digest.lower():
            text = f"{checksum.algorithm} is {digests[checksum.algorithm]}, should be {checksum.digest}"
            raise wrong(url, text, digests["sha256"])
    why, text = _broken(holding.promise, holding.size, digests)
    if text and not wanted.checksums:
        raise wrong(url, text, digests["sha256"]) if why is Why.CHECKSUM else failed(why, url, text)
    if text:
        told = f"{shown_host(url)}: {text}; the checksum of the recipe fits, and that counts"
        ways.emit(Event("note", wanted.name, text=told))
    sha256 = digests["sha256"]
    if wanted.known_sha256 and sha256 != wanted.known_sha256:
        raise Replaced(
            Why.CHANGED,
            f"{shown_host(url)}: another file than before: sha256 was {wanted.known_sha256} and is {sha256}",
            safe_url(url),
            "upstream may have replaced it: build the new version whole, into another folder with -o",
        )
    others = tuple((name, digest) for name, digest in digests.items() if name != "sha256")
    first = wanted.urls[0]
    said = holding.given_by(ways.origin(wanted))
    fetched = Fetched(
        wanted.path,
        holding.size,
        sha256,
        safe_url(first),
        now(),
        others,
        identity(first),
        said.etag,
        said.last_modified,
    )
    await holding.finish(wanted.target, fetched)
    return fetched


def _broken(promise: Promise, size: int, digests: Mapping[str, str]) -> tuple[Why, str]:
    """In what the whole file is not what was promised; the text is empty when it is."""
    if promise.size not in (None, size):
        return Why.CHANGED, f"{promise.size} bytes were promised, {size} arrived"
    for one in promise.checksums:
        if digests[one.algorithm] != one.digest:
            said = f"{one.algorithm} is {digests[one.algorithm]}, {one.source} promised {one.digest}"
            return Why.CHECKSUM, said
    return Why.UNKNOWN, ""
