"""What is found of a person's files as it adds up: what stands where, what does not, and why."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from datafetch.errors import Interrupted, UsageError
from datafetch.model import Outcome
from datafetch.own.labels import Outline

T = TypeVar("T")
Stop = Callable[[], bool]

THREADS = 4  # decoding frees the lock
AT_ONCE = 256  # pictures that are handed to the threads together
LONGEST = 200  # bytes of a class or split as a folder's name


@dataclass(frozen=True, slots=True)
class Placed:
    """One file to be: from a file that is here, or drawn from outlines."""

    name: str  # as the person knows it
    target: str  # below the artifact's folder
    source: Path | None
    outlines: tuple[Outline, ...] = ()
    size: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Gathered:
    placed: list[Placed] = field(default_factory=list)
    dropped: dict[Outcome, Counter[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # one for each finding, in the order of paths

    def drop(self, why: str, name: str = "", outcome: Outcome = Outcome.REJECTED, count: int = 1) -> None:
        if count:
            self.dropped.setdefault(outcome, Counter())[why] += count
        if name:
            self.notes.append(f"{name}: {why}")


def files_below(root: Path, result: Gathered) -> list[str]:
    """Relative paths of all regular files. Links are named and left out: they may lead anywhere. UsageError for a
    folder that cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UsageError(f"{error.filename}: cannot be read: {error.strerror}")

    found = []
    for folder, folders, names in os.walk(root, onerror=refuse):
        base = os.path.relpath(folder, root)
        for name in sorted((*folders, *names)):
            path = os.path.join(folder, name)
            shown = name if base == "." else f"{base}/{name}"
            try:
                mode = os.lstat(path).st_mode
            except FileNotFoundError:  # it went while we looked
                continue
            except OSError as error:  # isfile would say no, and the picture would be left out in silence
                refuse(error)
                raise
            if stat.S_ISLNK(mode):
                result.drop("a link, which is not followed", shown)
            elif stat.S_ISREG(mode):
                found.append(shown)
    return found


def segment(text: str) -> str:
    """A class or split as the name of a folder; the way out is no name."""
    name = "".join("_" if ch in "/\\:" or ord(ch) < 32 else ch for ch in text).strip().rstrip(".")
    return name.encode("utf-8", "surrogateescape")[:LONGEST].decode("utf-8", "ignore").rstrip()


def each(look: Callable[[T], str], items: Sequence[T], stop: Stop) -> Iterator[tuple[T, str]]:
    """What `look` says of each, in order; several at a time. Interrupted once `stop` turns true."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(items), AT_ONCE):
            if stop():
                raise Interrupted("stopped while looking at pictures", "run the same command again")
            some = items[start : start + AT_ONCE]
            yield from zip(some, pool.map(look, some), strict=True)
