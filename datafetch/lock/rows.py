"""A list held against its lock, row by row: those that give no file now, and those that give another one; in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from datafetch.images.lacking import lacking
from datafetch.images.ledger import batch_files, latest
from datafetch.lock.document import LockedArtifact, Rows
from datafetch.lock.sketch import differing
from datafetch.model import Outcome

_LOST, _CHANGED = 3, 20  # rows that one line names


class Given(msgspec.Struct, gc=False):
    """A row that gave a file; `path` is inside the artifact."""

    row: int
    outcome: Outcome
    path: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """Locked rows without a file."""

    text: str = ""
    for_now: bool = False  # some of them may have it later


def given(folder: Path) -> Iterator[Given]:
    """In the order of the list; holds one batch in memory."""
    for path in batch_files(folder):
        yield from (row for row in latest(path, Given) if row.outcome is Outcome.OK)


def lost(folder: Path, locked: LockedArtifact) -> Lost:
    """What is said of the locked rows that give no file now; the text is empty when all of them do."""
    wanted, count, for_now = Rows(locked.rows), 0, False
    named: list[str] = []
    for row in lacking(folder):
        if row.row in wanted:
            count += 1
            for_now |= row.outcome is Outcome.FAILED
            if len(named) < _LOST:
                named.append(f"row {row.row} {row.url} {row.why} on {row.at[:10]}")
    if not count:
        return Lost()
    told = _list(named, count, "")
    return Lost(f"{count:,} of {locked.files:,} locked rows give no file now: {told}", for_now)


def changed(folder: Path, locked: LockedArtifact) -> str:
    """What is said of the rows that have a file, but not the locked one; empty when the lock does not tell which."""
    found = differing(locked.sketch, ((row.row, row.sha256) for row in given(folder)))
    if found is None or not found.files:
        return ""
    entries: dict[int, set[str]] = {}
    for number, sha256 in found.files:
        entries.setdefault(number, set()).add(sha256)
    here = [row for row in given(folder) if row.row in entries]
    if not here:
        return ""
    count, about = len(here) * found.one_in, "" if found.one_in == 1 else "about "
    told = _list([_told(row, entries[row.row]) for row in here[:_CHANGED]], count, about)
    return f"{about}{count:,} of its {locked.files:,} locked rows give another file now: {told}"


def _told(row: Given, entries: set[str]) -> str:
    was = next(iter(entries - {row.sha256}), "")
    then = f"sha256 was {was} and is" if was else "gave no file when it was locked, and now sha256"
    return f"row {row.row} {row.path} {then} {row.sha256}"


def _list(named: list[str], count: int, about: str) -> str:
    more = f"; and {about}{count - len(named):,} more" if count > len(named) else ""
    return f"{'; '.join(named)}{more}"
