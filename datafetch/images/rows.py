"""Rows of a list file: one Row or BadRow per entry, numbered from 1, in the order of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from datafetch.errors import BadList
from datafetch.model import Outcome, Window


class Row(msgspec.Struct, frozen=True):
    number: int
    fields: dict[str, str]
    line: int = 0  # what <row> stands for, where that is not the number: in a list of several files


class BadRow(msgspec.Struct, frozen=True):
    """An entry that names no item. A blank line is skipped, anything else rejected; both are counted."""

    number: int
    reason: str
    outcome: Outcome = Outcome.REJECTED


Rows = Iterator[Row | BadRow]


def read(path: Path, how: str, keys: Sequence[str], beside: Sequence[Path] = ()) -> Rows:
    """The entries of a list file, read as `how` says, lazily. Raises BadList when the file as a whole is
    unreadable.

    how       an entry                                  names of its fields                      memory
    lines     a line; cut at the first blanks           `keys`                                   a line
    table     a line; cut at the first commas           `keys`; a first line of these is a head  a line
    csv, tsv  a record below a head                     those of the head                        a record
    jsonl     a line that is a JSON object              those of the object                      a line
    beside    line n of this file and those `beside`    `keys`, one for each file                a line
    map       what stands `keys` deep in nested maps    `keys` for the levels, and the record's  11 bytes a key
    columns   one index of several lists                those of the lists                       a buffer
    parquet   a row of the table                        its columns of words and numbers         some rows
    matlab    a struct of the first array of structs    its fields of words and numbers          the file
    """
    from datafetch.images import documents, lines, matlab, tables

    match how:
        case "lines":
            return lines.read_lines(path, keys)
        case "table":
            return lines.read_table(path, keys)
        case "csv":
            return tables.read_csv(path)
        case "tsv":
            return tables.read_tsv(path)
        case "jsonl":
            return lines.read_objects(path)
        case "beside":
            return lines.read_beside((path, *beside), keys)
        case "map":
            return documents.read_map(path, keys)
        case "columns":
            return documents.read_columns(path)
        case "parquet":
            return tables.read_parquet(path)
        case "matlab":
            return matlab.read_matlab(path)
    raise BadList(f"{path.name}: no list is read as {how!r}")


def only(rows: Rows, windows: Sequence[Window]) -> Rows:
    """The rows in any of these windows; nothing is read beyond the last of them."""
    ends = [window.last for window in windows]
    last = None if None in ends else max((end for end in ends if end is not None), default=0)
    for row in rows:
        if last is not None and row.number > last:
            return
        if any(w.first <= row.number and (w.last is None or row.number <= w.last) for w in windows):
            yield row


def one_after_another(lists: Iterator[tuple[dict[str, str], Rows]]) -> Rows:
    """The rows of several files as those of one list, with fields that hold for all of a file; `<row>` stays
    the line in its own file.
    """
    before = 0
    for fields, rows in lists:
        last = 0
        for row in rows:
            last = row.number
            if isinstance(row, BadRow):
                where = ", ".join(fields.values())
                yield BadRow(before + row.number, f"{where}, row {row.number}: {row.reason}", row.outcome)
            else:
                yield Row(before + row.number, {**row.fields, **fields}, row.number)
        before += last


class Template:
    """Cells to a row's fields by their keys; a key such as `<wnid>_<serial>` takes its cell apart."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._apart = {at: _pattern(key) for at, key in enumerate(keys) if "<" in key}

    def __call__(self, number: int, cells: Sequence[str]) -> Row | BadRow:
        keys = self._keys
        if len(cells) < len(keys):
            return BadRow(number, f"{len(cells)} of {len(keys)} columns")
        fields = dict(zip(keys, cells, strict=False))
        for at, pattern in self._apart.items():
            found = pattern.fullmatch(cells[at])
            if found is None:
                return BadRow(number, f"{cells[at][:80]!r} where {keys[at]} was expected")
            fields |= found.groupdict()
        return Row(number, fields)


def _pattern(key: str) -> re.Pattern[str]:
    """A cell's pattern: each capture takes as little as it can."""
    pieces = re.split(r"<([^<>]+)>", key)
    texts = [f"(?P<{piece}>.+?)" if at % 2 else re.escape(piece) for at, piece in enumerate(pieces)]
    return re.compile("".join(texts))


def scalars(record: dict[str, object]) -> dict[str, str]:
    """The fields of a record that can fill a template: texts and numbers, as upstream spells them."""
    return {key: value for key, value in record.items() if isinstance(value, str)}
