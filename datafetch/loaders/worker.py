"""A process that reads pictures for a check: `python -m datafetch.loaders.worker ROOT`, with batches of jobs on its
standard input and what was seen on its standard output. It ends by itself when the other end is gone.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from typing import IO

from datafetch.loaders.pictures import Job, look


def serve(root: str, jobs: IO[bytes], answers: IO[bytes]) -> None:
    warnings.simplefilter("ignore")  # Pillow's words on odd metadata: a loader goes on as well
    while True:
        try:
            batch: list[Job] = pickle.load(jobs)
        except EOFError:
            return
        pickle.dump([look(root, job) for job in batch], answers)
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
