"""A process that writes members of an archive for another: `python -m datafetch.archive.helper`, with jobs on its
standard input and answers on its standard output. It ends by itself when the other end is gone.
"""

from __future__ import annotations

import os
import pickle
import select
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from datafetch.archive.join import ShardsReader
from datafetch.archive.members import Chunk, Member
from datafetch.archive.tar import TarReader
from datafetch.archive.writing import write_new, write_over
from datafetch.archive.zip import ZipReader
from datafetch.store.files import Tree


class Begin(NamedTuple):
    """What is said first: how members are read, of which files, and below which folder they are written."""

    reader: str
    paths: tuple[str, ...]
    into: str


class Job(NamedTuple):
    work: list[tuple[tuple[object, ...], str]]  # members as plain tuples, which pass in a third of the time
    again: bool  # files of it may be there, and are replaced


class Reader(Protocol):
    def read(self, member: Member) -> Iterator[Chunk]: ...


READERS: Mapping[str, Callable[[ShardsReader], Reader]] = {"zip": ZipReader, "tar": TarReader}


def serve(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer each Job with the size and SHA-256 of every file, or with the exception that ended it."""
    begin: Begin = pickle.load(jobs)
    with ShardsReader([Path(path) for path in begin.paths]) as file, Tree(Path(begin.into)) as tree:
        reader = READERS[begin.reader](file)
        while True:
            try:
                job: Job = pickle.load(jobs)
            except EOFError:
                return
            answer: object
            try:
                write = write_over if job.again else write_new
                answer = [
                    write(tree, target, _while_asked(reader.read(Member._make(fields))))
                    for fields, target in job.work
                ]
            except Exception as error:  # whatever it is, it is for the other end to tell
                answer = error.with_traceback(None)
            pickle.dump(answer, answers)
            answers.flush()


def _while_asked(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks; when nobody waits for them any more, the end of this process: another run may be writing here."""
    poll = select.poll()
    poll.register(0, 0)  # told of nothing but the end
    for chunk in chunks:
        if poll.poll(0):
            os._exit(1)
        yield chunk


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
