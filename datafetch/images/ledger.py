"""What became of each row: one journal file per batch of 10,000, compacted when the batch is finished."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from datafetch.images.again import is_due
from datafetch.model import FileRecord, Outcome, Why
from datafetch.store.faults import read_errors
from datafetch.store.files import remove_tree
from datafetch.store.journal import Journal, read

BATCH = 10_000  # rows: the unit of work, journal and memory
KEPT = 4  # finished batches held in memory for rows that repeat an address of theirs


class Settled(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state one row ended in. `path` is inside the artifact; a row without a file has none of the last
    fields.
    """

    row: int
    outcome: Outcome
    why: str = ""
    path: str = ""
    url: str = ""  # the address that answered, or the first of those asked
    at: str = ""  # UTC
    size: int = 0
    sha256: str = ""
    width: int | None = None
    height: int | None = None
    text: str = ""


class _Batch:
    def __init__(self, path: Path) -> None:
        self.journal = Journal(path)
        self.rows: dict[int, Settled] = {row.row: row for row in read(path, Settled).rows}
        self.here: set[int] = set()  # rows settled by this run
        self.given = 0  # rows handed out by this run
        self.unwritten = 0  # rows settled anew and not in the journal yet
        self.whole = False  # every row of it has been handed out
        self.changed = False


class Ledger:
    """Open batches, and what is known of every row. One thread at a time, but that `write` may run in
    another.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[int, _Batch] = {}
        self._finished: OrderedDict[int, dict[int, Settled]] = OrderedDict()
        self._last = 0  # row handed out last

    @property
    def open(self) -> int:
        """Batches in memory that are not finished."""
        return len(self._open)

    def hand_out(self, number: int) -> Settled | None:
        """Begin a row, in the order of the list; what comes back is what earlier runs say of it."""
        if self._last and _at(number) != _at(self._last):
            self._open[_at(self._last)].whole = True
        self._last = number
        at = _at(number)
        batch = self._open.get(at)
        if batch is None:
            batch = self._open[at] = _Batch(_file(self._folder, at))
        batch.given += 1
        return batch.rows.get(number)

    def settled(self, number: int) -> Settled | None:
        """How this run settled a row; None while it is in flight."""
        at = _at(number)
        if (batch := self._open.get(at)) is not None:
            return batch.rows[number] if number in batch.here else None
        if at not in self._finished:
            self._finished[at] = {row.row: row for row in read(_file(self._folder, at), Settled).rows}
        self._finished.move_to_end(at)
        while len(self._finished) > KEPT:
            self._finished.popitem(last=False)
        return self._finished[at].get(number)

    def settle(self, row: Settled) -> bool:
        """Take note, in memory. True when that is news, to be given to `write` once its file is durable."""
        batch = self._open[_at(row.row)]
        news = batch.rows.get(row.row) != row
        batch.rows[row.row] = row
        batch.here.add(row.row)
        batch.unwritten += news
        return news

    def write(self, rows: Iterable[Settled]) -> None:
        """Append to the journals, durably. The files of these rows must be durable before. `wrote` must
        follow.
        """
        for at, news in groupby(sorted(rows, key=lambda row: row.row), key=lambda row: _at(row.row)):
            self._open[at].journal.extend(news)

    def wrote(self, rows: Iterable[Settled]) -> None:
        """Take note that `write` did its work."""
        for row in rows:
            batch = self._open[_at(row.row)]
            batch.unwritten -= 1
            batch.changed = True

    def finish(self) -> None:
        """Compact and let go of every batch whose rows are all settled and written."""
        for at, batch in tuple(self._open.items()):
            if batch.whole and not batch.unwritten and batch.given == len(batch.here):
                self._compact(batch)
                del self._open[at]

    def end(self) -> None:
        """The list is read to its end: batches of an earlier, longer list are forgotten."""
        if self._last:
            self._open[_at(self._last)].whole = True
        for path in batch_files(self._folder):
            if int(path.stem) > _at(self._last):
                remove_tree(path)

    def close(self) -> None:
        """Give back what is open; nothing is written."""
        for batch in self._open.values():
            batch.journal.close()
        self._open.clear()

    def _compact(self, batch: _Batch) -> None:
        if batch.changed or len(batch.rows) > len(batch.here):
            batch.journal.replace(batch.rows[number] for number in sorted(batch.here))
        batch.journal.close()


class Records:
    """The files of a list, in the order of its rows, read from the journals each time: never all in
    memory.
    """

    def __init__(self, folder: Path, artifact: str, place: Callable[[str], str], count: int) -> None:
        self._folder = folder
        self._artifact = artifact
        self._place = place
        self._count = count

    def __len__(self) -> int:
        return self._count

    def less(self, count: int) -> Records:
        """The same files after so many rows were taken back."""
        return Records(self._folder, self._artifact, self._place, self._count - count)

    def __iter__(self) -> Iterator[FileRecord]:
        for path in batch_files(self._folder):
            yield from (self._record(row) for row in latest(path, Settled) if row.outcome is Outcome.OK)

    def _record(self, row: Settled) -> FileRecord:
        return FileRecord(
            path=self._place(row.path),
            size=row.size,
            sha256=row.sha256,
            url=row.url,
            fetched_at=row.at,
            artifact=self._artifact,
            width=row.width,
            height=row.height,
        )


def batch_files(folder: Path) -> tuple[Path, ...]:
    """The journals of a list, in the order of its rows; none before the first run. Raises what `read_errors` does: a
    folder that cannot be read is not an empty one.
    """
    with read_errors(folder):
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return ()
    return tuple(folder / name for name in sorted(names) if name[0].isdigit() and name.endswith(".jsonl"))


class Numbered(Protocol):
    @property
    def row(self) -> int: ...


N = TypeVar("N", bound=Numbered)


def latest(path: Path, kind: type[N]) -> Iterator[N]:
    """The last word on each row of a batch, in the order of its rows, read as `kind`."""
    found: Sequence[N]
    try:
        found = msgspec.json.Decoder(kind).decode_lines(path.read_bytes())  # in one go: a compacted batch
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        found = read(path, kind).rows
    rows = {row.row: row for row in found}
    yield from (rows[number] for number in sorted(rows))


def asked_again(row: Settled, *, retry_gone: bool, heed: bool = True, now: float | None = None) -> bool:
    """Whether a row that ended without its file is tried by a run at `now` (seconds since 1970; None is this
    very moment): when it is due by the table of `again`, or whenever `retry_gone` says so.
    """
    now = time.time() if now is None else now
    return retry_gone or is_due(row.outcome, row.why, row.at, now, heed=heed)


def outcome_of(why: Why) -> Outcome:
    """The state that a row without a file ends in."""
    match why:
        case Why.GONE | Why.PLACEHOLDER:
            return Outcome.MISSING
        case Why.OPTED_OUT | Why.NOT_AN_IMAGE | Why.TOO_SMALL | Why.TOO_LARGE | Why.BAD_URL:
            return Outcome.REJECTED
        case _:
            return Outcome.FAILED


def _at(number: int) -> int:
    return (number - 1) // BATCH


def _file(folder: Path, at: int) -> Path:
    return folder / f"{at:05}.jsonl"
