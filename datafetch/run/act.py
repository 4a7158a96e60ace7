"""The acts of a plan: get, extract, build. Each leaves something durable, so each may be cut off anywhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from datafetch.assemble import assemble
from datafetch.errors import (
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
from datafetch.model import Artifact, Event, Http, Plan, Seen, Step, Verb, Why
from datafetch.obtain.obtainer import Obtainer
from datafetch.plan.difference import difference
from datafetch.stops import STOPS, deadline, in_thread, signals
from datafetch.store import inventory
from datafetch.task import Task
from datafetch.unpack.unpacker import Unpacker

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


class Settle(Protocol):
    """The loop, as `run` defines it."""

    def __call__(
        self, look: Callable[[], Plan], act: Callable[[Step], Awaitable[None]], at_once: Callable[[Verb], int]
    ) -> Awaitable[None]: ...


class Run:
    """One run over one dataset: what is wanted, what has been seen, and how each step is done."""

    def __init__(self, task: Task, seen: dict[str, Seen], emit: Emit, still_mine: Callable[[], bool]) -> None:
        self._task, self.seen = task, seen
        self.given_up: set[str] = set()
        self.stopped = threading.Event()  # extraction runs in a thread and looks at it between two members
        self._artifacts = {artifact.name: artifact for artifact in task.wanted}
        self._tell = emit
        self._still_mine = still_mine
        self._obtainer = Obtainer(task, emit, self.stopped)
        self._unpacker = Unpacker(task, emit, self.stopped)

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

            with signals(stop), deadline(stop, self._task.settings.max_duration):
                await asyncio.wait((task,))
        if reasons:
            raise reasons[0]
        task.result()

    def look(self) -> Plan:
        return difference(self._task.wanted, self.seen, self.given_up)

    def at_once(self, verb: Verb) -> int:
        """Transfers wait for the network, so several run; extraction keeps the disk and a core busy by itself."""
        return self._task.settings.jobs if verb is Verb.GET else 1

    async def act(self, step: Step) -> None:
        """Do one step. A failure of one artifact becomes an event; only STOPS are raised."""
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
            self._give_up(step, error)
        self._look_again(step)

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


def why_of(error: DatafetchError) -> Why:
    """The class of an error, for those who filter by it."""
    if isinstance(error, TransferFailed):
        return error.why
    return next((why for kind, why in WHYS.items() if isinstance(error, kind)), Why.UNKNOWN)
