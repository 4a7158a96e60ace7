"""A compressed tar unpacked in one pass: one thread inflates, one reads headers, two write, by a process each once
that is worth it.

Where members go is guessed from the names so far, and judged when all are known. Nothing of it is published before
that, so whatever breaks a rule, however late, refuses the whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from datafetch.archive.crew import WORTH, Stop, stopped, until
from datafetch.archive.hands import Hand
from datafetch.archive.headers import Stream, read_members
from datafetch.archive.members import CHUNK, Limits, Member, check_members
from datafetch.archive.tar import bytes_of
from datafetch.archive.writing import write_over
from datafetch.errors import DamagedArchive
from datafetch.store.closing import Closing
from datafetch.store.files import Tree

WRITERS = 2
_SHARE = 64, 1 << 20  # members that a writer takes at once at most, and the bytes at which it takes fewer
_WAITING = 4  # shares that wait for a writer

Guess = Callable[[str], str | None]  # where a member goes, or None when it has no place
Passed = tuple[list[Member], dict[int, tuple[str, int, str]]]
_Share = list[tuple[int, str, bytes]]


def unpack_passing(
    stream: Stream, guess: Guess, into: Path, limits: Limits, stop: Stop, tell: Callable[[int], None]
) -> Passed:
    """All members, and of those that were written target, size and SHA-256, by their place among them.

    UnsafeArchive for all that `read_members` and `check_members` refuse, or Interrupted once `stop` turns true. No
    thread writes any more when this has returned or raised.
    """
    members: list[Member] = []
    with _Writers(into) as writers, Tree(into) as tree:
        share: _Share = []
        size = 0
        for index, member in enumerate(read_members(stream, limits)):
            members.append(member)
            target = None if member.is_dir else guess(member.name)
            if target is None:
                continue
            if member.size > CHUNK:
                written = write_over(tree, target, until(stop, bytes_of(stream, member)))
                writers.written[index] = target, *written
            else:
                share.append((index, target, _whole(stream, member)))
                size += member.size
            if len(share) >= _SHARE[0] or size >= _SHARE[1]:
                writers.give(share)
                tell(len(writers.written))
                share, size = [], 0
            if stop():
                raise stopped()
        writers.give(share)
        writers.finish()
    check_members(members, stream.packed_size, limits)
    return members, writers.written


def _whole(stream: Stream, member: Member) -> bytes:
    data = stream.pread(member.size, member.offset) if member.size else b""
    if len(data) < member.size:
        raise DamagedArchive(f"the tar ends inside {member.name!r}: it is cut short")
    return data


class _Writers(Closing):
    """Threads that write and hash; of a large archive each gives that to a process, since all that is done for a small
    file but the writing and hashing themselves keeps the interpreter from the others.
    """

    def __init__(self, into: Path) -> None:
        self.written: dict[int, tuple[str, int, str]] = {}
        self._into = into
        self._waiting: SimpleQueue[_Share | None] = SimpleQueue()
        self._room = threading.Semaphore(_WAITING)
        self._error: BaseException | None = None
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def give(self, share: _Share) -> None:
        """Have it written by whoever is free; raises the first error of any writer."""
        self._room.acquire()
        self._waiting.put(share)
        self._check()

    def finish(self) -> None:
        """Everything given is written."""
        self.close()
        self._check()

    def close(self) -> None:
        """What still waits is written, unless a writer failed; may be called twice."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        files = size = 0
        with ExitStack() as stack:
            tree = stack.enter_context(Tree(self._into))
            hand: Hand | None = None
            while (share := self._waiting.get()) is not None:
                try:
                    if hand is None and (size > WORTH[0] or files > WORTH[1]):
                        hand = stack.enter_context(Hand(self._into))
                    if self._error is None:
                        self._write(tree, hand, share)
                        files += len(share)
                        size += sum(len(data) for _, _, data in share)
                except BaseException as error:  # it is for the other thread to raise
                    self._error = error
                self._room.release()

    def _write(self, tree: Tree, hand: Hand | None, share: _Share) -> None:
        if hand is None:
            for index, target, data in share:
                self.written[index] = target, *write_over(tree, target, (data,) if data else ())
            return
        done = hand.write(tree, [(target, data) for _, target, data in share])
        for (index, target, _), found in zip(share, done, strict=True):
            if isinstance(found, DamagedArchive):
                raise found
            self.written[index] = target, *found
