"""Members of one archive written by several processes: this one, and helpers that are started for it.

Threads would wait for each other's interpreter lock at every small file. A helper that dies, or never starts, costs
nothing but time: what it was at is done again by those that are left.
"""

from __future__ import annotations

import pickle
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, NamedTuple

from datafetch.archive.helper import Begin, Job
from datafetch.archive.members import Archive, Chunk, Member
from datafetch.archive.writing import write_new, write_over
from datafetch.children import cores, spawn
from datafetch.errors import Interrupted
from datafetch.store.files import Tree

MOST = 4  # processes; more of them only wait for the disk
WORTH = (
    24 << 20,
    2000,
)  # bytes, or files, for each process before the next is started: that takes a tenth of a second
_SHARE = 64, 2 << 20  # members of a share at most, and the bytes at which it is full
_AHEAD = (
    2  # shares that a helper has at once: it goes on with the second while we take the answer of the first
)
_LOOK = 0.2  # seconds between two looks at whether to stop, while helpers finish

Work = Sequence[tuple[Member, str]]
Written = tuple[int, int, str]  # place in the work, size, SHA-256
Stop = Callable[[], bool]


def processes(work: Work) -> int:
    """How many should share the work, this one among them."""
    size = sum(member.size for member, _ in work)
    return min(MOST, cores(), 1 + max(size // WORTH[0], len(work) // WORTH[1]))


class Share(NamedTuple):
    """Members of the work that one process writes before it is asked again."""

    start: int
    end: int
    again: bool = False  # a helper died over it: some of its files may be there


Answer = tuple[Share, list[tuple[int, str]]]


def unpack_shared(
    archive: Archive, paths: Sequence[Path], work: Work, into: Path, count: int, stop: Stop
) -> Iterator[Written]:
    """Write all of it below `into` with `count` processes; what is written, in no order.

    Raises the first error of any of them, or Interrupted once `stop` turns true; none of them writes any more then.
    """
    shares = deque(_shares(work))
    left = len(shares)
    answers: SimpleQueue[Answer | BaseException | None] = SimpleQueue()
    begin = Begin(archive.reader, tuple(map(str, paths)), str(into))
    helpers = [_Helper(begin, work, shares, answers) for _ in range(count - 1)]
    try:
        with Tree(into) as tree:
            while left:
                if (mine := _take(shares)) is not None:
                    write = write_over if mine.again else write_new
                    for index in range(mine.start, mine.end):
                        member, target = work[index]
                        yield index, *write(tree, target, until(stop, archive.read(member)))
                        if stop():
                            raise stopped()
                    left -= 1
                answer = _next(answers, wait=mine is None)
                while answer is not None:
                    if isinstance(answer, BaseException):
                        raise answer
                    share, found = answer
                    yield from ((share.start + k, *one) for k, one in enumerate(found))
                    left -= 1
                    answer = _next(answers, wait=False)
                if stop():
                    raise stopped()
    finally:
        for helper in helpers:
            helper.end()


def until(stop: Stop, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks; Interrupted between two of them once `stop` turns true."""
    for count, chunk in enumerate(chunks):
        if count and stop():
            raise stopped()
        yield chunk


def stopped() -> Interrupted:
    return Interrupted("stopped while unpacking", hint="run the same command again: what is fetched is kept")


def _shares(work: Work) -> Iterator[Share]:
    start, size = 0, 0
    for index, (member, _) in enumerate(work):
        if index - start >= _SHARE[0] or size >= _SHARE[1]:
            yield Share(start, index)
            start, size = index, 0
        size += member.size
    if work:
        yield Share(start, len(work))


def _take(shares: deque[Share]) -> Share | None:
    """From the front; helpers take from the back, so that two processes seldom meet in one folder."""
    try:
        return shares.popleft()
    except IndexError:
        return None


def _next(answers: SimpleQueue[Answer | BaseException | None], wait: bool) -> Answer | BaseException | None:
    try:
        return answers.get(timeout=_LOOK) if wait else answers.get_nowait()
    except Empty:
        return None


class _Helper:
    """One more process, and the thread that gives it shares until there are none."""

    def __init__(
        self,
        begin: Begin,
        work: Work,
        shares: deque[Share],
        answers: SimpleQueue[Answer | BaseException | None],
    ) -> None:
        self._work, self._shares, self._answers = work, shares, answers
        self._child: subprocess.Popen[bytes] | None = None
        with suppress(OSError):  # no room for one more process: the others do it
            self._child = spawn("datafetch.archive.helper", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._serve, args=(self._child, begin), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """It has ended afterwards: it cannot write any more."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        self._thread.join()
        if self._child is not None and self._child.stdin and self._child.stdout:
            with suppress(OSError):
                self._child.stdin.close()
            self._child.stdout.close()

    def _serve(self, child: subprocess.Popen[bytes] | None, begin: Begin) -> None:
        if child is None:
            return
        given: deque[Share] = deque()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            pickle.dump(begin, child.stdin)
            while self._give(child.stdin, given) or given:
                answer = pickle.load(child.stdout)
                self._answers.put(answer if isinstance(answer, BaseException) else (given[0], answer))
                given.popleft()
        except (OSError, EOFError, pickle.UnpicklingError, ValueError):  # it died, or was ended
            self._shares.extend(share._replace(again=True) for share in given)
        except Exception as error:  # an answer nobody understands: the one who waits for it is told
            self._answers.put(error)
        self._answers.put(None)

    def _give(self, pipe: IO[bytes], given: deque[Share]) -> bool:
        """Fill up what it is at; whether there was a share to give."""
        gave = False
        while len(given) < _AHEAD and (share := self._last()) is not None:
            given.append(share)
            work = self._work[share.start : share.end]
            pickle.dump(Job([(tuple(member), target) for member, target in work], share.again), pipe)
            gave = True
        pipe.flush()
        return gave

    def _last(self) -> Share | None:
        try:
            return self._shares.pop()
        except IndexError:
            return None
