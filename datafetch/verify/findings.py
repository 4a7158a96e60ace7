"""What a verification found to be wrong: kept in a file without a name, for there may be a million of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import msgspec

from datafetch.errors import NoRoom
from datafetch.store.closing import Closing
from datafetch.store.files import nameless_file

MISSING, SIZE, CHANGED, DAMAGED, UNDECODABLE, EXTRA = (
    *("missing", "size", "changed", "damaged", "undecodable", "extra"),
)
# Those that a look at the names and sizes of files does not show, so that they have to be remembered.
HIDDEN = frozenset((DAMAGED, UNDECODABLE))

_ENCODER = msgspec.json.Encoder()


class Finding(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`path` is that of the manifest; of an extra file, one that can be printed."""

    path: str
    why: str  # missing, size, changed, damaged, undecodable or extra
    text: str


def encoded(finding: Finding) -> bytes:
    """A line of a file of findings."""
    return _ENCODER.encode(finding) + b"\n"


class Findings(Closing):
    """Findings in the order in which they were added; `counts` has them by their why."""

    def __init__(self, folder: Path) -> None:
        self.counts: Counter[str] = Counter()
        self._file: BinaryIO
        try:
            self._file = nameless_file(folder)
        except NoRoom:  # a dataset that may only be read can be verified all the same
            self._file = BytesIO()

    def close(self) -> None:
        self._file.close()

    def add(self, lines: bytes, counts: Counter[str]) -> None:
        """Findings as `encoded` writes them, and how many there are of each kind."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(lines)
        self.counts.update(counts)

    def extend(self, other: Findings) -> None:
        """Add all of another's."""
        other._file.seek(0)
        self._file.seek(0, os.SEEK_END)
        while block := other._file.read(1 << 20):
            self._file.write(block)
        self.counts.update(other.counts)

    def __len__(self) -> int:
        return self.counts.total()

    def __iter__(self) -> Iterator[Finding]:
        """Each of them, read as it is asked for; several may read at the same time."""
        decode, at = msgspec.json.Decoder(Finding).decode_lines, 0
        while True:
            self._file.seek(at)
            block = self._file.read(1 << 17)
            block += self._file.readline()
            if not block:
                return
            at += len(block)
            yield from decode(block)

    def hidden(self) -> Iterator[str]:
        """The paths of those that only reading could find."""
        return (finding.path for finding in self if finding.why in HIDDEN)

    def damaged(self) -> Iterator[str]:
        """The published paths that need repair."""
        return (finding.path for finding in self if finding.why != EXTRA)
