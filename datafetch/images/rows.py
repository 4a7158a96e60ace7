"""Readers of a list file: one Row or BadRow per entry, numbered from 1, in the order of the file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from datafetch.errors import BadList
from datafetch.model import Outcome

LONGEST_LINE = (
    1 << 20
)  # bytes; an address and its caption need less, and a file without line ends must not fill memory


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """An entry that names no item. A blank line is skipped, anything else rejected; both are counted."""

    number: int
    reason: str
    outcome: Outcome = Outcome.REJECTED


Rows = Iterator[Row | BadRow]


def read(path: Path, how: str, keys: Sequence[str]) -> Rows:
    """The entries of a list file, read as `how` says, lazily. Raises BadList when the file as a whole is
    unreadable.

    how      an entry                                  names of its fields                      memory
    lines    a line; cut at the first blanks           `keys`                                   a line
    table    a line; cut at the first commas           `keys`; a first line of these is a head  a line
    jsonl    a line that is a JSON object              those of the object                      a line
    map      what stands `keys` deep in nested maps    `keys` for the levels, and the record's  the file
    columns  one index of several lists                those of the lists                       the file
    """
    match how:
        case "lines":
            return _split_lines(path, keys)
        case "table":
            return _table(path, keys)
        case "jsonl":
            return _objects(path)
        case "map" | "columns":
            from datafetch.images import documents

            return documents.read(path, how, keys)
    raise BadList(f"{path.name}: lists are read as map, columns, lines, table or jsonl, not {how!r}")


def _split_lines(path: Path, keys: Sequence[str]) -> Rows:
    for line in _lines(path):
        if isinstance(line, BadRow):
            yield line
            continue
        number, text = line
        # Upstream's addresses hold blanks, so only the first runs of blanks part the columns.
        cells = text.strip().split(None, max(len(keys) - 1, 0))
        yield _row(number, keys, cells)


def _table(path: Path, keys: Sequence[str]) -> Rows:
    for line in _lines(path):
        if isinstance(line, BadRow):
            yield line
            continue
        number, text = line
        cells = [cell.strip() for cell in text.split(",", max(len(keys) - 1, 0))]
        if number == 1 and cells == list(keys):
            continue
        yield _row(number, keys, cells)


def _row(number: int, keys: Sequence[str], cells: Sequence[str]) -> Row | BadRow:
    if len(cells) < len(keys):
        return BadRow(number, f"{len(cells)} of {len(keys)} columns")
    return Row(number, dict(zip(keys, cells, strict=False)))


def _objects(path: Path) -> Rows:
    for line in _lines(path):
        if isinstance(line, BadRow):
            yield line
            continue
        number, text = line
        try:
            record = json.loads(text, parse_int=str, parse_float=str)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"not JSON: {error}")
            continue
        if isinstance(record, dict):
            yield Row(number, scalars(record))
        else:
            yield BadRow(number, f"a {type(record).__name__} where an object was expected")


def scalars(record: dict[str, object]) -> dict[str, str]:
    """The fields of a record that can fill a template: texts and numbers, as upstream spells them."""
    return {key: value for key, value in record.items() if isinstance(value, str)}


def _lines(path: Path) -> Iterator[tuple[int, str] | BadRow]:
    """Lines without their ends (LF, CRLF or CR before LF), blank ones as BadRow; those that end the file are
    no entries.

    A byte order mark is dropped. Text that is not UTF-8 is read as Latin-1, as the readers of the 2011
    ImageNet lists do: an address survives either way.
    """
    blanks: list[int] = []
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(_raw_lines(file), 1):
                if raw is not None and not raw.strip():
                    blanks.append(number)
                    continue
                yield from (BadRow(blank, "blank line", Outcome.SKIPPED) for blank in blanks)
                blanks.clear()
                yield (
                    BadRow(number, f"line longer than {LONGEST_LINE} bytes")
                    if raw is None
                    else (number, _text(raw))
                )
    except OSError as error:
        raise BadList(f"{path.name}: {error.strerror or error}") from error


def _raw_lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Each line, or None for one that is too long to be one."""
    first = True
    while raw := file.readline(LONGEST_LINE):
        if first:
            raw, first = raw.removeprefix(codecs.BOM_UTF8), False
        if len(raw) < LONGEST_LINE or raw.endswith(b"\n"):
            yield raw
            continue
        while raw and not raw.endswith(b"\n"):
            raw = file.readline(LONGEST_LINE)
        yield None


def _text(raw: bytes) -> str:
    raw = raw.rstrip(b"\r\n")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
