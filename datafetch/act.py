"""The acts of a plan: get, extract, build. Each leaves something durable, so each may be cut off anywhere."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from datafetch.archive.extract import Extracted, extract, link_file, place_file
from datafetch.archive.join import digests_of
from datafetch.errors import (
    RUN_AGAIN,
    BadList,
    Damaged,
    DamagedArchive,
    DatafetchError,
    Interrupted,
    LayoutMismatch,
    Locked,
    NeedsPerson,
    NoRoom,
    Offline,
    TimeLimit,
    TransferFailed,
    TransferLimit,
    UnsafeArchive,
)
from datafetch.finish import finish
from datafetch.layout import manifest
from datafetch.layout.build import drop_seals, publish, seal, sealed
from datafetch.layout.place import ELSEWHERE
from datafetch.model import (
    Artifact,
    Bundled,
    Event,
    Fetched,
    Http,
    Manual,
    Outcome,
    Plan,
    Seen,
    Shards,
    Step,
    UrlList,
    Verb,
    Why,
)
from datafetch.obtain import Obtainer
from datafetch.plan.difference import difference
from datafetch.store import files as store
from datafetch.store import inventory, journal
from datafetch.store.home import slug
from datafetch.task import Task
from datafetch.verify import remember, write_damaged

Emit = Callable[[Event], None]

WHYS = {
    UnsafeArchive: Why.UNSAFE,
    LayoutMismatch: Why.LAYOUT,
    BadList: Why.BAD_LIST,
    NeedsPerson: Why.MANUAL,
    Offline: Why.OFFLINE,
    NoRoom: Why.CANNOT_WRITE,
    Locked: Why.LOCKED,
    TimeLimit: Why.LIMIT,
    TransferLimit: Why.LIMIT,
    Interrupted: Why.INTERRUPTED,
}

# Errors that end the run and not one artifact: going on would meet them again at once.
STOPS = (NoRoom, Locked, TimeLimit, TransferLimit, Interrupted)


class Settle(Protocol):
    """The loop, as `run` defines it."""

    def __call__(
        self, look: Callable[[], Plan], act: Callable[[Step], Awaitable[None]], at_once: Callable[[Verb], int]
    ) -> Awaitable[None]: ...


class Run:
    """One run over one dataset: what is wanted, what has been seen, and how each step is done."""

    def __init__(self, task: Task, seen: dict[str, Seen], emit: Emit, still_mine: Callable[[], bool]) -> None:
        self.recipe, self.wanted, self.home, self.settings = (
            task.recipe,
            task.wanted,
            task.home,
            task.settings,
        )
        self.seen = seen
        self.given_up: set[str] = set()
        self.stopped = threading.Event()  # extraction runs in a thread and looks at it between two members
        self._artifacts = {artifact.name: artifact for artifact in task.wanted}
        self._fetched: set[str] = set()  # single files that this run has verified
        self._linked: set[str] = set()  # of them, those whose archive and staged file are one
        self._damaged: set[str] = set()  # artifacts whose archive proved damaged once already
        self._tell = emit
        self._still_mine = still_mine
        self._obtainer = Obtainer(task, emit, self.stopped)

    # --- The loop ------------------------------------------------------------------------------------------------

    async def settle(self, settle: Settle) -> None:
        """Run the loop until nothing is left. Raises what stopped it early: one of STOPS, or a bug."""
        reasons: list[DatafetchError] = []
        async with self._obtainer:
            task = asyncio.ensure_future(settle(self.look, self.act, self.at_once))

            def stop(reason: DatafetchError) -> None:
                if not reasons:
                    reasons.append(reason)
                    self.stopped.set()
                    task.cancel()

            with _signals(stop), _deadline(stop, self.settings.max_duration):
                await asyncio.wait((task,))
        if reasons:
            raise reasons[0]
        task.result()

    def look(self) -> Plan:
        return difference(self.wanted, self.seen, self.given_up)

    def at_once(self, verb: Verb) -> int:
        """Transfers wait for the network, so several run; extraction keeps the disk and a core busy by itself."""
        return self.settings.jobs if verb is Verb.GET else 1

    async def act(self, step: Step) -> None:
        """Do one step. A failure of one artifact becomes an event; only STOPS are raised."""
        try:
            match step.verb:
                case Verb.GET:
                    await self._get(self._artifacts[step.name], step.only)
                    if isinstance(self._artifacts[step.name].source, Http):
                        self._fetched.add(step.name)
                case Verb.EXTRACT:
                    await _in_thread(lambda: self._extract(self._artifacts[step.name], step.only))
                case Verb.BUILD:
                    await _in_thread(lambda: self._build(step.name))
        except STOPS:
            self.stopped.set()
            raise
        except Damaged as error:  # staged files are gone; what to do about it shows when we look again
            self._tell(Event("note", step.name, text=str(error)))
        except DatafetchError as error:
            self._give_up(step, error)
        self._look_again(step)

    def _look_again(self, step: Step) -> None:
        for artifact in self.wanted:
            if step.name in (artifact.name, artifact.folder):
                before = self.seen[artifact.name]
                self.seen[artifact.name] = inventory.look(
                    self.home, artifact, before.files, before.tree_bytes, before.lost
                )

    def _give_up(self, step: Step, error: DatafetchError) -> None:
        self.given_up |= {a.name for a in self.wanted if step.name in (a.name, a.folder)}
        why = why_of(error)
        url = error.url if isinstance(error, TransferFailed) else ""
        text, code = str(error), error.exit_code
        self._tell(Event("failed", step.name, why=why, url=url, text=text, hint=error.hint, code=code))

    async def _get(self, artifact: Artifact, only: frozenset[str]) -> None:
        try:
            await self._obtainer.obtain(artifact, only)
        except DamagedArchive as error:  # of shards that are unpacked as they come
            self._drop_archive(artifact)
            self._fetch_once_more(artifact, error)

    # --- Extract -------------------------------------------------------------------------------------------------

    def _extract(self, artifact: Artifact, only: frozenset[str]) -> None:
        """From the verified archive to a sealed staging folder. Blocks; runs in a thread."""
        home, name = self.home, artifact.name
        store.remove_tree(home.seal(name))  # of a recipe that has changed since
        try:
            files, fetched = self._archive(artifact)
            if artifact.unpack:
                result = extract(
                    files,
                    artifact,
                    self.recipe.layout,
                    home.staging(name),
                    names=self.settings.names,
                    url=fetched.url,
                    fetched_at=fetched.fetched_at,
                    only=only,
                    emit=self._tell,
                    stop=self.stopped.is_set,
                )
            else:
                result = self._link(artifact, files, fetched) or place_file(
                    files, artifact, self.recipe.layout, home.staging(name), fetched, stop=self.stopped.is_set
                )
        except DamagedArchive as error:
            self._drop_archive(artifact, error.shard)
            self._fetch_once_more(artifact, error)
            return
        except UnsafeArchive as error:
            # Another copy would be refused as well: it is kept, so that a run in a loop does not fetch it for ever.
            raise UnsafeArchive(
                str(error), error.hint or f"remove {home.archive(name)} to fetch it anew"
            ) from error
        with journal.Journal(home.journal(name)) as rows:
            if not only:
                dropped = {Outcome.SKIPPED: result.skipped}
                rows.append(journal.Staged(len(result.records), self.settings.names, dropped))
            seal(home.state, slug(name), result.records)
        if astray := result.skipped.get(ELSEWHERE):
            text = f"{name}: {astray} pictures lie outside the folders that the layout speaks of, and are left out"
            self._tell(Event("note", name, text=text))
        if name in self._linked:  # before its state is remembered: losing a name changes that
            store.remove_tree(home.archive(name))
        size = sum(record.size for record in result.records)
        self._tell(Event("staged", name, done=size, count=len(result.records)))

    def _link(self, artifact: Artifact, files: Sequence[Path], fetched: Fetched) -> Extracted | None:
        """A file that this run has verified takes its place without being copied, unless it is kept as well."""
        if artifact.name not in self._fetched or self.settings.keep_archives or len(files) != 1:
            return None
        staging = self.home.staging(artifact.name)
        result = link_file(files[0], artifact, self.recipe.layout, staging, fetched)
        if result is not None:
            self._linked.add(artifact.name)
        return result

    def _archive(self, artifact: Artifact) -> tuple[list[Path], Fetched]:
        """The file or files to open, and what is known of the whole. Raises DamagedArchive for shards that do not
        make the file that the recipe speaks of.
        """
        home = self.home
        if not isinstance(artifact.source, Shards):
            known = journal.known(home.journal(artifact.name)).done
            assert known is not None, "a fetched file is in the journal"
            return [home.archive(artifact.name)], known
        names = [shard.name for shard in artifact.source.shards]
        files = [home.shard(artifact.name, name) for name in names]
        first = journal.known(home.journal(home.shard_key(artifact.name, names[0]))).done
        assert first is not None, "a fetched shard is in the journal"
        if artifact.unpack and not artifact.checksums and artifact.size is None:
            return files, first  # nothing is known of the whole: each shard was checked by itself
        size, digests = digests_of(files, [checksum.algorithm for checksum in artifact.checksums])
        whole = replace(first, size=size, sha256=digests["sha256"], digests=tuple(digests.items()))
        if not whole.satisfies(artifact.size, artifact.checksums):
            raise DamagedArchive(
                f"{artifact.name}: the joined parts are not the file that its checksum names"
            )
        return files, whole

    def _fetch_once_more(self, artifact: Artifact, error: DamagedArchive) -> None:
        """An archive whose checksum nobody published may have been damaged on its way; once. Else raises `error`."""
        match artifact.source:
            case Shards(shards=shards):
                proven = bool(artifact.checksums) or all(shard.checksums for shard in shards)
            case Manual() | Bundled():
                proven = True
            case _:
                proven = bool(artifact.checksums)
        if proven or artifact.name in self._damaged:
            raise error
        self._damaged.add(artifact.name)
        self._tell(Event("retry", artifact.name, why=Why.UNSAFE, text=f"{error}; fetching it once more"))

    def _drop_archive(self, artifact: Artifact, shard: str = "") -> None:
        """Let go of what was fetched; of an archive in shards only of this one, if one is named."""
        home, name = self.home, artifact.name
        store.remove_tree(home.archive(name))
        if isinstance(artifact.source, Shards):
            store.remove_tree(home.shard(name, shard) if shard else home.shard_folder(name))
        self._tell(Event("freed", name))

    def _proven(self, artifact: Artifact) -> Iterator[str]:
        """The staged paths whose bytes this run knows to be right; a list keeps published files by size alone."""
        staging = self.home.staging(artifact.name)
        for record in sealed(self.home.state, slug(artifact.name)) or ():
            if not isinstance(artifact.source, UrlList) or os.path.lexists(staging / record.path):
                yield record.path

    # --- Build ---------------------------------------------------------------------------------------------------

    def _build(self, folder: str) -> None:
        """Staged artifacts into their folder, then the manifest, then the journal; only then is the rest let go."""
        home = self.home
        if not self._still_mine():
            raise Locked(f"another run has taken over {self.recipe.name}", "wait for it to end")
        staged = [a for a in self.wanted if a.folder == folder and home.seal(a.name).exists()]
        slugs = [slug(a.name) for a in staged]
        finish(home, self.recipe.finish, folder, slugs, self._tell)
        before = {record.path: record for record in manifest.salvage(home.manifest)}
        names = {artifact.name for artifact in staged}
        owned = {path: record.sha256 for path, record in before.items() if record.artifact in names}
        fresh = {path for artifact in staged for path in self._proven(artifact)}
        others = [path for path in before if path not in owned and path.startswith(f"{folder}/")]
        records = publish(home.state, home.root, folder, slugs, owned, others)
        after = before | {record.path: record for record in records}
        manifest.write(home.manifest, after.values())
        remember(home, [record for record in records if record.path in fresh])
        write_damaged(home, inventory.damaged(home) - {record.path for record in records})
        for artifact in staged:
            own = [record for record in after.values() if record.artifact == artifact.name]
            size = sum(record.size for record in own)
            with journal.Journal(home.journal(artifact.name)) as rows:
                rows.append(journal.Built(len(own), size, self.settings.names))
            self.seen[artifact.name] = replace(
                self.seen[artifact.name], files=len(own), tree_bytes=size, lost=frozenset()
            )
        if not self.settings.keep_archives:
            for artifact in staged:
                self._drop_archive(artifact)
        drop_seals(
            home.state, slugs
        )  # last: as long as there is a seal, the next run knows that work is left
        built = [record for record in after.values() if record.path.startswith(f"{folder}/")]
        self._tell(Event("built", folder, count=len(built), done=sum(record.size for record in built)))


def why_of(error: DatafetchError) -> Why:
    """The class of an error, for those who filter by it."""
    if isinstance(error, TransferFailed):
        return error.why
    return next((why for kind, why in WHYS.items() if isinstance(error, kind)), Why.UNKNOWN)


async def _in_thread(work: Callable[[], None]) -> None:
    """Run `work` beside the loop. When cancelled, wait until it has come to rest: it looks at `stopped` by itself."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        task.exception()  # looked at, so that nobody reports it as forgotten: what cancelled us is what counts
        raise


@contextmanager
def _signals(stop: Callable[[DatafetchError], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in good order. Not outside the main thread, where Python allows no handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143}
    for number, code in codes.items():
        loop.add_signal_handler(number, stop, _interrupted(code))
    try:
        yield
    finally:
        for number in codes:
            loop.remove_signal_handler(number)


def _interrupted(code: int) -> Interrupted:
    error = Interrupted("interrupted", RUN_AGAIN)
    error.exit_code = code
    return error


@contextmanager
def _deadline(stop: Callable[[DatafetchError], None], seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return
    reason = TimeLimit("--max-duration is over", RUN_AGAIN)
    timer = asyncio.get_running_loop().call_later(seconds, stop, reason)
    try:
        yield
    finally:
        timer.cancel()
