"""A remote tar unpacked while it arrives: no archive on disk, marks to go on from after a kill.

What is fetched again then is what came after the last mark: less than a cut and what was read ahead. Files of a tar.gz
are proven by its own CRC-32 over all of it, those of bzip2, xz and zstd by theirs; a plain tar has none, only headers
and an end: where somebody has said what digest the whole has, that is asked of each run from its first byte on.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing

from datafetch.archive.flow import Flow, PackedFlow, PlainFlow, Unmarked
from datafetch.archive.gunzip import GzipStream, Mark
from datafetch.archive.headers import BLOCK, is_header
from datafetch.archive.intake import FOLDER, Intake
from datafetch.archive.packed import form_of
from datafetch.archive.staging import Origin
from datafetch.archive.stream import Marking, Place, unpack_arriving
from datafetch.errors import DamagedArchive, TransferFailed, UnsafeArchive
from datafetch.identity import identity
from datafetch.layout.folders import NO_RULE
from datafetch.layout.place import place, place_ahead, place_each
from datafetch.model import Artifact, Event, Http, Why
from datafetch.obtain.gather import RESUMED, Pull
from datafetch.obtain.hashing import Hashing
from datafetch.obtain.taken import stage
from datafetch.stops import in_thread
from datafetch.store import journal
from datafetch.store.files import remove_tree
from datafetch.task import Task
from datafetch.transfer.addresses import clean_url, safe_url, shown_host
from datafetch.transfer.failures import failed
from datafetch.transfer.holding import now
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.ordered import ordered
from datafetch.transfer.remote import NoRanges, Remote
from datafetch.transfer.retry import decide
from datafetch.transfer.upstream import by_validators
from datafetch.transfer.wanted import Wanted, Ways

_LEAST, _CUTS = (
    8 << 20,
    64,
)  # bytes between two marks at least, and how many there are at most: each one is a sync
_VERSIONS = 3  # times that an archive is begun at one address: it may be replaced while we read it
_PLAIN, _GZIP = "", "gzip"


def cut_of(total: int) -> int:
    """Bytes between two marks, whole blocks."""
    return max(_LEAST, -(-total // _CUTS // BLOCK) * BLOCK)


class Misled(Exception):  # no fault: the archive is to be had as a whole
    """The names that came first misled about where all of them go."""


class Tap:
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
        self._loop = asyncio.get_running_loop()
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

    async def bring(self, ways: Ways) -> bool:
        """Whether it is STAGED now; False when it is to be fetched whole, which a note has told. May be called again.

        Raises TransferFailed, DamagedArchive and UnsafeArchive with nothing of it left, NoRoom, Interrupted; what is
        staged then stays for a later run.
        """
        reasons: list[str] = []
        failures: list[TransferFailed] = []
        async with ways.jobs:
            for url in ways.addresses(self._wanted):
                try:
                    await self._from_one(ways, url)
                    return True
                except (NoRanges, Misled) as error:
                    reasons.append(f"{shown_host(url)}: {error}")
                except TransferFailed as failure:
                    failures.append(failure)
        if not reasons and any(decide(failure.why, 1).again for failure in failures):
            raise failures[-1]
        if reasons:
            self._emit(Event("note", self._name, text=f"{self._name} is fetched whole: {reasons[-1]}"))
        for left in (self._into, self._home.shard_folder(self._name)):
            await asyncio.to_thread(remove_tree, left)
        return False

    async def _from_one(self, ways: Ways, url: str) -> None:
        before = ""
        for turn in range(1, _VERSIONS + 1):
            remote = Remote(self._wanted, ways, url)
            try:
                await self._take(ways, remote)
                await asyncio.to_thread(self._remember, remote)
                return
            except TransferFailed as failure:
                again = failure.why in (Why.CHANGED, Why.CHECKSUM) and turn < _VERSIONS and failure.url
                # The same wrong digest a second time: nothing was damaged on the way.
                same = failure.why is Why.CHECKSUM and str(failure) == before
                if not again or (same and self._task.locked is not None):
                    raise
                before = str(failure)
                text = f"{failure}; it is begun anew"
                self._emit(Event("retry", self._name, why=failure.why, url=failure.url, text=text))
            finally:
                remote.flush()

    def _remember(self, remote: Remote) -> None:
        """What the server said of the version that the files are of, for who asks later whether it is still there."""
        with journal.Journal(self._home.journal(self._name)) as rows:
            rows.append(by_validators(remote.url, remote.validators, now()))

    async def _take(self, ways: Ways, remote: Remote) -> None:
        await remote.tail(BLOCK)
        total = remote.validators.total
        assert total is not None
        form = _form(await remote.bytes(0, min(BLOCK, total)))
        home, name = self._home, self._name
        await asyncio.to_thread(remove_tree, home.seal(name))  # of a recipe that has changed since
        intake = await asyncio.to_thread(
            Intake, home.shard_folder(name), self._into, self._what(remote, total)
        )
        try:
            if intake.refusal:
                raise UnsafeArchive(intake.refusal, f"remove {intake.refused} to fetch it anew")
            self._emit(Event("started", name, url=safe_url(remote.url)))
            self._emit(Event("grown", name, done=intake.bytes))
            await self._unpack(ways, remote, intake, total, form)
        except DamagedArchive:
            await asyncio.to_thread(intake.forget)
            raise
        except UnsafeArchive as error:
            if not intake.refusal:
                await asyncio.to_thread(intake.refuse, str(error))
            hint = error.hint or f"remove {intake.refused} to fetch it anew"
            raise UnsafeArchive(str(error), hint) from error
        finally:
            intake.close()

    async def _unpack(self, ways: Ways, remote: Remote, intake: Intake, total: int, form: str) -> None:
        mark = intake.place.mark if intake.place else None
        first, cut = (mark.shards if mark else 0), cut_of(total)
        checksums = self._artifact.checksums if mark is None else ()
        with Hashing(checksums) as hashing:
            async with aclosing(ordered(remote, first * cut, total, ways.width.most)) as body:
                pull = Pull(body)

                def work() -> None:
                    chunks: Iterator[Chunk] = hashing.passing(pull.chunks())
                    flow = Flow(chunks, first, cut, total, self._stopped.is_set)
                    self._write(flow, mark, form, intake)
                    flow.drain()

                await in_thread(work, pull.close)
            wrong = await asyncio.to_thread(hashing.wrong)
        if wrong:
            await asyncio.to_thread(intake.forget)
            raise failed(Why.CHECKSUM, remote.url, wrong)
        skipped = await asyncio.to_thread(self._judge, intake)
        for checksum in self._artifact.checksums if mark is not None else ():
            text = f"{self._name}: its {checksum.algorithm} is not applicable: {RESUMED}"
            self._emit(Event("note", self._name, text=text))
        await asyncio.to_thread(
            lambda: stage(self._task, self._artifact, intake, self._origin, skipped, self._only, self._tell)
        )

    def _write(self, flow: Flow, mark: Mark | None, form: str, intake: Intake) -> None:
        how = self._placing(intake)
        packed = PackedFlow(flow, form) if form not in (_PLAIN, _GZIP) else None
        stream: Marking = packed or (GzipStream(flow, mark) if form == _GZIP else PlainFlow(flow, mark))
        if form == _PLAIN and self._artifact.checksums:
            stream = Unmarked(stream)
        try:
            unpack_arriving(
                stream,
                intake,
                self._name,
                how,
                self._into,
                only=self._only,
                emit=self._tell,
                stop=self._stopped.is_set,
            )
        finally:
            if packed is not None:
                packed.close()

    # --- Where members go -----------------------------------------------------------------------------------

    def _placing(self, intake: Intake) -> Place:
        rules, picks = self._task.recipe.layout, self._task.picks(self._artifact)
        sure = place_each(self._artifact, rules, picks)
        if sure is not None:
            return sure
        ahead = place_ahead(self._artifact, rules)
        for row in intake.rows():  # what it guesses depends on what it has seen
            if row.why != FOLDER:
                ahead(row.name)

        def guess(name: str) -> tuple[str | None, str]:
            target = ahead(name)
            return target, "" if target is not None else NO_RULE

        return guess

    def _judge(self, intake: Intake) -> Counter[str]:
        """What was left out, and why, now that all names are known. Misled when some went where they should not."""
        rules, picks = self._task.recipe.layout, self._task.picks(self._artifact)
        if place_each(self._artifact, rules, picks) is not None:
            return intake.skipped
        rows = [(row.name, row.target) for row in intake.rows() if row.why != FOLDER]
        placed = place(self._artifact, rules, [name for name, _ in rows])
        if any((target or "") != had for (_, had), target in zip(rows, placed.targets, strict=True)):
            raise Misled("the names at its begin mislead about where its files go")
        return Counter(why for _, why in placed.skipped)

    def _what(self, remote: Remote, total: int) -> str:
        """What must be the same in two runs of which the second goes on where the first was."""
        artifact, found = self._artifact, remote.validators
        version = identity(clean_url(remote.url)), found.etag, found.last_modified, total
        picks, rules = self._task.picks(artifact), self._task.recipe.layout
        said = repr((version, rules, artifact.folder, artifact.skip, sorted(self._only), picks))
        return hashlib.sha256(said.encode()).hexdigest()

    def _tell(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._emit, event)


def _form(head: bytes) -> str:
    """How the tar is compressed. NoRanges when it is none, which who reads the whole says better."""
    form = form_of(head)
    if not form and not is_header(head) and head != bytes(BLOCK):
        raise NoRanges("it does not begin as a tar does")
    return form
