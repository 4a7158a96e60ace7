"""libcurl on the asyncio loop: requests in, bodies out under back-pressure, every dialled address checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pycurl

from datafetch.model import Why
from datafetch.transfer.curl import Ask, Fault, Limits, Trust
from datafetch.transfer.driver import Driver
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.line import HELD, Line

__all__ = ["Ask", "Engine", "Fault", "Limits", "Reply", "Trust", "Whole"]


class Whole(msgspec.Struct, frozen=True):
    """An answer with all of its body; that of an error may lack its end."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


class Engine:
    """Belongs to one loop. `send` may be called by any number of tasks; `close` ends what is under way."""

    def __init__(
        self,
        trust: Trust,
        *,
        connections: int = 256,
        user_agent: str = "datafetch",
        held: int = HELD,
    ) -> None:
        self._driver = Driver(connections)
        self._trust = trust
        self._user_agent = user_agent
        self._held = held  # bytes of one transfer that wait for their reader before it is paused
        self._idle: list[Line] = []

    async def send(self, ask: Ask) -> Reply:
        """The head of the answer; its body is read from the Reply, which must be closed. Raises Fault."""
        reply = Reply(self, self._begin(ask))
        try:
            await reply.head()
        except BaseException:
            reply.close()
            raise
        return reply

    def whole(self, ask: Ask, then: Callable[[Whole | Fault], None]) -> None:
        """Calls `then`, from the loop, with the answer once its body is here, in memory: `ask.limits` should
        bound it. Raises Fault for what cannot be asked.

        Costs a fraction of `send`. A fault after the head of an error is none: the head was what mattered.
        """

        def ended(line: Line) -> None:
            found: Whole | Fault = line.fault or Whole(
                line.status, tuple(line.headers), b"".join(line.take())
            )
            self._release(line)
            then(found)

        self._begin(ask, ended)

    def _begin(self, ask: Ask, whole: Callable[[Line], None] | None = None) -> Line:
        line = self._idle.pop() if self._idle else Line(self._trust, self._user_agent, self._held)
        try:
            line.prepare(ask, asyncio.get_running_loop(), whole)
        except (ValueError, TypeError, pycurl.error):
            line.curl.close()
            # What libcurl cannot take may be a secret, so it is not shown.
            raise Fault(
                Why.BAD_URL, "no request can be made of its address, headers, login or proxy"
            ) from None
        self._driver.add(line.curl, line.ended)
        return line

    def _release(self, line: Line) -> None:
        if not line.done:
            self._driver.remove(line.curl)  # drops the connection, as its body is unfinished
        line.forget()
        if line.done and line.reusable and not self._driver.closed:
            self._idle.append(line)
        else:
            line.curl.close()

    async def close(self) -> None:
        self._driver.close()
        for line in self._idle:
            line.curl.close()
        self._idle.clear()


class Reply:
    """An answer whose body is still on its way. Reading raises Fault; closing may be called twice."""

    __slots__ = ("_engine", "_line", "headers", "reason", "status")

    def __init__(self, engine: Engine, line: Line) -> None:
        self._engine = engine
        self._line: Line | None = line
        self.status = 0
        self.reason = ""
        self.headers: tuple[tuple[str, str], ...] = ()

    async def head(self) -> None:
        """Waits for status and headers. Raises Fault."""
        line = self._line
        assert line is not None
        assert line.head is not None
        await line.head
        self.status, self.reason, self.headers = line.status, line.reason, tuple(line.headers)

    async def read(self) -> list[Chunk]:
        """What has arrived since the last call, waiting if nothing has; empty at the end of a whole body."""
        line = self._line
        if line is None:
            return []
        while not line.holds:
            if line.done:
                if line.fault is not None:
                    raise line.fault
                return []
            await line.more()
        return line.take()

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._engine._release(line)
