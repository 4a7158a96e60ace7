"""What ends a run before its work is done: a signal, the clock, a fault that every artifact would meet."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from datafetch.errors import (
    RUN_AGAIN,
    DatafetchError,
    Interrupted,
    Locked,
    NoRoom,
    TimeLimit,
    TransferLimit,
)

T = TypeVar("T")

# Errors that end the run and not one artifact: going on would meet them again at once.
STOPS = (NoRoom, Locked, TimeLimit, TransferLimit, Interrupted)


@contextmanager
def signals(stop: Callable[[DatafetchError], None]) -> Iterator[None]:
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
def deadline(stop: Callable[[DatafetchError], None], seconds: float | None) -> Iterator[None]:
    """After so many seconds the run is ended; None is never."""
    if seconds is None:
        yield
        return
    reason = TimeLimit("--max-duration is over", RUN_AGAIN)
    timer = asyncio.get_running_loop().call_later(seconds, stop, reason)
    try:
        yield
    finally:
        timer.cancel()


def pause(seconds: float, begun: Callable[[], None] = lambda: None) -> None:
    """Wait; raises Interrupted at once when a signal comes. `begun` is called once that is so."""
    reasons: list[DatafetchError] = []

    async def wait() -> None:
        over = asyncio.Event()

        def stop(reason: DatafetchError) -> None:
            reasons.append(reason)
            over.set()

        with signals(stop), suppress(TimeoutError):
            begun()
            await asyncio.wait_for(over.wait(), seconds)

    asyncio.run(wait())
    if reasons:
        raise reasons[0]


def stoppable(work: Callable[[Callable[[], None]], T], seconds: float | None) -> T:
    """Do work that blocks, under the signals and for so many seconds at most; what it returned.

    `work` is given what it is to call now and then: that raises the reason to stop, once there is one.
    """
    reasons: list[DatafetchError] = []

    def go_on() -> None:
        if reasons:
            raise reasons[0]

    async def run() -> T:
        with signals(reasons.append), deadline(reasons.append, seconds):
            return await asyncio.to_thread(work, go_on)

    return asyncio.run(run())


async def in_thread(
    work: Callable[[], None],
    let_go: Callable[[], Awaitable[None]] | None = None,
    pool: ThreadPoolExecutor | None = None,
) -> None:
    """Run `work` beside the loop. When cancelled, wait until it has come to rest: it looks at its stop by itself.

    `let_go` ends what it may be waiting for then. The thread is its own, or one of a `pool` with a thread for each such
    work: it may wait for transfers, and those need threads of the loop's pool, which such work would fill.
    """
    own = pool or ThreadPoolExecutor(1, "beside")
    task = asyncio.get_running_loop().run_in_executor(own, work)
    if pool is None:
        own.shutdown(wait=False)  # it ends with the work
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if let_go is not None:
            await let_go()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # looked at, so that nobody reports it as forgotten: what cancelled us is what counts
        raise
