"""How a bundle answers for an address: with the file it holds, or as upstream did where there was none; pure but for
reading the bundle.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datafetch.bundle.names import MISSING, SUMS, names_of, target_asked
from datafetch.bundle.sums import Sums
from datafetch.model import Why
from datafetch.store.closing import Closing
from datafetch.store.files import Tree


@dataclass(frozen=True, slots=True)
class Held:
    """A file of the bundle, open: whoever is given it closes `fd`."""

    fd: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Absent:
    """An answer without a file. A client that judges answers by the usual rules ends as the export did."""

    status: int
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


# Why a row ended without its file -> what says so once more. Nobody may take for gone what only failed.
_FAILED = Absent(403, b"this bundle was made when the address gave no file\n")
_REJECTED = Absent(
    200, b"this address gave no picture when this bundle was made\n", "application/octet-stream"
)
_AGAIN: Mapping[str, Absent] = {
    Why.GONE: Absent(410),
    Why.PLACEHOLDER: Absent(410),
    Why.HTML: Absent(200, b"<!doctype html><title>a page, not a file</title>\n", "text/html; charset=utf-8"),
    Why.OPTED_OUT: Absent(200, b"opted out\n", headers=(("X-Robots-Tag", "noai"),)),
    Why.NOT_AN_IMAGE: _REJECTED,
    Why.TOO_SMALL: _REJECTED,
    Why.TOO_LARGE: _REJECTED,
}
_UNKNOWN = Absent(404)


class Answers(Closing):
    """Of one bundle, for any number of threads. Only what SHA256SUMS names is ever opened, and no link followed."""

    def __init__(self, where: Path, missing: str = MISSING) -> None:
        """`missing` tells of what upstream had not; empty: such an address is unknown, and others may be asked."""
        self._where = where
        self._sums, self._missing = Sums(where / SUMS), Sums(where / missing) if missing else None

    def close(self) -> None:
        for lines in (self._sums, self._missing):
            if lines is not None:
                lines.close()

    def to(self, path: str) -> Held | Absent:
        """What is answered to a request for this path and query."""
        target = target_asked(path)
        if target is None:
            return _UNKNOWN
        for name in names_of(target):
            if sha256 := self._sums.find(name):
                return self._open(name, sha256)
        why = self._missing.find(target).replace("-", " ") if self._missing is not None else ""
        return _AGAIN.get(why, _FAILED) if why else _UNKNOWN

    def _open(self, name: str, sha256: str) -> Held | Absent:
        with suppress(OSError, ValueError), Tree(self._where) as tree:
            fd = tree.read(name)
            found = os.fstat(fd)
            if stat.S_ISREG(found.st_mode):
                return Held(fd, found.st_size, sha256)
            os.close(fd)
        return Absent(500, b"the bundle is damaged: datafetch bundle import names what is missing\n")
