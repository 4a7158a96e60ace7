"""Small files below httpx: a body as a whole, asked for and redirected by the same rules."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.transfer.addresses import Policy, clean_url, redirected
from datafetch.transfer.engine import Ask, Engine, Fault, Limits, Whole
from datafetch.transfer.environment import Environment
from datafetch.transfer.failures import broken
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.rules import DISCARD, MAX_REDIRECTS, REDIRECTS, asked, check_never, too_many

# Given the size of what came, waits until it was due; gives back how much of it counts.
Gate = Callable[[int], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Got:
    """Any status is an answer; the body of an error may lack its end."""

    url: str  # where the redirects led
    answer: Whole


class Direct:
    """Asks one engine. With a `gate` every byte passes it as it comes."""

    def __init__(
        self, engine: Engine, policy: Policy, environment: Environment, gate: Gate | None = None
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._environment = environment
        self._gate = gate

    async def get(self, url: str, limits: Limits, never: Collection[str] = ()) -> Got:
        """The answer to GET `url`; to origins in `never` no redirect may lead. Raises TransferFailed.

        The body is held in memory: `limits` must bound it. They hold for all redirects together.
        """
        target, began = clean_url(url), time.monotonic()
        for _ in range(MAX_REDIRECTS + 1):
            ask = asked(target, self._policy, self._environment, limits)
            try:
                answer = await (
                    self._engine.whole(ask) if self._gate is None else self._gated(ask, self._gate)
                )
            except Fault as fault:
                raise broken(fault, target) from None
            location = answer.header("location")
            if answer.status not in REDIRECTS or location is None:
                return Got(target, answer)
            target = redirected(target, location)
            check_never(target, never)
            if limits.total is not None:
                limits = replace(limits, total=max(0.001, limits.total - (time.monotonic() - began)))
                began = time.monotonic()
        raise too_many(url)

    async def _gated(self, ask: Ask, gate: Gate) -> Whole:
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
