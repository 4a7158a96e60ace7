"""A process that looks at portions for another: `python -m datafetch.verify.helper`, with jobs on its standard input
and answers on its standard output. It only reads, and ends by itself when the other end is gone.
"""

from __future__ import annotations

import os
import pickle
import select
import sys
from collections.abc import Callable
from typing import IO

from datafetch.verify.portion import Looker, Portion, Task


def serve(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer each Portion with its Answer, or with the exception that ended it; the Task comes first."""
    task: Task = pickle.load(jobs)
    with Looker(task, _end_unless_asked(jobs)) as looker:
        while True:
            try:
                portion: Portion = pickle.load(jobs)
            except EOFError:
                return
            answer: object
            try:
                answer = looker.look(portion, read=True)
            except Exception as error:  # whatever it is, it is for the other end to tell
                answer = error.with_traceback(None)
            pickle.dump(answer, answers)
            answers.flush()


def _end_unless_asked(jobs: IO[bytes]) -> Callable[[], None]:
    """Ends this process when nobody waits for its answer any more: a file may be very large."""
    poll = select.poll()
    poll.register(jobs, 0)  # told of nothing but the end

    def look() -> None:
        if poll.poll(0):
            os._exit(1)

    return look


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
