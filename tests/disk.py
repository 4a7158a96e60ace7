"""What a folder takes on disk while something else fills it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Sampler(threading.Thread):
    """The most bytes that a folder took up, looked at all the time by other means than ours."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.peak, self.stop = folder, 0, threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            taken: dict[int, int] = {}  # by inode: what is moved while we look counts once
            for folder, _, names in os.walk(self.folder):
                for name in names:
                    try:
                        found = os.lstat(os.path.join(folder, name))
                    except OSError:
                        continue
                    taken[found.st_ino] = found.st_blocks * 512
            self.peak = max(self.peak, sum(taken.values()))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self.join()
