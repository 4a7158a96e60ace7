"""What one verification has read and found right, written as it goes: the next one need not read it again.

A `--full` one that ended early is gone on with when the next asks for the same of the same manifest within a week:
what it has read by then costs a stat, like everything that was read in this run itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from datafetch.errors import NoRoom
from datafetch.store.closing import Closing
from datafetch.store.faults import user_errors
from datafetch.store.files import append_file, remove_tree, write_atomic
from datafetch.store.home import Home
from datafetch.verify.portion import Level
from datafetch.verify.sights import fold, sort

FRESH = 7 * 86400.0  # seconds in which a full verification counts as one


class _Pass(msgspec.Struct):
    """Of which verification the sights are that stand beside this."""

    manifest: tuple[int, int, int]  # size, mtime_ns and inode
    level: str
    begun: float  # seconds since 1970


class Looked(Closing):
    """`known` is the file of sights that need not be read again; empty for none. Where nothing can be written, and for
    levels that read nothing, nothing is kept.
    """

    def __init__(self, home: Home, level: Level, *, full: bool) -> None:
        self._home = home
        self._file: BinaryIO | None = None
        self._added = False
        self.known = "" if full else str(home.seen)
        if level not in (Level.HASH, Level.DECODE):
            return
        with suppress(NoRoom):
            now = _Pass(_stamp(home.manifest), level, time.time())
            if full and _goes_on(_read(home.looked_of), now):
                sort(home.looked)
                self.known = str(home.looked)
                self._added = True
                return
            if home.looked.exists():
                fold(home, home.looked)
            if full:
                write_atomic(home.looked_of, msgspec.json.encode(now))
            elif home.looked_of.exists():
                remove_tree(home.looked_of)

    def add(self, sights: bytes) -> None:
        """Lines of sights of files that were read. They survive our end, not that of the machine."""
        if not sights:
            return
        with suppress(NoRoom):
            if self._file is None:
                self._file = append_file(self._home.looked)
            with user_errors(self._home.looked):
                self._file.write(sights)
            self._added = True

    def end(self, wrong: Container[str], *, whole: bool) -> None:
        """Forget the sights of the paths in `wrong`; when the `whole` dataset was looked at, this is the last word."""
        self.close()
        home = self._home
        if whole:
            if self._added or wrong:
                fold(home, home.looked, without=wrong)
            if home.looked_of.exists():
                remove_tree(home.looked_of)
        elif wrong:
            fold(home, home.looked.with_name(f"no.{home.looked.name}"), without=wrong)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def _stamp(manifest: Path) -> tuple[int, int, int]:
    with user_errors(manifest):
        found = os.stat(manifest)
    return found.st_size, found.st_mtime_ns, found.st_ino


def _goes_on(before: _Pass | None, now: _Pass) -> bool:
    return (
        before is not None
        and (before.manifest, before.level) == (now.manifest, now.level)
        and 0 <= now.begun - before.begun < FRESH
    )


def _read(path: Path) -> _Pass | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Pass)
    except (OSError, msgspec.MsgspecError):
        return None
