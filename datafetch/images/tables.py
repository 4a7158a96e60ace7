"""Lists that are tables with a head: CSV as RFC 4180 has it, TSV, and parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datafetch.errors import BadList
from datafetch.extras import PARQUET, demand
from datafetch.images.lines import LONGEST_LINE, blank, lines
from datafetch.images.rows import BadRow, Row, Rows

ROWS_AT_ONCE = 1024  # of parquet


def read_csv(path: Path) -> Rows:
    """A row for each record, with the columns that the head names; cells in quotes may hold commas, doubled
    quotes and line ends.

    Numbered by records below the head, from 1. A quote that is never closed is one BadRow.
    """
    feed = _Records(path)
    yield from _below_head(path, feed.cells())


def read_tsv(path: Path) -> Rows:
    """A row for each line below the head, cut at tabs; there are no quotes."""
    yield from _below_head(path, _tabbed(path))


Cells = Iterator[list[str] | BadRow]  # a reason's number is not yet that of a row


def _below_head(path: Path, records: Cells) -> Rows:
    head = next(records, None)
    if head is None or isinstance(head, BadRow):
        raise BadList(f"{path.name}: the list is empty, or its first line is no head")
    names = [name.strip() for name in head]
    if len(set(names)) < len(names):
        raise BadList(f"{path.name}: the head of the list names a column twice")
    for number, cells in enumerate(records, 1):
        if isinstance(cells, BadRow):
            yield BadRow(number, cells.reason, cells.outcome)
        elif not any(cells):
            yield blank(number)
        elif len(cells) != len(names):
            yield BadRow(number, f"{len(cells)} columns where the head has {len(names)}")
        else:
            yield Row(number, dict(zip(names, cells, strict=True)))


def _tabbed(path: Path) -> Cells:
    for line in lines(path):
        yield line if isinstance(line, BadRow) else line[1].split("\t")


class _Records:
    """Records of a CSV file, of bounded length whatever its quotes do."""

    def __init__(self, path: Path) -> None:
        self._lines = lines(path, blanks=True)
        self._bad: BadRow | None = None
        self._length = 0  # of the record under way

    def cells(self) -> Cells:
        reader = csv.reader(self._texts(), strict=True)
        while True:
            self._length = 0
            try:
                cells: list[str] | None = next(reader, None)
            except csv.Error as error:
                cells, self._bad = [], self._bad or BadRow(0, f"not CSV: {error}")
            if cells is None and self._bad is None:
                return
            if self._bad is not None:
                bad, self._bad = self._bad, None
                yield bad
                reader = csv.reader(self._texts(), strict=True)
            elif cells is not None:
                yield cells

    def _texts(self) -> Iterator[str]:
        for line in self._lines:
            if isinstance(line, BadRow):
                self._bad = line
                return
            self._length += len(line[1])
            if self._length > LONGEST_LINE:
                self._bad = BadRow(0, f"a record longer than {LONGEST_LINE} characters, or a quote left open")
                return
            yield line[1] + "\n"


def read_parquet(path: Path) -> Rows:
    """A row for each of a parquet table, with its columns of words and numbers; numbered from 1.

    UsageError when pyarrow is not installed, BadList when the file is no table. Memory is some rows.
    """
    demand(PARQUET, path.name)
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(str(path), memory_map=False, pre_buffer=False) as table:
            names = [field.name for field in table.schema_arrow if _is_plain(field.type)]
            number = 0
            for batch in table.iter_batches(ROWS_AT_ONCE, columns=names):
                for record in batch.to_pylist():
                    number += 1
                    yield Row(number, {key: str(value) for key, value in record.items() if value is not None})
    except (pyarrow.ArrowException, OSError) as error:
        raise BadList(f"{path.name}: not a parquet list: {error}") from error


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    return any(
        is_one(kind)
        for is_one in (types.is_string, types.is_large_string, types.is_integer, types.is_floating)
    )
