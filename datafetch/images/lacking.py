"""The rows of a list that ended without a file, for those who ask what is missing and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from datafetch.images.ledger import Settled, batch_files
from datafetch.model import Outcome
from datafetch.store.journal import read


def lacking(folder: Path) -> Iterator[Settled]:
    """In the order of the list, without those skipped on purpose; none for a list that was never begun.

    Holds one batch in memory.
    """
    for path in batch_files(folder):
        latest = {row.row: row for row in read(path, Settled).rows}
        rows = (latest[number] for number in sorted(latest))
        yield from (row for row in rows if row.outcome not in (Outcome.OK, Outcome.SKIPPED))
