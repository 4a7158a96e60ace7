"""A worker process: asks for the addresses it is given, judges what comes, and writes what is good.

`python -m datafetch.images.worker`, with its socket as standard input. It ends by itself when the other end is gone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from datafetch.errors import DatafetchError, TransferFailed
from datafetch.images.desks import Desks
from datafetch.images.judge import Judge
from datafetch.images.placeholders import leads_to_placeholder
from datafetch.images.samples import Samples
from datafetch.images.staged import Staged
from datafetch.images.wire import (
    Allow,
    Answered,
    Back,
    Begin,
    Came,
    Claim,
    Ended,
    FromWorker,
    Job,
    Share,
    Terms,
    ToWorker,
    Trouble,
    Wire,
)
from datafetch.images.wire import to_worker as decoder
from datafetch.model import Why
from datafetch.transfer.addresses import Policy, safe_url
from datafetch.transfer.direct import Direct, Got
from datafetch.transfer.engine import Engine, Limits
from datafetch.transfer.environment import Environment
from datafetch.transfer.failures import Throttled, failed
from datafetch.transfer.gait import asks_for_less
from datafetch.transfer.lanes import Lane
from datafetch.transfer.optout import SIGNS, opted_out
from datafetch.transfer.retry import retry_after, why_of_status
from datafetch.transfer.rules import USER_AGENT
from datafetch.transfer.signs import Sent
from datafetch.transfer.told import Told, told

SLACK = 0.008  # seconds that a message may wait for others
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
        self._judge = Judge(begin.limits, begin.image, begin.placeholders, samples)
        self._heed = not begin.ignore_opt_out
        limits = Limits(total=begin.total, body_bytes=begin.limits.max_bytes)
        limits = limits if begin.low_speed is None else replace(limits, low_speed=begin.low_speed)
        environment = Environment.read()
        direct = Direct(
            Engine(environment.trust, user_agent=USER_AGENT, held=begin.held),
            Policy.of(begin.mirrors, begin.allow_private),
            environment,
            self._claim if begin.gated else None,
        )
        self._desks = Desks(direct, limits, self._came)
        self._lane = Lane("decode", self._decode) if begin.image else None
        self._undecoded = 0  # bytes
        self._claims: dict[int, asyncio.Future[int]] = {}
        self._claimed = 0

    def take(self, messages: list[ToWorker]) -> None:
        for message in messages:
            match message:
                case Job():
                    self._desks.put(message)
                case Terms(host=host, grant=grant):
                    if back := self._desks.allow(host, grant):
                        self._wire.send(Back(back), now=True)
                case Share(most=most):
                    self._desks.most = most
                case Allow(number=number, size=size):
                    self._claims.pop(number).set_result(size)
        self._desks.work()

    def _came(self, job: Job, sent: Sent, found: Got | TransferFailed) -> Told | None:
        """What is made of an answer; a bug must cost one row, not the worker and all that it is at."""
        answered = None
        try:
            if isinstance(found, TransferFailed):
                self._wire.send(_failure(job, found))
                return None
            headers = dict(found.answer.headers)
            heard = told(found.answer.status, headers, self._loop.time() - sent.at)
            answered = Answered(sent.at, sent.among, heard)
            self._judged(job, _body(job, found, headers, self._heed), answered)
        except TransferFailed as failure:
            self._wire.send(
                _failure(job, failure, answered=answered),
                now=answered is not None and asks_for_less(answered.told),
            )
        except Exception as error:
            bug = failed(Why.UNKNOWN, job.url, f"{type(error).__name__}: {error}")
            self._wire.send(_failure(job, bug, answered=answered))
        return None if answered is None else answered.told

    def _judged(self, job: Job, body: bytes, answered: Answered) -> None:
        if self._lane is None:
            self._say(self._finished(job, body, answered))
            return
        self._undecoded += len(body)
        self._desks.resting = self._undecoded > UNDECODED
        self._wire.send(Came(job.number, answered))
        self._lane.put((job, body))

    def _decode(self, entry: tuple[Job, bytes]) -> None:
        """In the second thread, which is also the only one that writes then."""
        self._loop.call_soon_threadsafe(self._decoded, self._finished(*entry), len(entry[1]))

    def _decoded(self, message: FromWorker, size: int) -> None:
        self._say(message)
        self._undecoded -= size
        if self._desks.resting and self._undecoded <= UNDECODED:
            self._desks.resting = False
            self._desks.work()

    def _say(self, message: FromWorker) -> None:
        trouble = isinstance(message, Trouble)
        if trouble:
            self._desks.most = 0  # nothing more that could not be kept
        self._wire.send(message, now=trouble)

    def _finished(self, job: Job, body: bytes, answered: Answered | None = None) -> FromWorker:
        judged = self._judge(body)
        if isinstance(judged, Why):
            text = f"{len(body)} bytes that are {_WORDS.get(judged, judged)}"
            return _failure(job, failed(judged, job.url, text), len(body), answered)
        try:
            nameable = self._staged.put(job.path, body)
        except DatafetchError as error:
            return Trouble(str(error), error.hint)
        return Ended(
            job.number,
            len(body),
            judged.sha256,
            judged.width,
            judged.height,
            answered,
            unnameable=not nameable,
        )

    async def _claim(self, size: int) -> int:
        self._claimed += 1
        allowed: asyncio.Future[int] = self._loop.create_future()
        self._claims[self._claimed] = allowed
        self._wire.send(Claim(self._claimed, size), now=True)
        return await allowed


def _body(job: Job, got: Got, headers: Mapping[str, str], heed: bool) -> bytes:
    """What a good answer holds. Raises TransferFailed for every other."""
    if leads_to_placeholder(got.url):
        raise failed(Why.PLACEHOLDER, got.url, "the picture of a missing one")
    status = got.answer.status
    if status != 200:
        later = retry_after(got.answer.header("retry-after") or "", datetime.now(UTC))
        raise failed(why_of_status(status), job.url, f"status {status}", later)
    if heed and not SIGNS.isdisjoint(headers) and (header := opted_out(got.answer.headers)) is not None:
        raise failed(Why.OPTED_OUT, got.url, f"the host says {header}", hint="--ignore-opt-out takes it")
    return got.answer.body


def _failure(job: Job, failure: TransferFailed, received: int = 0, answered: Answered | None = None) -> Ended:
    why = Why.PLACEHOLDER if leads_to_placeholder(failure.url) else failure.why
    wait = failure.seconds if isinstance(failure, Throttled) else None
    url = failure.url or safe_url(job.url)
    return Ended(job.number, received, answered=answered, why=why, url=url, text=str(failure), wait=wait)


async def serve(end: socket.socket) -> None:
    """Works until the other end is gone."""
    worker: list[Worker] = []

    def got(messages: list[ToWorker]) -> None:
        if not worker:
            begin = messages.pop(0)
            assert isinstance(begin, Begin)
            worker.append(Worker(begin, wire))
        worker[0].take(messages)

    # Nothing is worth finishing for a supervisor that is gone, and nobody is left to tell.
    wire = Wire(decoder(), got, lambda: os._exit(0), SLACK)
    await asyncio.get_running_loop().create_connection(lambda: wire, sock=end)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=0)))
