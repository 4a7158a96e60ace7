"""Shards of a tar.gz fetched and unpacked at the same time: no more than two of them on disk at once."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TypeVar

from datafetch.archive.arriving import Arriving
from datafetch.archive.gunzip import GzipStream
from datafetch.archive.intake import Intake
from datafetch.archive.staging import Origin
from datafetch.archive.stream import unpack_arriving
from datafetch.errors import DamagedArchive, Interrupted, UnsafeArchive
from datafetch.layout.onepass import AT_ONCE
from datafetch.layout.place import place_each
from datafetch.model import Artifact, Event, Fetched, Shards
from datafetch.obtain.taken import stage
from datafetch.stops import in_thread
from datafetch.store import journal
from datafetch.store.files import remove_tree
from datafetch.task import Task
from datafetch.transfer.shards import InOrder

T = TypeVar("T")


class Relay:
    """Brings one artifact that `streams` to STAGED. `obtain` brings the shard of an index, verified, to its place.

    `take` and `free` are called from the thread that unpacks, all else on the loop.
    """

    def __init__(
        self,
        task: Task,
        artifact: Artifact,
        obtain: Callable[[int], Awaitable[Fetched]],
        emit: Callable[[Event], None],
        stopped: threading.Event,
    ) -> None:
        assert isinstance(artifact.source, Shards)
        self._task, self._home, self._rules = task, task.home, task.recipe.layout
        self._artifact, self._shards = artifact, artifact.source.shards
        self._picks = task.picks(artifact)
        self._emit, self._stopped, self._obtain = emit, stopped, obtain
        self._order = InOrder(0, 0, obtain, AT_ONCE)
        self._loop = asyncio.get_running_loop()

    async def bring(self, only: frozenset[str]) -> None:
        """Fetch and unpack, going on where an earlier run was; of a published artifact, anew what is in `only`.

        DamagedArchive when the shards do not make a sound archive, with nothing of it left. UnsafeArchive when it
        is refused, or was before: then nothing is fetched. Raises what fetching and unpacking raise; then what is
        here stays for a later run.
        """
        home, name = self._home, self._artifact.name
        await asyncio.to_thread(remove_tree, home.seal(name))  # of a recipe that has changed since
        intake = await asyncio.to_thread(
            Intake, home.shard_folder(name), home.staging(name), self._what(only)
        )
        if intake.refusal:
            intake.close()
            raise UnsafeArchive(intake.refusal, f"remove {intake.refused} to fetch it anew")
        first = intake.place.mark.shards if intake.place else 0
        self._emit(Event("grown", name, done=intake.bytes))
        self._order = InOrder(first, len(self._shards), self._obtain, AT_ONCE)
        self._let_go(0, first)
        try:
            await in_thread(lambda: self._unpack(intake, only), self._order.close)
        except DamagedArchive:
            await asyncio.to_thread(intake.forget)
            raise
        except UnsafeArchive as error:
            await asyncio.to_thread(intake.refuse, str(error))
            raise UnsafeArchive(
                str(error), error.hint or f"remove {intake.refused} to fetch it anew"
            ) from error
        finally:
            await self._order.close()
            intake.close()

    def _unpack(self, intake: Intake, only: frozenset[str]) -> None:
        home, name, place = (
            self._home,
            self._artifact.name,
            place_each(self._artifact, self._rules, self._picks),
        )
        assert place is not None, "or it would not be streamed"
        into, stop = home.staging(name), self._stopped.is_set
        mark = intake.place.mark if intake.place else None
        shards = Arriving(self, mark.shards if mark else 0, mark.size if mark else 0, stop)
        try:
            unpack_arriving(
                GzipStream(shards, mark),
                intake,
                name,
                place,
                into,
                free=self.free,
                only=only,
                emit=self._tell,
                stop=stop,
            )
        finally:
            shards.close()
        known = [self._known(index) for index in range(len(self._shards))]
        if self._artifact.size not in (None, sum(shard.size for shard in known if shard)):
            raise DamagedArchive(
                f"{name}: the shards together have not the {self._artifact.size} bytes they should"
            )
        first = known[0]
        assert first is not None, "a shard that was read is in the journal"
        origin = Origin(name, first.url, first.fetched_at)
        stage(self._task, self._artifact, intake, origin, intake.skipped, only, self._tell)
        self.free(len(self._shards))

    def _what(self, only: frozenset[str]) -> str:
        """What must be the same in two runs of which the second goes on where the first was."""
        artifact = self._artifact
        said = repr((self._shards, self._rules, artifact.folder, artifact.skip, sorted(only), self._picks))
        return hashlib.sha256(said.encode()).hexdigest()

    # --- The supply -----------------------------------------------------------------------------------------

    def take(self) -> Path | None:
        return self._on_loop(self._take())

    def free(self, count: int) -> None:
        async def free() -> None:
            self._free(count)

        self._on_loop(free())

    def _on_loop(self, work: Coroutine[object, object, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except CancelledError:
            raise Interrupted("stopped while unpacking", "run the same command again") from None

    def _tell(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._emit, event)

    async def _take(self) -> Path | None:
        # Without a place to go on from, what was read is let go all the same: room counts for more than a later run.
        self._free(self._order.next - 1)
        taken = await self._order.take()
        if taken is None:
            return None
        self._refuse_twin(*taken)
        return self._path(taken[0])

    def _free(self, count: int) -> None:
        self._let_go(self._order.freed, count)
        self._order.free(count)

    def _let_go(self, start: int, end: int) -> None:
        for index in range(start, end):
            if self._path(index).exists():
                remove_tree(self._path(index))
                self._emit(Event("freed", self._key(index)))

    def _refuse_twin(self, index: int, fetched: Fetched) -> None:
        """DamagedArchive when a shard has the bytes of an earlier one and no checksum says that it should."""
        for other in range(index if fetched.size and not self._shards[index].checksums else 0):
            known = self._known(other)
            if known is not None and known.sha256 == fetched.sha256:
                names = f"{self._shards[other].name} and {self._shards[index].name}"
                raise DamagedArchive(f"{self._artifact.name}: {names} are the same bytes: one came twice")

    def _known(self, index: int) -> Fetched | None:
        return journal.known(self._home.journal(self._key(index))).done

    def _key(self, index: int) -> str:
        return self._home.shard_key(self._artifact.name, self._shards[index].name)

    def _path(self, index: int) -> Path:
        return self._home.shard(self._artifact.name, self._shards[index].name)
