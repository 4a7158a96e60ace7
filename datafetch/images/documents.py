"""Lists that are one JSON document: nested maps (P9D) and columns (SBU), read as they stream by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from datafetch.errors import BadList
from datafetch.images.index import Index
from datafetch.images.jsonstream import Walker
from datafetch.images.opened import faults, opened
from datafetch.images.rows import BadRow, Row, Rows, scalars

_KINDS = {"{": "a map", "[": "a list", "t": "true or false", "f": "true or false", "n": "nothing"}
_TEXT = "a text or number"


def read_map(path: Path, keys: Sequence[str]) -> Rows:
    """What stands `keys` deep in nested maps, numbered from 1 in the order of the file; lists count as maps
    from positions, which begin at 1.

    Of two values with one key the first is the row, the others are BadRows. Memory is a record, and 11 bytes
    for each key. BadList, after the rows before it, where the document stops being JSON.
    """
    with faults(path.name), ExitStack() as files:
        walker = Walker(files.enter_context(opened(path)), path.name)
        if walker.peek() not in ("{", "["):
            _no_map(walker, path.name, keys[0] if keys else "key")
        yield from _Map(walker, tuple(keys)).rows({})
        walker.end()


class _Map:
    """Numbers the entries of a map in the order they come, over every branch."""

    def __init__(self, walker: Walker, keys: tuple[str, ...]) -> None:
        self._walker, self._keys = walker, keys
        self._last = 0
        self._seen = Index()

    def rows(self, above: dict[str, str]) -> Rows:
        """The entries below this place, whose keys so far are `above`."""
        walker, left = self._walker, self._keys[len(above) :]
        opens = walker.peek()
        if not left:
            yield self._leaf(above)
        elif opens in ("{", "["):
            for key in self._children(opens):
                path = {**above, left[0]: key}
                branch = len(left) > 1 and walker.peek() in ("{", "[")
                if branch or self._is_new(path):
                    yield from self.rows(path)
                else:
                    walker.skip()
                    reason = f"{_path(path)}: key stands twice in the list; the first is used"
                    yield BadRow(self._next(), reason)
        elif opens not in _KINDS and len(left) == 1 and above:
            # A map that ends in plain texts: the last key names the text itself.
            yield Row(self._next(), {**above, left[0]: str(walker.value())})
        else:
            walker.value()
            yield BadRow(
                self._next(), f"{_path(above)}: {_kind(opens)} where a map by {left[0]} was expected"
            )

    def _children(self, opens: str) -> Iterator[str]:
        if opens == "{":
            return self._walker.members()
        return (str(position) for position, _ in enumerate(self._walker.elements(), 1))

    def _leaf(self, above: dict[str, str]) -> Row | BadRow:
        opens = self._walker.peek()
        if opens == "[":
            self._walker.skip()
            found = None
        else:
            found = self._walker.value()
        if isinstance(found, dict):
            return Row(self._next(), {**scalars(found), **above})
        return BadRow(self._next(), f"{_path(above)}: {_kind(opens)} where a record was expected")

    def _is_new(self, path: dict[str, str]) -> bool:
        number = len(self._seen) + 1
        return self._seen.first("\0".join(path.values()), number) == number

    def _next(self) -> int:
        self._last += 1
        return self._last


def read_columns(path: Path) -> Rows:
    """Each index of the lists in an object, as one row with a field per list; the rows of a list that ends
    early are BadRows.

    The document is walked once to find its lists, then each list by itself, side by side. Memory is a buffer
    for each. BadList when the document is none, before the first row.
    """
    with faults(path.name), ExitStack() as files:
        walker = Walker(files.enter_context(opened(path)), path.name)
        offsets = _offsets(walker, path.name)
        columns = {
            key: Walker(files.enter_context(opened(path)), path.name, offset).values()
            for key, offset in offsets.items()
        }
        number = 0
        short = ""
        while True:
            values = {key: next(column, _END) for key, column in columns.items()}
            ended = [key for key, value in values.items() if value is _END]
            if len(ended) == len(columns):
                return
            if ended and not short:
                short = f"column {_whole(ended[0])} ends at row {number}"
            number += 1
            yield BadRow(number, short) if short else Row(number, scalars(values))


_END = object()


def _offsets(walker: Walker, name: str) -> dict[str, int]:
    """Where each list of an object begins."""
    opens, found = walker.peek(), {}
    for key in walker.members() if opens == "{" else ():
        if key in found:
            raise BadList(f"{name}: two columns with the name {_whole(key)}")
        if walker.peek() == "[":
            found[key] = walker.offset
        walker.skip()
    if not found:
        if opens != "{":
            walker.skip()
        expected = "no columns: an object whose values are lists was expected"
        raise BadList(f"{name}: the list has {expected}, found {_kind(opens)}")
    walker.end()
    return found


def _no_map(walker: Walker, name: str, key: str) -> None:
    opens = walker.peek()
    walker.value()
    raise BadList(f"{name}: {_kind(opens)} where a map by {key} was expected")


def _path(above: dict[str, str]) -> str:
    return _whole("/".join(above.values()))


def _whole(text: str) -> str:
    """For messages: half characters, which nobody can print or write down, become `?`."""
    return text.encode("utf-8", "replace").decode()


def _kind(opens: str) -> str:
    """What a value is, by its first character."""
    return _KINDS.get(opens, _TEXT)
