"""A file cut into shards, read as one without joining it."""

from __future__ import annotations

import hashlib
import io
import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from datafetch.archive.members import CHUNK


class ShardsReader(io.RawIOBase):
    """One seekable file over several, in order; `pread` may be called from several threads."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._fds: list[int] = []
        try:
            for path in paths:
                self._fds.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            sizes = [os.fstat(fd).st_size for fd in self._fds]
        except BaseException:
            self.close()
            raise
        self._ends = list(accumulate(sizes))
        self._position = 0
        self.size = sum(sizes)

    def pread(self, length: int, offset: int) -> bytes:
        """The bytes there, fewer than `length` only where the file ends."""
        if len(self._fds) == 1:
            data = os.pread(self._fds[0], length, offset)
            if len(data) == length or offset + len(data) >= self.size:
                return data
        pieces = []
        while length > 0 and offset < self.size:
            index = bisect_right(self._ends, offset)
            start = self._ends[index - 1] if index else 0
            data = os.pread(self._fds[index], min(length, self._ends[index] - offset), offset - start)
            if not data:
                break  # the file shrank under us
            pieces.append(data)
            length -= len(data)
            offset += len(data)
        return b"".join(pieces)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.pread(len(view), self._position)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """Give back the descriptors; may be called twice."""
        while self._fds:
            os.close(self._fds.pop())
        super().close()


def digests_of(shards: Sequence[Path], algorithms: Iterable[str]) -> tuple[int, dict[str, str]]:
    """Size of the whole file and its digests, by algorithm; SHA-256 is always among them."""
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in {*algorithms, "sha256"}}
    with ShardsReader(shards) as whole:
        offset = 0
        while data := whole.pread(CHUNK, offset):
            for digest in digests.values():
                digest.update(data)
            offset += len(data)
    return offset, {name: digest.hexdigest() for name, digest in digests.items()}
