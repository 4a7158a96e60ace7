"""Small files below httpx: a body as a whole, asked for and redirected by the same rules; its end is a call, since
a task for each costs more than a small picture does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

import msgspec

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.transfer.addresses import Policy, clean_url, redirected
from datafetch.transfer.engine import Ask, Engine, Fault, Limits, Whole
from datafetch.transfer.environment import Environment
from datafetch.transfer.failures import broken
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.rules import DISCARD, MAX_REDIRECTS, REDIRECTS, asked, check_never, too_many

HOSTS = 4096  # of which is remembered how they are asked

# Given the size of what came, waits until it was due; gives back how much of it counts.
Gate = Callable[[int], Awaitable[int]]


class Got(msgspec.Struct, frozen=True):
    """Any status is an answer; the body of an error may lack its end."""

    url: str  # where the redirects led
    answer: Whole


Then = Callable[[Got | TransferFailed], None]


class Direct:
    """Asks one engine. With a `gate` every byte passes it as it comes."""

    def __init__(
        self, engine: Engine, policy: Policy, environment: Environment, gate: Gate | None = None
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._environment = environment
        self._gate = gate
        self._alike: dict[str, Ask] = {}  # scheme and host -> how it was asked
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, url: str, limits: Limits, then: Then, never: Collection[str] = ()) -> None:
        """Calls `then` once with the answer to GET `url` or why there is none, from the loop; never before this
        returns. To origins in `never` no redirect may lead.

        The body is held in memory: `limits` must bound it. They hold for all redirects together.
        """
        _Way(self, url, limits, then, never).begin()

    def send(
        self, target: str, limits: Limits, then: Callable[[Whole | Fault | TransferFailed], None]
    ) -> None:
        """One request for a clean address, no redirect followed. Raises Fault and TransferFailed."""
        ask = self._ask(target, limits)
        if self._gate is None:
            self._engine.whole(ask, then)
            return
        task = asyncio.create_task(self._gated(ask, self._gate, then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ask(self, target: str, limits: Limits) -> Ask:
        host = target[: target.index("/", 8)]  # a clean address has a path
        like = self._alike.get(host)
        if like is None:
            if len(self._alike) >= HOSTS:
                self._alike.clear()
            like = self._alike[host] = asked(target, self._policy, self._environment, limits)
        return Ask(
            target, permit_private=like.permit_private, proxy=like.proxy, login=like.login, limits=limits
        )

    async def _gated(
        self, ask: Ask, gate: Gate, then: Callable[[Whole | Fault | TransferFailed], None]
    ) -> None:
        try:
            found: Whole | Fault | TransferFailed = await self._past(ask, gate)
        except (Fault, TransferFailed) as error:
            found = error
        then(found)

    async def _past(self, ask: Ask, gate: Gate) -> Whole:
        reply = await self._engine.send(ask)
        body: list[Chunk] = []
        left = DISCARD if reply.status != 200 else None
        try:
            while batch := await reply.read():
                size = sum(map(len, batch))
                if await gate(size) < size:
                    raise TransferFailed(Why.LIMIT, "no more bytes may be taken")
                body += batch
                if left is not None and (left := left - size) < 0:
                    break
        except Fault:
            if reply.status == 200:
                raise
        finally:
            reply.close()
        return Whole(reply.status, reply.headers, b"".join(body))


class _Way:
    """From an address over its redirects to an answer."""

    __slots__ = ("_began", "_direct", "_hops", "_limits", "_never", "_target", "_then", "_url")

    def __init__(self, direct: Direct, url: str, limits: Limits, then: Then, never: Collection[str]) -> None:
        self._direct, self._url, self._limits, self._then, self._never = direct, url, limits, then, never
        self._hops = 0
        self._began = time.monotonic()
        self._target = url

    def begin(self) -> None:
        try:
            self._ask(clean_url(self._url))
        except TransferFailed as error:
            asyncio.get_running_loop().call_soon(self._then, error)

    def _ask(self, target: str) -> None:
        self._target = target
        try:
            self._direct.send(target, self._limits, self._came)
        except Fault as fault:
            raise broken(fault, target) from None

    def _came(self, found: Whole | Fault | TransferFailed) -> None:
        if isinstance(found, Whole):
            location = found.header("location") if found.status in REDIRECTS else None
            if location is None:
                self._then(Got(self._target, found))
                return
            try:
                self._follow(location)
            except TransferFailed as error:
                self._then(error)
        elif isinstance(found, Fault):
            self._then(broken(found, self._target))
        else:
            self._then(found)

    def _follow(self, location: str) -> None:
        target = redirected(self._target, location)
        check_never(target, self._never)
        self._hops += 1
        if self._hops > MAX_REDIRECTS:
            raise too_many(self._url)
        if self._limits.total is not None:
            now = time.monotonic()
            left = max(0.001, self._limits.total - (now - self._began))
            self._limits, self._began = replace(self._limits, total=left), now
        self._ask(target)
