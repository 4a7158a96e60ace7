"""The acts of a plan: get, extract, build. Each leaves something durable, so each may be cut off anywhere."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from datafetch.assemble import assemble
from datafetch.errors import (
    Damaged,
    DamagedArchive,
    DatafetchError,
    Locked,
    NoRoom,
    TransferFailed,
)
from datafetch.lock.drift import DRIFTS, drifted
from datafetch.model import Artifact, Event, Http, Plan, Seen, Step, Verb
from datafetch.obtain.obtainer import Obtainer
from datafetch.plan.difference import difference
from datafetch.plan.order import narrowed
from datafetch.report import why_of
from datafetch.run.settle import TRIES
from datafetch.stops import STOPS, deadline, in_thread, signals
from datafetch.store import inventory
from datafetch.store.held import MORE
from datafetch.task import Task
from datafetch.unpack.unpacker import Unpacker

Emit = Callable[[Event], None]


class Settle(Protocol):
    """The loop, as `run` defines it."""

    def __call__(
        self, look: Callable[[], Plan], act: Callable[[Step], Awaitable[None]], at_once: Callable[[Verb], int]
    ) -> Awaitable[None]: ...


class Run:
    """One run over one dataset: what is wanted, what has been seen, and how each step is done."""

    def __init__(
        self,
        task: Task,
        seen: dict[str, Seen],
        emit: Emit,
        still_mine: Callable[[], bool],
        ranks: Sequence[str] = (),
    ) -> None:
        """`ranks`: what is got one at a time, in this order, because room is short; empty: several at once."""
        self._task, self.seen = task, seen
        self._ranks = ranks
        self._acted: Counter[Step] = Counter()
        self._running: set[Step] = set()
        self._full: Callable[[], None] = lambda: None  # ends the run
        self.given_up: set[str] = set()
        self.stopped = threading.Event()  # extraction runs in a thread and looks at it between two members
        self._artifacts = {artifact.name: artifact for artifact in task.wanted}
        self._hand_on = emit
        self._still_mine = still_mine
        self._obtainer = Obtainer(task, self._tell, self.stopped)
        self._unpacker = Unpacker(task, self._tell, self.stopped)

    async def settle(self, settle: Settle) -> None:
        """Run the loop until nothing is left. Raises what stopped it early: one of STOPS, or a bug."""
        reasons: list[DatafetchError] = []
        self._unpacker.let_go_of_done(self.seen)
        async with self._obtainer:
            task = asyncio.ensure_future(settle(self.look, self.act, self.at_once))

            def stop(reason: DatafetchError) -> None:
                if not reasons:
                    reasons.append(reason)
                    self.stopped.set()
                    task.cancel()

            loop = asyncio.get_running_loop()

            def full() -> None:
                loop.call_soon_threadsafe(stop, self._no_room())

            self._full = full
            with signals(stop), deadline(stop, self._task.settings.max_duration):
                await asyncio.wait((task,))
            if not task.cancelled():
                task.exception()  # looked at: when closing fails too, or there is a reason, nobody asks any more
        if reasons:
            raise reasons[0]
        task.result()

    def _tell(self, event: Event) -> None:
        """Hand an event on; one of something whose size nobody knew may end the run, by passing --max-disk."""
        self._hand_on(event)
        if self._task.held.over and not self.stopped.is_set():
            self._full()

    def _no_room(self) -> NoRoom:
        limit = self._task.held.limit
        return NoRoom(f"{self._task.recipe.name} takes more than the {limit:,} bytes of --max-disk", MORE)

    def look(self) -> Plan:
        plan = difference(self._task.wanted, self.seen, self.given_up)
        if not self._ranks:
            return plan
        # One that changes nothing any more must not keep the others from their turn.
        alive = (s for s in plan.steps if s in self._running or self._acted[s] < TRIES)
        return narrowed(Plan(tuple(alive)), self._ranks, self._running)

    def at_once(self, verb: Verb) -> int:
        """Transfers wait for the network, so several run; extraction keeps the disk and a core busy by itself."""
        return self._task.settings.jobs if verb is Verb.GET else 1

    async def act(self, step: Step) -> None:
        """Do one step. A failure of one artifact becomes an event; only STOPS are raised."""
        self._acted[step] += 1
        self._running.add(step)
        try:
            await self._act(step)
        finally:
            self._running.discard(step)

    async def _act(self, step: Step) -> None:
        try:
            match step.verb:
                case Verb.GET:
                    await self._get(self._artifacts[step.name], step.only)
                case Verb.EXTRACT:
                    await in_thread(lambda: self._unpacker.unpack(self._artifacts[step.name], step.only))
                case Verb.BUILD:
                    await in_thread(lambda: self._assemble(step.name))
        except STOPS:
            self.stopped.set()
            raise
        except Damaged as error:  # staged files are gone; what to do about it shows when we look again
            self._tell(Event("note", step.name, text=str(error)))
        except DatafetchError as error:
            self._give_up(step, await self._told(step, error))
        self._look_again(step)

    async def _told(self, step: Step, error: DatafetchError) -> DatafetchError:
        """The error, as drift where the run is held to a lock file and upstream has another file now."""
        locked = self._task.locked.of(step.name) if self._task.locked is not None else None
        if locked is None or not isinstance(error, TransferFailed) or error.why not in DRIFTS:
            return error
        return drifted(locked, error, await self._obtainer.told_now(self._artifacts[step.name], error.url))

    def _look_again(self, step: Step) -> None:
        for artifact in self._task.wanted:
            if step.name in (artifact.name, artifact.folder):
                before = self.seen[artifact.name]
                self.seen[artifact.name] = inventory.look(
                    self._task.home,
                    artifact,
                    before.files,
                    before.tree_bytes,
                    before.lost,
                    self._task.falls_short(artifact),
                )

    def _give_up(self, step: Step, error: DatafetchError) -> None:
        self.given_up |= {a.name for a in self._task.wanted if step.name in (a.name, a.folder)}
        if step.verb is Verb.EXTRACT:
            self._task.held.gone(step.name)
        why = why_of(error)
        url = error.url if isinstance(error, TransferFailed) else ""
        text, code = str(error), error.exit_code
        self._tell(Event("failed", step.name, why=why, url=url, text=text, hint=error.hint, code=code))

    async def _get(self, artifact: Artifact, only: frozenset[str]) -> None:
        try:
            archives = await self._obtainer.obtain(artifact, only)
            if archives:
                await in_thread(lambda: self._unpacker.unpack_where_they_lie(artifact, archives, only))
        except DamagedArchive as error:  # of shards that are unpacked as they come, or brought
            self._unpacker.damaged(artifact, error)
        if isinstance(artifact.source, Http):
            self._unpacker.verified(artifact)

    def _assemble(self, folder: str) -> None:
        if not self._still_mine():
            raise Locked(f"another run has taken over {self._task.recipe.name}", "wait for it to end")
        for name, own in assemble(self._task, folder, self._tell).items():
            self.seen[name] = replace(
                self.seen[name], files=own.files, tree_bytes=own.bytes, lost=frozenset()
            )
