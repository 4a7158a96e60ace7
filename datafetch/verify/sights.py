"""How files stood when their bytes were last known to be right, kept sorted by path: a lookup is a bisection."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from datafetch.store import files as store
from datafetch.store.closing import Closing
from datafetch.store.home import Home
from datafetch.store.lines import merged

_BATCH = 1000  # sights that are encoded before they are written
_PROBE = (
    1 << 14
)  # bytes that hold a whole line wherever they begin: paths end at 4 KiB, twice that when escaped
_BLOCK = 1 << 16


class Sight(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A file as it stood when its bytes were last known to be right; the same sight again means the same bytes.

    ctime is what a program cannot set back, so an edit that restores size and mtime still shows.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    decoded: bool = False  # it was decoded then, as an image


def sight_of(path: str, stat: os.stat_result, decoded: bool = False) -> Sight:
    return Sight(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, decoded)


class Kept(Closing):
    """A file of sights that is sorted by path. One that is absent, damaged or out of order only costs time."""

    def __init__(self, path: Path | None) -> None:
        self._fd, self._size = -1, 0
        self._decode = msgspec.json.Decoder(Sight)
        if path is not None:
            with suppress(OSError):
                self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                self._size = os.fstat(self._fd).st_size

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size = -1, 0

    def between(self, first: str, last: str) -> dict[str, Sight]:
        """The sights of these paths and of those between them, by path; perhaps a few more."""
        found: dict[str, Sight] = {}
        try:
            at = self._begin(first)
            while at < self._size:
                block = os.pread(self._fd, _BLOCK, at)
                whole = block.rfind(b"\n") + 1
                sights = self._decode.decode_lines(block[:whole])
                found.update((sight.path, sight) for sight in sights)
                if not sights or sights[-1].path > last:
                    break
                at += whole
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            pass
        return found

    def _begin(self, first: str) -> int:
        """Where a line begins before which no path is `first` or comes after it."""
        low, high = 0, self._size
        while high - low > _PROBE:
            middle = (low + high) // 2
            head, _, rest = os.pread(self._fd, _PROBE, middle).partition(b"\n")
            start = middle + len(head) + 1
            line = rest.partition(b"\n")[0]
            if line and start < high and self._decode.decode(line).path < first:
                low = start
            else:
                high = middle
        return low


def remember(home: Home, paths: Iterable[str]) -> None:
    """Add the sights of files that have just been published with verified bytes. Holds at most 12 bytes for each."""
    root = f"{home.root}/"

    def seen() -> Iterator[tuple[str, os.stat_result]]:
        for path in paths:
            with suppress(FileNotFoundError):
                yield path, os.lstat(root + path)

    add(home, seen())


def add(home: Home, seen: Iterable[tuple[str, os.stat_result]]) -> None:
    """Add the sights of files whose bytes are verified, wherever they stand yet. Holds at most 12 bytes for each."""
    in_order = True

    def sights() -> Iterator[Sight]:
        nonlocal in_order
        last = ""
        for path, found in seen:
            yield sight_of(path, found)
            in_order, last = in_order and last <= path, path

    if home.seen.exists():
        fresh = home.seen.with_name(f"new.{home.seen.name}")
        _write(fresh, sights())
        fold(home, fresh)
    else:  # of a new dataset, mostly in order: one pass does
        _write(home.seen, sights())
        if not in_order:
            sort(home.seen)


def fold(home: Home, newer: Path, *, without: Container[str] = ()) -> None:
    """Put the sights of a file among those that are kept, in the place of older ones, and remove it; those of the
    paths in `without` are forgotten. May be called again.
    """
    each = merged((home.seen, newer), Sight)
    _write(home.seen, (sight for sight in each if sight.path not in without))
    store.remove_tree(newer)


def sort(path: Path) -> None:
    """Bring a file of sights into the order of their paths, each once, as it was written last."""
    _write(path, merged((path,), Sight))


def _write(path: Path, sights: Iterator[Sight]) -> None:
    encode = msgspec.json.Encoder().encode_lines
    with store.atomic_file(path) as file:
        while some := list(islice(sights, _BATCH)):
            file.write(encode(some))
