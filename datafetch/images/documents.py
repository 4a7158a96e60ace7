"""Lists that are one JSON document: nested maps (P9D) and columns (SBU). The document is read whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from datafetch.errors import BadList
from datafetch.images.rows import BadRow, Row, Rows, scalars

LARGEST = 1 << 30  # bytes; in memory a document takes several times its size on disk


class _Twice(dict[str, object]):
    """A map whose document names some keys more than once; the last value of each is kept, as JSON readers
    do.
    """

    repeated: tuple[str, ...] = ()


def read(path: Path, how: str, keys: Sequence[str]) -> Rows:
    """The entries of a JSON document, each with its number from 1. Raises BadList when it is not the JSON
    promised.

    Numbers are kept as they are spelled. Memory grows with the file, up to `LARGEST`; larger is refused.
    """
    document = _load(path)
    match how:
        case "map":
            return _entries(_Numbers(), document, tuple(keys), {}, path.name)
        case _:
            return _columns(document, path.name)


class _Numbers:
    """Numbers entries in the order they come, over every branch of the map."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        self.last += 1
        return self.last


def _load(path: Path) -> object:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise BadList(f"{path.name}: a JSON list of {size} bytes; at most {LARGEST} are read")
        text = path.read_bytes().decode("utf-8-sig")
        document: object = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_pairs)
        return document
    except OSError as error:
        raise BadList(f"{path.name}: {error.strerror or error}") from error
    except RecursionError as error:
        raise BadList(f"{path.name}: nested too deeply") from error
    except ValueError as error:
        raise BadList(f"{path.name}: not JSON: {error}") from error


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled = _Twice(found)
    again = Counter(key for key, _ in pairs) - Counter(found.keys())
    doubled.repeated = tuple(again.elements())
    return doubled


def _entries(count: _Numbers, node: object, keys: tuple[str, ...], above: dict[str, str], name: str) -> Rows:
    """What stands `keys` deep below `node`; a list counts as a map from positions, which begin at 1."""
    if not keys:
        yield _leaf(count.next(), node, above)
        return
    if isinstance(node, str) and len(keys) == 1 and above:
        # A map that ends in plain texts: the last key names the text itself.
        yield Row(count.next(), {**above, keys[0]: node})
        return
    if isinstance(node, dict):
        children: Iterator[tuple[str, object]] = iter(node.items())
    elif isinstance(node, list):
        children = ((str(position), child) for position, child in enumerate(node, 1))
    elif above:
        yield BadRow(count.next(), f"{_path(above)}: {_kind(node)} where a map by {keys[0]} was expected")
        return
    else:
        raise BadList(f"{name}: {_kind(node)} where a map by {keys[0]} was expected")
    for key, child in children:
        yield from _entries(count, child, keys[1:], {**above, keys[0]: key}, name)
    if isinstance(node, _Twice):
        for key in node.repeated:
            yield BadRow(
                count.next(),
                f"{_path({**above, keys[0]: key})}: key stands twice in the list; the last is used",
            )


def _leaf(number: int, node: object, above: dict[str, str]) -> Row | BadRow:
    if isinstance(node, dict):
        return Row(number, {**scalars(node), **above})
    return BadRow(number, f"{_path(above)}: {_kind(node)} where a record was expected")


def _columns(document: object, name: str) -> Rows:
    columns = (
        {key: value for key, value in document.items() if isinstance(value, list)}
        if isinstance(document, dict)
        else {}
    )
    if not columns:
        raise BadList(
            f"{name}: no columns: an object whose values are lists was expected, found {_kind(document)}"
        )
    shortest = min(columns, key=lambda key: len(columns[key]))
    for number in range(1, max(map(len, columns.values())) + 1):
        if number > len(columns[shortest]):
            yield BadRow(number, f"column {_whole(shortest)} ends at row {len(columns[shortest])}")
        else:
            yield Row(number, scalars({key: column[number - 1] for key, column in columns.items()}))


def _path(above: dict[str, str]) -> str:
    return _whole("/".join(above.values()))


def _whole(text: str) -> str:
    """For messages: half characters, which nobody can print or write down, become `?`."""
    return text.encode("utf-8", "replace").decode()


def _kind(node: object) -> str:
    words = {dict: "a map", list: "a list", str: "a text or number", bool: "true or false"}
    return words.get(type(node), "nothing" if node is None else type(node).__name__)
