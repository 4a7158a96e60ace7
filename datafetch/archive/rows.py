"""The pictures of parquet tables as members of an archive, named by their rows."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path

from datafetch.archive.members import (
    CHUNK,
    DEFAULT_LIMITS,
    Archive,
    Chunk,
    Limits,
    Member,
    check_members,
    safe_name,
)
from datafetch.archive.parquet import Row, Table
from datafetch.errors import DamagedArchive, UnsafeArchive

NUMBER, EXT = "n", "ext"  # captures that are no columns

_CAPTURE = re.compile(r"<([^<>/]+)>")
_ENDINGS = {
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
}


class RowsArchive(Archive):
    """Tables read as one archive, in the order given: rows are counted over all of them.

    `rows` maps columns of pictures to the templates of their names: `<n>` is the number of a row, from 0, among
    those that agree in the other captures, `<ext>` the ending that fits the picture in the first column, any
    other capture a column of words. A null is no member; a row without a picture in the first column is damage.
    """

    kind = "parquet"

    def __init__(
        self, paths: Sequence[Path], rows: Sequence[tuple[str, str]], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._rows = tuple(rows)
        self._pictures = tuple(column for column, _ in rows)
        captured = dict.fromkeys(name for _, template in rows for name in _CAPTURE.findall(template))
        self._words = tuple(name for name in captured if name not in (NUMBER, EXT))
        self._limits = limits
        self._cursor: Iterator[tuple[int, Row]] = iter(())
        self._here: tuple[int, Row] | None = None
        with ExitStack() as stack:
            self._tables: list[Table] = []
            for path in paths:
                self._tables.append(Table(path))
                stack.callback(self._tables[-1].close)
            self._starts = [0, *accumulate(table.rows for table in self._tables)]
            for table in self._tables:
                table.check(self._pictures, self._words, limits)
            packed = sum(table.size for table in self._tables)
            self.members = tuple(self._list(packed))
            check_members(self.members, packed, limits)
            self._open = stack.pop_all()

    def read(self, member: Member) -> Iterator[Chunk]:
        """As Archive.read; one thread at a time."""
        data = self._row(member.offset).pictures[member.method]
        if data is None or len(data) != member.size:
            raise DamagedArchive(f"{member.name!r} has changed since it was listed")
        for start in range(0, member.size, CHUNK):
            yield data[start : start + CHUNK]

    def _row(self, number: int) -> Row:
        """The row of this number; cheapest when numbers rise."""
        if self._here is None or self._here[0] > number:
            self._here, self._cursor = None, self._numbered(number, ())
        while self._here is None or self._here[0] < number:
            self._here = next(self._cursor, None)
            if self._here is None:
                raise DamagedArchive(f"row {number} has gone since it was listed")
        return self._here[1]

    def _numbered(self, start: int, words: Sequence[str]) -> Iterator[tuple[int, Row]]:
        """Each row from `start` on, with its number over all tables."""
        for table, first in zip(self._tables, self._starts, strict=False):
            if start < first + table.rows:
                for row in table.read(self._pictures, words, max(0, start - first)):
                    yield first + row.number, row

    def _list(self, packed: int) -> Iterator[Member]:
        seen: Counter[tuple[str, ...]] = Counter()
        total = members = 0
        for number, row in self._numbered(0, self._words):
            names = dict(zip(self._words, row.words, strict=True))
            for column, word in names.items():
                self._refuse_unsafe(word, column, number)
            names[NUMBER] = str(seen[row.words])
            seen[row.words] += 1
            names[EXT] = ""
            for index, ((column, template), data) in enumerate(zip(self._rows, row.pictures, strict=True)):
                if data is None:
                    if index == 0:
                        raise self._damaged(number, f"has no {column}")
                    continue
                ending = _ending(data)
                if not ending:
                    begins = bytes(data[:16])
                    text = f"holds no picture as {column}: it begins with {begins!r}"
                    raise self._damaged(number, text)
                names[EXT] = names[EXT] or ending
                total += len(data)
                members += 1
                self._refuse_large(len(data), number, packed)
                self._refuse_many(total, members, packed)
                name = safe_name(_fill(template, names), self._limits)
                yield Member(name, False, len(data), packed, offset=number, method=index)

    def _refuse_large(self, size: int, number: int, packed: int) -> None:
        if size > self._limits.ratio_from or size > self._limits.member_bytes:
            self._limits.refuse_size(self._where(number), size, packed, self._limits.member_bytes)

    def _refuse_many(self, total: int, members: int, packed: int) -> None:
        if members > self._limits.members:
            raise UnsafeArchive(f"it holds more than {self._limits.members:,} members, which are too many")
        self._limits.refuse_size("the table", total, packed, self._limits.total_bytes)

    def _refuse_unsafe(self, word: str, column: str, number: int) -> None:
        """UnsafeArchive for a word that is not the name of one file or folder."""
        try:
            safe = safe_name(word, self._limits) if word else ""
        except UnsafeArchive as error:
            raise UnsafeArchive(f"{self._where(number)}, column {column}: {error}") from error
        if not word or safe != word or "/" in safe:
            raise UnsafeArchive(f"{self._where(number)}, column {column}: {word[:80]!r} is not a single name")

    def _damaged(self, number: int, text: str) -> DamagedArchive:
        return DamagedArchive(
            f"{self._where(number)} {text}", shard=self._tables[self._table_of(number)].name
        )

    def _where(self, number: int) -> str:
        index = self._table_of(number)
        return f"row {number - self._starts[index]} of {self._tables[index].name}"

    def _table_of(self, number: int) -> int:
        return bisect_right(self._starts, number) - 1

    def close(self) -> None:
        self._open.close()


def _fill(template: str, names: Mapping[str, str]) -> str:
    return _CAPTURE.sub(lambda found: names[found[1]], template)


def _ending(data: memoryview) -> str:
    """The ending that fits what the bytes are; "" when they are no picture that anybody knows."""
    head = bytes(data[:12])
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "webp"
    return next((ending for mark, ending in _ENDINGS.items() if head.startswith(mark)), "")
