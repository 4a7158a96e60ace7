"""Files of lines `<word>  <key>`, sorted by the bytes of their keys: found by halving, never held in memory.

SHA256SUMS is one, as `sha256sum` prints it: digest and path. MISSING is another: why a row of a list has no file, and
the target that a mirror would be asked for.
"""

from __future__ import annotations

import heapq
import mmap
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import Self

from datafetch.errors import Damaged
from datafetch.store.closing import Closing
from datafetch.store.files import atomic_file, user_errors

Pair = tuple[str, str]  # key, word

_PARTED = b"  "


class Sums(Closing):
    """One such file, open. May be asked from several threads; one that is replaced meanwhile stays as it was."""

    def __init__(self, path: Path) -> None:
        self._map: mmap.mmap | None = None
        with suppress(FileNotFoundError), path.open("rb") as file, suppress(ValueError):  # an empty file
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def find(self, key: str) -> str:
        """The word of a key; empty when there is none."""
        held, wanted = self._map, key.encode("utf-8", "surrogateescape")
        low, high = 0, len(held) if held is not None else 0
        while held is not None and low < high:
            begin = held.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = held.find(b"\n", begin)
            end = len(held) if end < 0 else end
            word, _, found = held[begin:end].partition(_PARTED)
            if found == wanted:
                return word.decode("utf-8", "replace")
            if found < wanted:
                low = end + 1
            else:
                high = begin
        return ""

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Give back the file; may be called twice."""
        if self._map is not None:
            self._map.close()
            self._map = None


def pairs(path: Path) -> Iterator[Pair]:
    """The lines of such a file, in their order; none for one that is absent. Damaged for what is no such line."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            word, parted, key = line.removesuffix(b"\n").partition(_PARTED)
            if not parted or not word or not key:
                raise Damaged(f"{path}:{number} is no line of {path.name}", "bring the bundle again")
            yield key.decode("utf-8", "surrogateescape"), word.decode("ascii", "replace")


def add(path: Path, new: Iterable[Pair]) -> None:
    """Replace the file, durably, by one that also has the pairs of `new`, which come sorted; of one key the new."""
    with user_errors(path), atomic_file(path) as file:
        before: Pair | None = None
        for pair in heapq.merge(
            pairs(path), new, key=itemgetter(0)
        ):  # of equal keys those of `path` come first
            if before is not None and before[0] != pair[0]:
                file.write(_line(before))
            before = pair
        if before is not None:
            file.write(_line(before))


def _line(pair: Pair) -> bytes:
    key, word = pair
    return f"{word}{_PARTED.decode()}{key}\n".encode("utf-8", "surrogateescape")
