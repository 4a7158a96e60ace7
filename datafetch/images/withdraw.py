"""Rows that a census finds to be placeholders are taken back: from the journals, and from what is staged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from datafetch.images.batches import ListOutcome
from datafetch.images.census import Sighting, census, host_of
from datafetch.images.ledger import Settled, batch_files, latest
from datafetch.model import Outcome, Why
from datafetch.store.files import write_atomic
from datafetch.store.journal import Journal

BODIES = "placeholders.json"  # beside the journals of a list


class _Told(msgspec.Struct, gc=False):
    """What a census needs of a row; the rest is not even decoded."""

    row: int
    outcome: Outcome
    url: str = ""
    size: int = 0
    sha256: str = ""
    width: int | None = None
    height: int | None = None


def withdraw(folder: Path, remove: Callable[[str], None]) -> Mapping[str, int]:
    """Record as placeholder each row of a list whose body a census finds to be one; rows by host.

    `remove` is given the path, inside the artifact, of each such row. To be called when no worker writes to the
    journals any more; may be called again after a crash at any point.
    """
    taken: Counter[str] = Counter()
    bodies = _known(folder) | census(lambda: _sightings(folder))
    if not bodies:
        return taken
    # Remembered for good, and before a row is changed: what is left of them may be too few to be found again.
    write_atomic(folder / BODIES, msgspec.json.encode(sorted(bodies)))
    for path in batch_files(folder):
        rows = {row.row: row for row in latest(path, Settled)}
        fakes = [row for row in rows.values() if row.outcome is Outcome.OK and row.sha256 in bodies]
        for row in fakes:
            rows[row.row] = _placeholder(row)
            taken[host_of(row.url)] += 1
        if fakes:
            Journal(path).replace(rows.values())
        for row in fakes:  # after the journal: a file without its row is dropped when the list is published
            remove(row.path)
    return taken


def _known(folder: Path) -> frozenset[str]:
    """The placeholders that earlier runs found."""
    try:
        return frozenset(msgspec.json.decode((folder / BODIES).read_bytes(), type=list[str]))
    except (FileNotFoundError, msgspec.MsgspecError):
        return frozenset()


def _sightings(folder: Path) -> Iterator[Sighting]:
    for path in batch_files(folder):
        for row in latest(path, _Told):
            if row.outcome is Outcome.OK:
                yield Sighting(row.url, row.sha256, row.size, (row.width or 0) * (row.height or 0))


def _placeholder(row: Settled) -> Settled:
    """The row without its file; what is known of the body stays, for those who look."""
    text = f"{row.size} bytes that stand under very many addresses"
    return msgspec.structs.replace(row, outcome=Outcome.MISSING, why=Why.PLACEHOLDER, text=text)


def less(outcome: ListOutcome, taken: int) -> ListOutcome:
    """How a list ended, once so many of its rows were taken back."""
    whys = Counter(outcome.dropped.get(Outcome.MISSING, {}))
    if taken:
        whys[Why.PLACEHOLDER] += taken
    return replace(
        outcome,
        records=outcome.records.less(taken),
        dropped={**outcome.dropped, Outcome.MISSING: whys},
    )
