"""The wanted members of a remote zip brought to its staging folder by ranges: no archive on the way.

Its directory is read first, and checked and placed as that of a file on disk is. A file in the staging folder counts
as staged when it has the size and the CRC of the directory, whoever was killed while writing it: so a later run asks
for nothing that is there. The directory is kept for the runs that want more, or mend one file.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import aclosing
from dataclasses import dataclass, field

from datafetch.archive import central
from datafetch.archive.central import TAIL, Directory, Held, Lacking, Tie, span_of
from datafetch.archive.crew import processes
from datafetch.archive.extract import check_room
from datafetch.archive.hands import Done
from datafetch.archive.incoming import Incoming, read_member
from datafetch.archive.members import Chunk, Member
from datafetch.archive.runs import Run
from datafetch.archive.staging import Extracted, Origin
from datafetch.archive.writing import write_over
from datafetch.errors import DamagedArchive, Interrupted, TransferFailed, UnsafeArchive
from datafetch.identity import identity
from datafetch.layout.seals import by_path, seal
from datafetch.model import Artifact, Event, FileRecord, Http, Outcome, Why
from datafetch.obtain.hashing import Hashing
from datafetch.obtain.partly import (
    Share,
    Work,
    finished,
    lacking,
    proven,
    published,
    refuse_replaced,
    requests,
    wanted,
)
from datafetch.obtain.team import Team, Took
from datafetch.stops import in_thread
from datafetch.store import inventory, journal
from datafetch.store.durable import sync_tree
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree, make_folder, remove_tree
from datafetch.store.home import slug
from datafetch.task import Task
from datafetch.transfer.addresses import clean_url, safe_url, shown_host
from datafetch.transfer.failures import failed
from datafetch.transfer.holding import now
from datafetch.transfer.ordered import ordered
from datafetch.transfer.remote import NoRanges, Remote
from datafetch.transfer.resume import Validators
from datafetch.transfer.retry import decide
from datafetch.transfer.upstream import by_validators
from datafetch.transfer.wanted import Wanted, Ways
from datafetch.unpack.decoded import weed

_PASSES = 3  # times that a member which came damaged is asked for at one address
_VERSIONS = 3  # times that a directory is read at one address: a file may be replaced while we read it
_TELL_EVERY = 0.2  # seconds
RESUMED = "it was resumed in the middle, and the CRCs of all members agree"


@dataclass(slots=True)
class _Haul:
    """What one call has brought."""

    share: Share
    records: dict[str, FileRecord] = field(default_factory=dict)  # by target
    bytes: int = 0
    proof: str = (
        "it was fetched member by member"  # why a checksum of the whole says nothing of it; "": it agrees
    )

    @property
    def left(self) -> list[Work]:
        return [each for each in self.share.work if each[1] not in self.records]


class Gatherer:
    """Of one artifact, for one call of `bring`."""

    def __init__(
        self,
        task: Task,
        artifact: Artifact,
        only: frozenset[str],
        emit: Callable[[Event], None],
        stopped: threading.Event,
    ) -> None:
        assert isinstance(artifact.source, Http)
        self._task, self._artifact, self._only = task, artifact, only
        self._home, self._name = task.home, artifact.name
        self._emit, self._stopped = emit, stopped
        self._wanted = Wanted(
            name=artifact.name,
            urls=artifact.source.urls,
            part=task.home.part(artifact.name),
            target=task.home.archive(artifact.name),
            path="",
            size=artifact.size,
            archive=True,
        )
        self._origin = Origin(artifact.name, safe_url(artifact.source.urls[0]), now())
        self._into = task.home.staging(artifact.name)
        self._told = 0.0
        self._lock = threading.Lock()

    async def bring(self, open_: Callable[[], Awaitable[Ways]]) -> bool:
        """Whether it is STAGED now; False when no address gives ranges, which a note has told. May be called again.

        Nobody is asked when nothing lacks. Raises TransferFailed, UnsafeArchive, LayoutMismatch, UnknownName,
        NoRoom; what is staged stays for a later run.
        """
        kept = await asyncio.to_thread(
            central.load, self._home.directory(self._name), self._artifact.encoding
        )
        if kept is not None:
            haul = await asyncio.to_thread(self._look, kept, kept)
            if not haul.left:
                await asyncio.to_thread(self._stage, kept, haul)
                return True
        ways = await open_()
        async with ways.jobs:
            return await self._from_any(ways, kept)

    async def _from_any(self, ways: Ways, kept: Directory | None) -> bool:
        reasons: list[str] = []
        failures: list[TransferFailed] = []
        for url in ways.addresses(self._wanted):
            try:
                await self._from_one(ways, url, kept)
                return True
            except NoRanges as error:
                reasons.append(f"{shown_host(url)}: {error}")
            except TransferFailed as failure:
                failures.append(failure)
        if reasons:
            self._emit(Event("note", self._name, text=f"{self._name} is fetched whole: {reasons[-1]}"))
            return False
        # What asking for the whole would meet as well is told by who does: it may have another way.
        if all(not decide(failure.why, 1).again for failure in failures):
            return False
        raise failures[-1]

    async def _from_one(self, ways: Ways, url: str, kept: Directory | None) -> None:
        own = identity(clean_url(url))
        known = kept if kept is not None and kept.tie.address == own else None
        for turn in range(1, _VERSIONS + 1):
            remote = Remote(self._wanted, ways, url, _validators(known))
            try:
                directory = known or await self._read_and_keep(remote, own)
                haul = await asyncio.to_thread(self._look, directory, kept)
                await self._fetch(ways, remote, haul)
                await asyncio.to_thread(self._stage, directory, haul)
                await asyncio.to_thread(self._remember, remote)
                return
            except TransferFailed as failure:
                if failure.why is not Why.CHANGED or turn == _VERSIONS or not failure.url:
                    raise
                text = f"{failure}; its directory is read again"
                self._emit(Event("retry", self._name, why=failure.why, url=failure.url, text=text))
                known = None
            finally:
                remote.flush()

    def _remember(self, remote: Remote) -> None:
        """What the server said of the version that the members are of, for who asks later whether it is still there."""
        with journal.Journal(self._home.journal(self._name)) as rows:
            rows.append(by_validators(remote.url, remote.validators, now()))

    # --- The directory ------------------------------------------------------------------------------------------

    async def _read_and_keep(self, remote: Remote, address: str) -> Directory:
        directory = await self._read(remote, address)
        # What is published is compared with what was kept: that goes only once `_look` has found no fault.
        if journal.known(self._home.journal(self._name)).built is None:
            await asyncio.to_thread(central.save, self._home.directory(self._name), directory)
        return directory

    async def _read(self, remote: Remote, address: str) -> Directory:
        start, data = await remote.tail(TAIL)
        found = remote.validators
        assert found.total is not None
        held = Held(found.total, ((start, data),))
        tie = Tie(address, found.etag, found.last_modified)
        self._emit(Event("started", self._name, url=safe_url(remote.url)))
        while True:
            try:
                return await asyncio.to_thread(central.listed, held, tie, page=self._artifact.encoding)
            except Lacking as question:
                if central.is_too_large(held, question):
                    raise UnsafeArchive(
                        f"{self._name}: its directory is larger than one can be"
                    ) from question
                held = held.holding(question.start, await remote.bytes(question.start, question.end))
            except DamagedArchive as error:
                if not (held.size >= 4 and (await remote.bytes(0, 4)).startswith(b"PK")):
                    raise NoRanges("it does not end as a zip does") from error
                raise DamagedArchive(f"{self._name}: {error}", error.hint) from error
            except UnsafeArchive as error:
                raise type(error)(f"{self._name}: {error}", error.hint) from error

    def _look(self, directory: Directory, kept: Directory | None) -> _Haul:
        """What is wanted of it, less what is published or staged already."""
        task, artifact = self._task, self._artifact
        share = wanted(task, artifact, directory, self._only)
        if not self._only:
            files = published(task, artifact)
            if files and (kept is None or kept.digest != directory.digest):
                refuse_replaced(task, artifact, share.work, files)
            share = Share(tuple(lacking(task, artifact, share.work, files)), share.skipped)
        haul = _Haul(share)
        remove_tree(self._home.seal(self._name))
        with user_errors(self._into):
            for (member, target), sha256 in proven(self._into, haul.share.work):
                if sha256:
                    self._add(haul, [(member, target, member.size, sha256)])
        if task.settings.stream and haul.records:
            haul.proof = RESUMED
        return haul

    # --- Members ------------------------------------------------------------------------------------------------

    async def _fetch(self, ways: Ways, remote: Remote, haul: _Haul) -> None:
        """All that is left. Raises TransferFailed when a member comes damaged again and again."""
        if not haul.left:
            return
        await asyncio.to_thread(make_folder, self._into)
        check_room(self._into, self._name, [member.size for member, _ in haul.left])
        self._task.held.claim_files(self._name, [member.size for member, _ in haul.share.work])
        self._emit(Event("extract", self._name, total=len(haul.share.work)))
        workers = ways.width.most
        if self._is_hashed(haul):
            await self._pass_whole(remote, haul, workers)
        with self._team(haul) as team:
            await self._by_ranges(remote, haul, workers, team)

    async def _by_ranges(self, remote: Remote, haul: _Haul, workers: int, team: Team) -> None:
        for turn in range(_PASSES):
            left = haul.left
            if not left:
                return
            asked = requests(left, workers, span_of if turn == 0 else _generous)
            waiting = deque((run, left[run.first : run.last]) for run in asked)
            damaged: list[DamagedArchive] = []
            crowd = range(min(workers, len(waiting)))
            await _together([self._work(remote, waiting, haul, damaged, team) for _ in crowd])
            if not haul.left:
                return
            self._emit(
                Event(
                    "retry", self._name, count=turn + 1, why=Why.CHECKSUM, text=f"{damaged[0]}; again at once"
                )
            )
        raise failed(Why.CHECKSUM, remote.url, str(damaged[0]))

    def _is_hashed(self, haul: _Haul) -> bool:
        """Whether all bytes are to pass in their order, because somebody has said what digest they have together."""
        task, artifact = self._task, self._artifact
        new = (
            not self._only
            and not haul.records
            and journal.known(self._home.journal(self._name)).built is None
        )
        return task.settings.stream and bool(artifact.checksums) and new and not task.picks(artifact)

    async def _pass_whole(self, remote: Remote, haul: _Haul, workers: int) -> None:
        """All members, in one pass over the whole file. Those that come damaged are left: they will be asked for
        alone, and their CRCs count.

        Raises TransferFailed when it has not the digest that it should have, with nothing of it left.
        """
        total = remote.validators.total
        assert total is not None
        before = ""
        for turn in range(1, _VERSIONS + 1):
            damaged: list[DamagedArchive] = []
            with Hashing(self._artifact.checksums) as hashing, self._team(haul) as team:
                async with aclosing(ordered(remote, 0, total, workers)) as body:
                    if team.can_take(haul.left):
                        noted = hashing.noting(body)
                        took = self._taking(haul, damaged)
                        await team.carry(noted, (0, total), haul.left, _generous, team.count + 1, took)
                    else:
                        await self._read_on(hashing, body, total, haul, damaged)
                wrong = await asyncio.to_thread(hashing.wrong)
            if damaged:
                haul.proof = "a member came damaged and was asked for again; the CRCs of all members agree"
                return
            if not wrong:
                haul.proof = ""
                return
            await asyncio.to_thread(remove_tree, self._into)
            haul.records.clear()
            haul.bytes = 0
            if wrong == before and self._task.locked is not None:  # nothing was damaged on the way
                break
            before = wrong
            if turn < _VERSIONS:
                await asyncio.to_thread(make_folder, self._into)
                text = f"{wrong}; again at once"
                self._emit(Event("retry", self._name, count=turn, why=Why.CHECKSUM, text=text))
        raise failed(Why.CHECKSUM, remote.url, wrong)

    async def _read_on(
        self,
        hashing: Hashing,
        body: AsyncGenerator[list[Chunk], None],
        total: int,
        haul: _Haul,
        damaged: list[DamagedArchive],
    ) -> None:
        """The whole file through one thread of ours."""
        pull = Pull(body)

        def unpack() -> None:
            with user_errors(self._into), Tree(self._into) as tree:
                incoming = Incoming(hashing.passing(pull.chunks()), 0)
                self._unpack(tree, incoming, haul.left, haul, damaged)
                incoming.skip_to(total)  # the directory belongs to it, and what lies between

        await in_thread(unpack, pull.close)

    async def _work(
        self,
        remote: Remote,
        waiting: deque[tuple[Run, list[Work]]],
        haul: _Haul,
        damaged: list[DamagedArchive],
        team: Team,
    ) -> None:
        with Tree(self._into) as tree:
            while waiting:
                run, work = waiting.popleft()
                async with aclosing(remote.body(run.start, run.end)) as body:
                    if team.can_take(work):
                        reach, took = (run.start, run.end), self._taking(haul, damaged)
                        await team.carry(body, reach, work, _generous, 1, took)
                        continue
                    pull = Pull(body)

                    def unpack(run: Run = run, work: list[Work] = work, pull: Pull = pull) -> None:
                        with user_errors(self._into):
                            self._unpack(tree, Incoming(pull.chunks(), run.start), work, haul, damaged)

                    await in_thread(unpack, pull.close)

    def _team(self, haul: _Haul) -> Team:
        return Team(self._into, processes(haul.left))

    def _taking(self, haul: _Haul, damaged: list[DamagedArchive]) -> Took:
        """Adds to the haul what a process has staged, and to `damaged` what came damaged."""

        def took(work: Sequence[Work], done: Done) -> None:
            whole = []
            for (member, target), found in zip(work, done, strict=True):
                if isinstance(found, DamagedArchive):
                    damaged.append(found)
                else:
                    whole.append((member, target, *found))
            self._add(haul, whole)

        return took

    def _unpack(
        self,
        tree: Tree,
        incoming: Incoming,
        work: Sequence[Work],
        haul: _Haul,
        damaged: list[DamagedArchive],
    ) -> None:
        """Blocks; one that comes damaged is left for the next pass."""
        for member, target in work:
            if self._stopped.is_set():
                raise Interrupted(
                    "stopped while fetching", "run the same command again: what is here is kept"
                )
            try:
                size, sha256 = write_over(tree, target, read_member(incoming, member))
            except DamagedArchive as error:
                tree.remove(target)
                damaged.append(error)
                continue
            self._add(haul, [(member, target, size, sha256)])

    def _add(self, haul: _Haul, found: Sequence[tuple[Member, str, int, str]]) -> None:
        """These members are staged: their targets, sizes and digests."""
        record = self._origin.record
        with self._lock:
            for member, target, size, sha256 in found:
                haul.records[target] = record(target, size, sha256, member.name)
                haul.bytes += size
            done, total = len(haul.records), len(haul.share.work)
            moment = time.monotonic()
            if moment - self._told < _TELL_EVERY and done < total:
                return
            self._told = moment
        self._emit(Event("extracting", self._name, done=done, total=total))
        self._emit(Event("grown", self._name, done=haul.bytes))

    # --- The end ------------------------------------------------------------------------------------------------

    def _stage(self, directory: Directory, haul: _Haul) -> None:
        home, name, artifact = self._home, self._name, self._artifact
        if self._only:
            self._refuse_others(haul.records)
        make_folder(self._into)
        with user_errors(self._into):
            sync_tree(self._into)
        records = tuple(haul.records.values())
        if not self._only and any(other.mends(artifact) for other in self._task.recipe.artifacts):
            brought = Extracted(records, haul.share.skipped)
            rotten = inventory.undecodable(home, name)
            records = weed(brought, name, home, self._emit, self._stopped.is_set, rotten).records
        picks = self._task.picks(artifact)
        central.save(home.directory(name), directory)
        with journal.Journal(home.journal(name)) as rows:
            if not self._only:
                dropped = {Outcome.SKIPPED: dict(haul.share.skipped)}
                rows.append(journal.Staged(len(records), self._task.settings.names, dropped, picks))
            elif before := journal.as_built(journal.known(home.journal(name))):
                rows.append(before)
            seal(home.state, slug(name), by_path(records))
        whole = not self._only and not haul.share.skipped.get(Why.NOT_CHOSEN)
        for checksum in artifact.checksums if whole and haul.proof else ():
            text = f"{name}: its {checksum.algorithm} is not applicable: {haul.proof}"
            self._emit(Event("note", name, text=text))
        self._emit(Event("staged", name, done=haul.bytes, count=len(records)))

    def _refuse_others(self, records: Mapping[str, FileRecord]) -> None:
        """TransferFailed when a file that is mended is another one than was published."""
        made = finished(self._task, self._artifact)
        for entry in inventory.published(self._home):
            found = records.get(entry.path)
            if found is not None and found.sha256 != entry.sha256 and entry.path not in made:
                remove_tree(self._into)
                raise TransferFailed(
                    Why.CHANGED,
                    f"{self._name}: upstream has another {entry.path} now: sha256 was {entry.sha256}"
                    f" and is {found.sha256}",
                    hint="upstream may have replaced it: build the new version whole, into another folder with -o",
                )


def _validators(known: Directory | None) -> Validators | None:
    if known is None:
        return None
    return Validators(known.tie.etag, known.tie.last_modified, known.held.size)


def _generous(member: Member) -> tuple[int, int]:
    """All that may belong to a member: its header may hold more than headers do."""
    start, end = span_of(member)
    return start, min(member.end, end + (1 << 17))


async def _together(work: Sequence[Awaitable[None]]) -> None:
    """All of it; the first failure ends the others, and they have come to rest before it is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()


class Pull:
    """A body that arrives on the loop, read from a thread: nothing is asked of it before the thread wants more."""

    def __init__(self, body: AsyncGenerator[list[Chunk], None]) -> None:
        self._body = body
        self._loop = asyncio.get_running_loop()
        self._pending: asyncio.Task[object] | None = None
        self._closed = False

    def chunks(self) -> Iterator[Chunk]:
        """From the thread. Raises what the body raises, Interrupted once it was closed."""
        while True:
            try:
                batch = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            except CancelledError:
                raise Interrupted("stopped while fetching", "run the same command again") from None
            if not batch:
                return
            yield from batch

    async def _next(self) -> list[Chunk]:
        if self._closed:
            raise asyncio.CancelledError
        self._pending = asyncio.current_task()
        try:
            return await anext(self._body, [])
        finally:
            self._pending = None

    async def close(self) -> None:
        """On the loop: lets go of a thread that waits."""
        self._closed = True
        if self._pending is not None:
            self._pending.cancel()
