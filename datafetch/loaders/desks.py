"""Pictures read by several processes. One that dies over a picture is replaced, and the picture named.

Damaged files are what is looked for here, and a decoder in C may take its whole process with it.
"""

from __future__ import annotations

import pickle
import subprocess
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from queue import SimpleQueue

from datafetch.children import cores, spawn
from datafetch.loaders.pictures import Job, Seen, look
from datafetch.loaders.rules import Kind

BATCH = 64  # pictures that are handed over together
AHEAD = 2  # batches for each process that wait, so that none runs dry
WORTH = 300  # pictures for each process before another is started, which takes a fifth of a second
MOST = 16  # processes


def processes(pictures: int) -> int:
    return max(1, min(MOST, cores(), pictures // WORTH))


def seen(root: str, jobs: Iterator[Job], count: int) -> Generator[tuple[Job, Seen], None, None]:
    """Each job with what was seen, in order; `count` processes read. Holds a few batches at a time."""
    idle: SimpleQueue[_Desk] = SimpleQueue()
    desks = [_Desk(root) for _ in range(count)]
    for desk in desks:
        idle.put(desk)
    pool = ThreadPoolExecutor(count)

    def ask(batch: list[Job]) -> list[Seen]:
        desk = idle.get()
        try:
            return desk.ask(batch)
        finally:
            idle.put(desk)

    ahead: deque[tuple[list[Job], Future[list[Seen]]]] = deque()
    try:
        while True:
            while len(ahead) < count * AHEAD and (batch := list(islice(jobs, BATCH))):
                ahead.append((batch, pool.submit(ask, batch)))
            if not ahead:
                return
            first, answer = ahead.popleft()
            yield from zip(first, answer.result(), strict=True)
    finally:
        for desk in desks:
            desk.end()
        pool.shutdown(cancel_futures=True)
        for desk in desks:
            desk.close()


class _Desk:
    """One process, started when it is first asked, and anew after it died."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def ask(self, batch: list[Job]) -> list[Seen]:
        """What was seen of each; a job that kills its process, by itself, is said to."""
        answer = self._try(batch)
        if answer is not None:
            return answer
        each = (self._try([job]) for job in batch)
        return [
            found[0] if found else Seen(0, ((Kind.BROKEN, job.picture or job.mask, "the decoder crashed"),))
            for job, found in zip(batch, each, strict=True)
        ]

    def _try(self, batch: list[Job]) -> list[Seen] | None:
        if self._ended:
            return None
        if self._process is None:
            try:
                self._process = spawn(
                    "datafetch.loaders.worker", self._root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            except OSError:  # no room for a process: more slowly then, and not as safely
                return [look(self._root, job) for job in batch]
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            pickle.dump(batch, process.stdin)
            process.stdin.flush()
            found: list[Seen] = pickle.load(process.stdout)
            return found
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            self.close()
            return None

    def end(self) -> None:
        """Whatever it is at; may be called from another thread, whose `ask` then comes back."""
        self._ended = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError):
                process.communicate()
