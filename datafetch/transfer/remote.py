"""A file at one address, read by ranges that are all of one version of it; tried again as every transfer is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial

from datafetch.errors import NoRoom, TransferFailed
from datafetch.model import Event, Why
from datafetch.transfer.addresses import safe_url, shown_host
from datafetch.transfer.failures import failed
from datafetch.transfer.http import Answer
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.ranges import Given, Headers, Worth, ask_span, ask_tail, judge_span, judge_tail
from datafetch.transfer.resume import Validators
from datafetch.transfer.retry import Drip, Ground, Keep, Then, Tries, decide
from datafetch.transfer.waiting import wait
from datafetch.transfer.wanted import Wanted, Ways

_TELL_EVERY = 0.2  # seconds between two events
_PIECE = 64 << 20  # bytes of one request that are held in memory, at most: of directories, never of members


class NoRanges(Exception):  # no fault: the file is to be had as a whole
    """This address gives no ranges, or none that can be relied on; says why."""


class Remote:
    """Read by several tasks at once. `tail` first, unless the validators of an earlier run are known."""

    def __init__(self, wanted: Wanted, ways: Ways, url: str, validators: Validators | None = None) -> None:
        self._wanted, self._ways, self.url = wanted, ways, url
        self.validators = validators or Validators()
        self._host = shown_host(url)
        self._tail = (0, b"")  # where the bytes begin that `tail` brought: nobody is asked for them again
        self._untold = 0
        self._told = ways.clock()

    async def tail(self, length: int) -> tuple[int, bytes]:
        """The last `length` bytes and where they begin. Raises NoRanges, TransferFailed."""

        async def take() -> int:
            headers = ask_tail(length)
            async with self._asked(headers, partial(judge_tail, length)) as (answer, given):
                self._check_size(given.validators.total)
                body = b"".join(
                    [bytes(chunk) async for batch in self._body(answer, given) for chunk in batch]
                )
                self._tail = given.start, body
                self.validators = given.validators
                return len(body)

        await self._insist(take, length)
        return self._tail

    async def bytes(self, start: int, end: int) -> bytes:
        """So many bytes, in memory. Raises as `body` does."""
        found = bytearray()
        for at in range(start, end, _PIECE):
            async for batch in self.body(at, min(end, at + _PIECE)):
                for chunk in batch:
                    found += chunk
        return bytes(found)

    async def body(self, start: int, end: int) -> AsyncGenerator[list[Chunk], None]:
        """The bytes from `start` to before `end`, in order, whatever drops between.

        Raises NoRanges, and TransferFailed: with CHANGED when the file is another one than `validators` says.
        """
        tail, known = self._tail
        asked = min(end, tail) if known else end
        async with aclosing(self._asked_body(start, asked)) as body:
            async for batch in body:
                yield batch
        if asked < end:
            yield [memoryview(known)[max(start, tail) - tail : end - tail]]

    async def _asked_body(self, start: int, end: int) -> AsyncGenerator[list[Chunk], None]:
        at, tries, ground = start, Tries(), Ground(0, self._ways.patience)
        while at < end:
            began = self._ways.clock()
            try:
                async with self._ways.hosts.turn(self._host):
                    began = self._ways.clock()
                    headers = ask_span(at, end, self.validators)
                    judge = partial(judge_span, at, end, self.validators)
                    async with self._asked(headers, judge) as (answer, given):
                        async for batch in self._body(answer, given):
                            at += sum(map(len, batch))
                            yield batch
            except TransferFailed as failure:
                await self._judge(failure, tries, ground, (at - start, end - start), began)

    async def _insist(self, take: Callable[[], Awaitable[int]], length: int) -> None:
        tries, ground = Tries(), Ground(0, self._ways.patience)
        while True:
            began = self._ways.clock()
            try:
                async with self._ways.hosts.turn(self._host):
                    began = self._ways.clock()
                    await take()
                    return
            except TransferFailed as failure:
                await self._judge(failure, tries, ground, (0, length), began)

    async def _judge(
        self, failure: TransferFailed, tries: Tries, ground: Ground, held: tuple[int, int], began: float
    ) -> None:
        """Waits until the next try; raises when there is none, and what no further try of this range can mend."""
        patience = self._ways.patience
        spent = self._ways.clock() - began
        count = tries.after(failure.why, advanced=ground.gained(*held, spent))
        patience = patience.with_proven() if ground.gains else patience
        verdict = decide(failure.why, count, patience=patience)
        if verdict.then is Then.STOP:
            raise NoRoom(str(failure), failure.hint) from failure
        if verdict.part is not Keep.KEEP:
            raise failure
        await wait(self._wanted, self._ways, self.url, failure, count, verdict)

    @asynccontextmanager
    async def _asked(
        self, headers: Headers, judge: Callable[[int, Mapping[str, str]], Given]
    ) -> AsyncIterator[tuple[Answer, Given]]:
        async with self._ways.open(self._wanted, self.url, headers) as answer:
            given = judge(answer.status, answer.headers)
            match given.worth:
                case Worth.BYTES:
                    yield answer, given
                case Worth.NO_RANGES:
                    raise NoRanges(given.text)  # the body is not read: it may be the whole file
                case Worth.CHANGED | Worth.FAILED:
                    if given.worth is Worth.FAILED:
                        await answer.discard()
                    raise failed(given.why, self.url, given.text, answer.later)

    async def _body(self, answer: Answer, given: Given) -> AsyncIterator[list[Chunk]]:
        """What a body brings of the span it was to bring; more than that, or less, is raised."""
        left = given.end - given.start
        drip = Drip(0, self._ways.clock(), self._ways.patience)
        taken = 0
        try:
            async for batch in answer.batches():
                size = sum(map(len, batch))
                if size > left:
                    raise failed(Why.CHANGED, self.url, "the server sends more than it has told of")
                left -= size
                taken += size
                self._tell(size)
                yield batch
                if drip.too_slow(taken, self._ways.clock()):
                    raise failed(Why.TOO_SLOW, self.url, "the server sends too slowly")
            if left:
                raise failed(Why.SHORT, self.url, f"{taken} of {taken + left} bytes arrived")
        finally:
            self.flush()

    def _check_size(self, total: int | None) -> None:
        if None not in (self._wanted.size, total) and self._wanted.size != total:
            text = f"the file should have {self._wanted.size} bytes, the server's has {total}"
            raise failed(Why.CHANGED, self.url, text)

    def _tell(self, size: int) -> None:
        self._untold += size
        if self._ways.clock() - self._told >= _TELL_EVERY:
            self.flush()

    def flush(self) -> None:
        """Tells of what has come in since it was last told."""
        self._told = self._ways.clock()
        if self._untold:
            self._ways.emit(Event("received", self._wanted.name, self._untold, url=safe_url(self.url)))
            self._untold = 0
