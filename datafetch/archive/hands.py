"""Processes that unpack members from bytes that they are given: `python -m datafetch.archive.hands FOLDER FD`.

Threads would wait for each other's interpreter lock at every small file. Each job is a pickled Job; its bytes lie in
memory that both processes see, or follow on it where there is none or it is too small (FD is -1 then). The answer says
what became of each member. A process ends by itself when the other end is gone: another run may be writing there by
then.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from datafetch.archive.incoming import Incoming, read_member
from datafetch.archive.members import Chunk, Member
from datafetch.archive.writing import write_over
from datafetch.children import spawn
from datafetch.errors import DamagedArchive
from datafetch.store.closing import Closing
from datafetch.store.files import Tree
from datafetch.store.sharing import Sharing, shared

MOST = 1 << 20  # bytes of a job, but for a single longer member: several wait in memory
_ROOM = MOST + (256 << 10)  # of the memory that is shared: the header of a last member may be long

Work = Sequence[tuple[Member, str]]
Done = list[tuple[int, str] | DamagedArchive]  # size and SHA-256 of each member, in their order


class Job(NamedTuple):
    start: int  # of the bytes in the file
    size: int
    here: bool  # whether the bytes follow, or lie in the memory that is shared
    members: list[
        tuple[object, ...]
    ]  # plain tuples: they pass in a third of the time; none where it is plain files
    targets: list[str]
    sizes: list[int]  # of plain files, which lie there one after the other


class Hand(Closing):
    """One such process; one thread at a time gives it something to do."""

    def __init__(self, into: Path) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._shared: Sharing | None = None
        with suppress(OSError):
            self._shared = Sharing(_ROOM)
        fd = self._shared.fd if self._shared else -1
        with suppress(OSError):  # no room for one more process: it is done here
            pipe = subprocess.PIPE
            given = (fd,) if fd >= 0 else ()
            self._child = spawn(
                "datafetch.archive.hands", str(into), str(fd), stdin=pipe, stdout=pipe, shared=given
            )

    def unpack(self, tree: Tree, chunks: Sequence[Chunk], start: int, work: Work) -> Done:
        """What became of the members that lie in these bytes, the first of which is at `start`; done here when the
        process is not there any more. OSError for faults of the disk."""
        members, targets = [tuple(member) for member, _ in work], [target for _, target in work]
        answer = self._ask(Job(start, sum(map(len, chunks)), False, members, targets, []), chunks)
        return unpack_here(tree, chunks, start, work) if answer is None else answer

    def write(self, tree: Tree, files: Sequence[tuple[str, bytes]]) -> Done:
        """As `unpack`, of files whose bytes these are."""
        chunks = [data for _, data in files]
        sizes, targets = list(map(len, chunks)), [target for target, _ in files]
        answer = self._ask(Job(0, sum(sizes), False, [], targets, sizes), chunks)
        return write_here(tree, files) if answer is None else answer

    def _ask(self, job: Job, chunks: Sequence[Chunk]) -> Done | None:
        """Its answer; None when it is not there any more. Raises what it met with."""
        if self._child is None or not self._child.stdin or not self._child.stdout:
            return None
        try:
            if self._shared is not None and job.size <= self._shared.size:
                self._shared.put(chunks)
            else:
                job = job._replace(here=True)
            pickle.dump(job, self._child.stdin)
            for chunk in chunks if job.here else ():
                self._child.stdin.write(chunk)
            self._child.stdin.flush()
            answer: object = pickle.load(self._child.stdout)
        except (OSError, EOFError, pickle.UnpicklingError, ValueError):
            self.close()
            return None
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, list) else None

    def close(self) -> None:
        """It has ended afterwards: it cannot write any more. May be called twice."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with suppress(OSError):
                    if pipe is not None:
                        pipe.close()
        if self._shared is not None:
            self._shared.close()
            self._shared = None


def unpack_here(tree: Tree, chunks: Sequence[Chunk], start: int, work: Work) -> Done:
    """As Hand.unpack, without its process. A member that is damaged leaves no file."""
    incoming, done = Incoming(iter(chunks), start), Done()
    watch = _watch()
    for member, target in work:
        if watch is not None and watch.poll(0):
            os._exit(1)  # nobody waits for it any more
        try:
            done.append(write_over(tree, target, read_member(incoming, member)))
        except DamagedArchive as error:
            tree.remove(target)
            done.append(error)
    return done


def write_here(tree: Tree, files: Iterable[tuple[str, Chunk]]) -> Done:
    """As Hand.write, without its process."""
    done, watch = Done(), _watch()
    for target, data in files:
        if watch is not None and watch.poll(0):
            os._exit(1)  # nobody waits for it any more
        done.append(write_over(tree, target, (data,) if data else ()))
    return done


_SERVING = False


def _watch() -> select.poll | None:
    """Tells when the other end is gone; None in the process that gives the jobs."""
    if not _SERVING:
        return None
    poll = select.poll()
    poll.register(0, 0)
    return poll


def serve(into: Path, fd: int) -> None:
    """Answer each Job of the standard input until it ends."""
    global _SERVING
    _SERVING = True
    jobs, answers = sys.stdin.buffer, sys.stdout.buffer
    common = shared(fd) if fd >= 0 else memoryview(b"")
    with Tree(into) as tree:
        while True:
            try:
                job: Job = pickle.load(jobs)
            except EOFError:
                return
            data: Chunk = jobs.read(job.size) if job.here else common[: job.size]
            if len(data) < job.size:
                return
            answer: object
            try:
                answer = _do(tree, job, data)
            except Exception as error:  # whatever it is, it is for the other end to tell
                answer = error.with_traceback(None)
            pickle.dump(answer, answers)
            answers.flush()


def _do(tree: Tree, job: Job, data: Chunk) -> Done:
    if job.members:
        members = map(Member._make, job.members)
        return unpack_here(tree, [data], job.start, list(zip(members, job.targets, strict=True)))
    ends, view = accumulate(job.sizes), memoryview(data)
    cuts = (view[end - size : end] for end, size in zip(ends, job.sizes, strict=True))
    return write_here(tree, zip(job.targets, cuts, strict=True))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
