"""Portions looked at by several processes: Python threads would wait for each other at every small file.

A process that dies, or never starts, costs nothing but time: what it was at is done here.
"""

from __future__ import annotations

import pickle
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from datafetch.children import cores, spawn
from datafetch.store.closing import Closing
from datafetch.verify.portion import Answer, Looker, Portion, Task, Unread

WORTH_FILES = 20_000  # as many files as can be looked at while a process starts, …
WORTH_BYTES = 32 << 20  # … or bytes that can be read
_WAITING = 16 << 20  # bytes of answers that may wait to be taken, before no other portion is begun
_LOOK = 0.2  # seconds between two looks at whether to stop

Result = Answer | BaseException | None  # None: the process died over it


class Crew(Closing):
    """Takes portions and gives answers, in the order of the portions."""

    def __init__(self, task: Task, go_on: Callable[[], None], processes: int = 0) -> None:
        self._task, self._go_on = task, go_on
        self._count = processes or cores()
        self._files = 0
        self._portions: list[Portion] = []
        self._todo: deque[int] = deque()  # places of those that nobody has begun
        self._results: dict[int, Result] = {}
        self._next = 0  # the place of the answer that is taken next
        self._all = False  # whether all portions have come
        self._waiting = 0  # bytes of results
        self._lock = threading.Condition()
        self._children: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []

    def give(self, portion: Portion) -> None:
        """Another portion; processes begin once there are enough of them."""
        with self._lock:
            self._todo.append(len(self._portions))
            self._portions.append(portion)
            self._lock.notify_all()
        self._files += portion.files
        if self._files >= WORTH_FILES:
            self._grow()

    def answers(self) -> Iterator[tuple[Portion, Answer]]:
        """The answer of each portion, once all have been given. Raises what the looking does, and what `go_on` does."""
        with self._lock:
            self._all = True
            self._lock.notify_all()
        with Looker(self._task, self._go_on) as looker:
            if not self._children:
                self._glance(looker)
            for place, portion in enumerate(self._portions):
                self._go_on()
                result = self._wait(place) if self._children else self._results.pop(place, None)
                if isinstance(result, BaseException):
                    raise result
                yield portion, result or looker.look(portion, read=True)

    def close(self) -> None:
        """No process of it runs any more."""
        with self._lock:
            self._todo.clear()
            self._all = True
            self._waiting = 0
            self._lock.notify_all()
        for child in self._children:
            child.kill()
            child.wait()
        for thread in self._threads:
            thread.join()
        for child in self._children:
            for pipe in (child.stdin, child.stdout):
                with suppress(OSError):
                    if pipe is not None:
                        pipe.close()

    def _glance(self, looker: Looker) -> None:
        """Answers of portions in which nothing has to be read; processes begin if much has to be in the others."""
        unread = deque[int]()
        for place, portion in enumerate(self._portions):
            self._go_on()
            with suppress(Unread):
                answer = self._results[place] = looker.look(portion, read=False)
                self._waiting += _weight(answer)
                continue
            unread.append(place)
        self._todo = unread
        if len(unread) > 1 and sum(self._portions[place].bytes for place in unread) >= WORTH_BYTES:
            self._grow()

    def _grow(self) -> None:
        """Start the processes, unless they have been."""
        while len(self._threads) < self._count:
            with suppress(OSError):  # no room for one more process: the others do it, or we
                child = spawn("datafetch.verify.helper", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                self._children.append(child)
                self._threads.append(threading.Thread(target=self._serve, args=(child,), daemon=True))
                self._threads[-1].start()
                continue
            return

    def _wait(self, place: int) -> Result:
        """What became of a portion; None when nobody looks at it."""
        with self._lock:
            self._next = place
            self._lock.notify_all()
            while place not in self._results:
                if not any(thread.is_alive() for thread in self._threads):
                    return None
                self._lock.wait(_LOOK)
                self._go_on()
            result = self._results.pop(place)
            self._waiting -= _weight(result)
            return result

    def _serve(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        begun = False
        while (place := self._take()) is not None:
            result: Result = None
            try:
                if not begun:
                    pickle.dump(self._task, child.stdin)
                    begun = True
                pickle.dump(self._portions[place], child.stdin)
                child.stdin.flush()
                result = pickle.load(child.stdout)
            except (OSError, EOFError, pickle.UnpicklingError, ValueError):  # it died, or was ended
                pass
            except Exception as error:  # an answer nobody understands: the one who waits for it is told
                result = error
            with self._lock:
                self._results[place] = result
                self._waiting += _weight(result)
                self._lock.notify_all()
            if result is None:
                return

    def _take(self) -> int | None:
        """The place of a portion to look at, as soon as there is one; None when there will be none any more."""
        with self._lock:
            while True:
                room = self._waiting < _WAITING or (self._todo and self._todo[0] <= self._next)
                if self._todo and room:
                    return self._todo.popleft()
                if not self._todo and self._all:
                    return None
                self._lock.wait(_LOOK)


def _weight(result: Result) -> int:
    return len(result.findings) + len(result.sights) if isinstance(result, Answer) else 0
