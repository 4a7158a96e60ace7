"""Rows of the raw tables, one at a time; what is left out is counted by its reason, never raised."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from posixpath import splitext

from datafetch.errors import BadList

_HEAD = ("worker", "imagepair", "score")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Rating:
    user: str
    item: str  # as the table has it: a file name
    score: int  # 1 to 5


def text(line: bytes) -> str:
    """A line as text, without its end: UTF-8, or else Latin-1, so that no row is lost for a letter."""
    try:
        said = line.decode("utf-8")
    except UnicodeDecodeError:
        said = line.decode("latin-1")
    return said.removeprefix(_BOM).rstrip("\r\n")


def stem(name: str) -> str:
    """A file's name without its extension."""
    return splitext(name)[0]


def ratings(
    lines: Iterable[bytes], dropped: Counter[str], name: str = "the table of ratings"
) -> Iterator[Rating]:
    """The ratings of a CSV `worker, imagePair, score`, in its order; blanks around names and values do not count.

    BadList, which calls the table by `name`, when its head has other columns.
    """
    places: tuple[int, ...] | None = None
    for line in lines:
        said = text(line)
        if not said.strip():
            continue
        try:
            cells = [cell.strip() for cell in next(csv.reader([said], skipinitialspace=True))]
        except csv.Error:
            dropped["row is no CSV"] += 1
            continue
        if places is None:
            places = _places(cells, name)
            if places is not None:
                continue
            places = (0, 1, 2)
        if len(cells) != 3:
            dropped["row has not three columns"] += 1
            continue
        user, item, score = (cells[at] for at in places)
        number = _score(score)
        if not user or not item:
            dropped["row without a user or an item"] += 1
        elif number is None:
            dropped["score is none of 1 to 5"] += 1
        else:
            yield Rating(user, item, number)


def _places(cells: list[str], name: str) -> tuple[int, ...] | None:
    """Where the columns are, by the head; None for a table that begins with a row."""
    names = [cell.lower() for cell in cells]
    if sorted(names) == sorted(_HEAD):
        return tuple(names.index(name) for name in _HEAD)
    if len(cells) == 3 and _score(cells[2]) is not None:
        return None
    found = ", ".join(cells)[:80]
    raise BadList(f"{name}: expected the columns worker, imagePair, score, found {found!a}")


def _score(said: str) -> int | None:
    return int(said[0]) if said in {"1", "2", "3", "4", "5", "1.0", "2.0", "3.0", "4.0", "5.0"} else None


def means(lines: Iterable[bytes], dropped: Counter[str]) -> dict[str, float]:
    """Stem of a picture -> its mean score, from lines of `<picture> <number>`."""
    found: dict[str, float] = {}
    for line in lines:
        parts = text(line).split()
        if not parts:
            continue
        try:
            name, said = parts
            found[stem(name)] = _finite(said)
        except ValueError:
            dropped["mean score that cannot be read"] += 1
    return found


def _finite(said: str) -> float:
    number = float(said)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(said)
    return number


def behaviours(lines: Iterable[bytes], least: int, dropped: Counter[str]) -> dict[str, tuple[str, ...]]:
    """User -> items in order, from rows `user,item;item;…,outfit`; users in the order of their first row.

    Of several rows of one user the last that holds `least` items counts, as in the scripts of the benchmark.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        said = text(line).strip()
        if not said:
            continue
        user, comma, rest = said.partition(",")
        user = user.strip()
        if not comma or not user:
            dropped["row without a user and items"] += 1
            continue
        items = items_of(rest)
        if len(items) < least:
            dropped[f"row of fewer than {least} items"] += 1
        else:
            if user in found:
                dropped["row of a user who has a later one"] += 1
            found[user] = items
    return found


def items_of(rest: str) -> tuple[str, ...]:
    """The items of a row, given what stands after its user; the outfit is not among them."""
    return tuple(item for one in rest.partition(",")[0].split(";") if (item := one.strip()))
