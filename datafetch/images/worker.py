"""A worker process: asks for the addresses it is given, judges what comes, and writes what is good.

`python -m datafetch.images.worker`, with its socket as standard input. It ends by itself when the other end is gone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from datafetch.errors import DatafetchError, TransferFailed
from datafetch.images.judge import Judge
from datafetch.images.placeholders import leads_to_placeholder
from datafetch.images.samples import Samples
from datafetch.images.staged import Staged
from datafetch.images.wire import Allow, Begin, Came, Claim, Ended, FromWorker, Job, ToWorker, Trouble, Wire
from datafetch.images.wire import to_worker as decoder
from datafetch.model import Why
from datafetch.transfer.addresses import Policy, safe_url
from datafetch.transfer.direct import Direct, Got
from datafetch.transfer.engine import Engine, Limits
from datafetch.transfer.environment import Environment
from datafetch.transfer.failures import Throttled, failed
from datafetch.transfer.lanes import Lane
from datafetch.transfer.optout import opted_out
from datafetch.transfer.retry import retry_after, why_of_status
from datafetch.transfer.rules import USER_AGENT
from datafetch.transfer.told import Told, told

UNDECODED = 32 << 20  # bytes of bodies that wait for their decode before the network waits as well

_WORDS = {
    Why.NOT_AN_IMAGE: "not an image",
    Why.SHORT: "an image that breaks off",
    Why.PLACEHOLDER: "a picture known to stand for a missing one",
    Why.TOO_SMALL: "too few",
    Why.TOO_LARGE: "too many, or too many pixels",
    Why.HTML: "a web page",
}


class Worker:
    """The jobs of one list, side by side on one loop; images are decoded by a second thread."""

    def __init__(self, begin: Begin, wire: Wire[ToWorker]) -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._staged = Staged(Path(begin.staging))
        samples = Samples(Path(begin.samples)) if begin.samples else None
        self._judge = Judge(begin.limits, begin.image, samples)
        self._heed = not begin.ignore_opt_out
        limits = Limits(total=begin.total, body_bytes=begin.limits.max_bytes)
        self._limits = limits if begin.low_speed is None else replace(limits, low_speed=begin.low_speed)
        environment = Environment.read()
        self._direct = Direct(
            Engine(environment.trust, user_agent=USER_AGENT, held=begin.held),
            Policy.of(begin.mirrors, begin.allow_private),
            environment,
            self._claim if begin.gated else None,
        )
        self._lane = Lane("decode", self._decode) if begin.image else None
        self._jobs: set[asyncio.Task[None]] = set()
        self._claims: dict[int, asyncio.Future[int]] = {}
        self._claimed = 0

    def take(self, message: Job | Allow) -> None:
        if isinstance(message, Allow):
            self._claims.pop(message.number).set_result(message.size)
            return
        task = self._loop.create_task(self._do(message))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _do(self, job: Job) -> None:
        heard: Told | None = None
        started = self._loop.time()
        try:
            got = await self._direct.get(job.url, self._limits, (job.never,) if job.never else ())
            heard = told(got.answer.status, dict(got.answer.headers), self._loop.time() - started)
            body = _body(job, got, self._heed)
        except TransferFailed as failure:
            self._wire.send(_failure(job, failure, told=heard))
        except Exception as error:  # a bug must cost one row, not the worker and all that it is at
            self._wire.send(_failure(job, failed(Why.UNKNOWN, job.url, f"{type(error).__name__}: {error}")))
        else:
            if self._lane is None:
                self._wire.send(self._finished(job, body, heard))
            else:
                await self._lane.below(UNDECODED)
                self._wire.send(Came(job.number, heard))
                self._lane.put((job, body), len(body))

    def _decode(self, entry: tuple[Job, bytes]) -> None:
        """In the second thread, which is also the only one that writes then."""
        self._loop.call_soon_threadsafe(self._wire.send, self._finished(*entry))

    def _finished(self, job: Job, body: bytes, heard: Told | None = None) -> FromWorker:
        judged = self._judge(body)
        if isinstance(judged, Why):
            text = f"{len(body)} bytes that are {_WORDS.get(judged, judged)}"
            return _failure(job, failed(judged, job.url, text), len(body), heard)
        try:
            nameable = self._staged.put(job.path, body)
        except DatafetchError as error:
            return Trouble(str(error), error.hint)
        size = len(body)
        return Ended(
            job.number, size, judged.sha256, judged.width, judged.height, unnameable=not nameable, told=heard
        )

    async def _claim(self, size: int) -> int:
        self._claimed += 1
        allowed: asyncio.Future[int] = self._loop.create_future()
        self._claims[self._claimed] = allowed
        self._wire.send(Claim(self._claimed, size))
        return await allowed


def _body(job: Job, got: Got, heed: bool) -> bytes:
    """What a good answer holds. Raises TransferFailed for every other."""
    if leads_to_placeholder(got.url):
        raise failed(Why.PLACEHOLDER, got.url, "the picture of a missing one")
    status = got.answer.status
    if status != 200:
        later = retry_after(got.answer.header("retry-after") or "", datetime.now(UTC))
        raise failed(why_of_status(status), job.url, f"status {status}", later)
    if heed and (header := opted_out(got.answer.headers)) is not None:
        raise failed(Why.OPTED_OUT, got.url, f"the host says {header}", hint="--ignore-opt-out takes it")
    return got.answer.body


def _failure(job: Job, failure: TransferFailed, received: int = 0, told: Told | None = None) -> Ended:
    why = Why.PLACEHOLDER if leads_to_placeholder(failure.url) else failure.why
    wait = failure.seconds if isinstance(failure, Throttled) else None
    url = failure.url or safe_url(job.url)
    return Ended(job.number, received, why=why, url=url, text=str(failure), wait=wait, told=told)


async def serve(end: socket.socket) -> None:
    """Works until the other end is gone."""
    worker: list[Worker] = []

    def got(message: ToWorker) -> None:
        if isinstance(message, Begin):
            worker.append(Worker(message, wire))
        else:
            worker[0].take(message)

    # Nothing is worth finishing for a supervisor that is gone, and nobody is left to tell.
    wire = Wire(decoder(), got, lambda: os._exit(0))
    await asyncio.get_running_loop().create_connection(lambda: wire, sock=end)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=0)))
