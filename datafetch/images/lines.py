"""Lists with a line for each entry: addresses, columns, JSON objects, and several files side by side."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from datafetch.images.opened import faults, opened
from datafetch.images.rows import BadRow, Row, Rows, Template, scalars
from datafetch.model import Outcome

# Bytes; an address and its caption need less, and a file without line ends must not fill memory.
LONGEST_LINE = 1 << 20

Line = tuple[int, str] | BadRow


def read_lines(path: Path, keys: Sequence[str]) -> Rows:
    """A row for each line, cut at its first blanks: upstream's addresses hold blanks themselves."""
    parts = max(len(keys) - 1, 0)
    return _cut(path, keys, lambda text: text.strip().split(None, parts))


def read_table(path: Path, keys: Sequence[str]) -> Rows:
    """A row for each line, cut at its first commas, so that the last column may hold more; a first line of
    just these keys is a head.
    """
    parts = max(len(keys) - 1, 0)
    return _cut(path, keys, lambda text: [cell.strip() for cell in text.split(",", parts)], head=list(keys))


def _cut(
    path: Path, keys: Sequence[str], cells_of: Callable[[str], list[str]], head: Sequence[str] | None = None
) -> Rows:
    fill = Template(keys)
    for line in lines(path):
        if isinstance(line, BadRow):
            yield line
            continue
        number, text = line
        cells = cells_of(text)
        if number > 1 or cells != head:
            yield fill(number, cells)


def read_objects(path: Path) -> Rows:
    """A row for each line that is a JSON object, with its fields."""
    for line in lines(path):
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


def read_beside(paths: Sequence[Path], keys: Sequence[str]) -> Rows:
    """A row for each line number: line n of every file, under the key of that file.

    A blank line in the first file is no entry; in another it is an empty field. Blanks around an entry are none of
    it, those around another field are kept: captions begin with them. Where one file ends before others, the rest are
    BadRows.
    """
    first, *others = (lines(path, blanks=True) for path in paths)
    for number, found in enumerate(zip_longest(first, *others), 1):
        ended = next((path.name for path, line in zip(paths, found, strict=True) if line is None), "")
        bad = next((line for line in found if isinstance(line, BadRow)), None)
        texts = [line[1] for line in found if isinstance(line, tuple)]
        if ended:
            yield BadRow(number, f"{ended} ends at line {number - 1}")
        elif bad is not None:
            yield bad
        elif not (entry := texts[0].strip()):
            yield blank(number)
        else:
            yield Row(number, dict(zip(keys, [entry, *texts[1:]], strict=True)))


def blank(number: int) -> BadRow:
    return BadRow(number, "blank line", Outcome.SKIPPED)


def lines(path: Path, *, blanks: bool = False) -> Iterator[Line]:
    """Lines without their ends (LF, CRLF or CR before LF). Blank ones are BadRows, or empty texts with
    `blanks`; those that end the file are no entries.

    A byte order mark is dropped. Text that is not UTF-8 is read as Latin-1, as the readers of the 2011
    ImageNet lists do: an address survives either way. BadList when there is no such file.
    """
    waiting = 0  # blank lines that may be the last
    with faults(path.name), opened(path) as file:
        for number, raw in enumerate(_raw_lines(file), 1):
            if raw is not None and not raw.strip():
                waiting += 1
                continue
            for before in range(number - waiting, number):
                yield (before, "") if blanks else blank(before)
            waiting = 0
            yield (
                BadRow(number, f"line longer than {LONGEST_LINE} bytes")
                if raw is None
                else (
                    number,
                    text_of(raw.rstrip(b"\r\n")),
                )
            )


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


def text_of(raw: bytes) -> str:
    """Bytes as text: UTF-8, or else Latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
