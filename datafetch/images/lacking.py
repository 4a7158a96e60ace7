"""The rows of a list that ended without a file, for those who ask what is missing, why, and when it is asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from datafetch.images.again import is_due
from datafetch.images.ledger import batch_files, latest
from datafetch.model import Outcome, Why


class Lacking(msgspec.Struct, gc=False):
    """What became of a row without a file; `path` is inside the artifact."""

    row: int
    outcome: Outcome
    why: str = ""
    path: str = ""
    url: str = ""  # the list's own address, never a mirror's
    at: str = ""
    text: str = ""


def lacking(folder: Path) -> Iterator[Lacking]:
    """In the order of the list, without rows skipped on purpose; none for a list that was never begun.

    Holds one batch in memory.
    """
    for path in batch_files(folder):
        yield from (row for row in latest(path, Lacking) if row.outcome not in (Outcome.OK, Outcome.SKIPPED))


def left_out(folder: Path) -> Iterator[int]:
    """The rows that a lock file left out."""
    for path in batch_files(folder):
        yield from (row.row for row in latest(path, Lacking) if row.why == Why.NOT_LOCKED)


def any_due(folder: Path, now: float, *, retry_gone: bool, heed: bool = True) -> bool:
    """Whether a run at `now` would ask again for a row of this list; `heed` opt-outs or not."""
    return any(retry_gone or is_due(row.outcome, row.why, row.at, now, heed=heed) for row in lacking(folder))


def withdrawn(folder: Path, place: Callable[[str], str], standing: Callable[[str], bool]) -> Iterator[str]:
    """The published paths that a list no longer vouches for: of placeholders, and of rows whose file was lost or
    damaged and which gave no other. `standing` says whether a published file is there and not known to be damaged.

    A file that stands whole is kept when its address has gone since: links rot, data stay.
    """
    for row in lacking(folder):
        path = place(row.path) if row.path else ""
        if path and (row.why == Why.PLACEHOLDER or not standing(path)):
            yield path
