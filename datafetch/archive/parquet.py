"""One parquet file read row by row: its pictures and its words. Nothing else here knows pyarrow, which is an extra."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from datafetch.archive.members import Limits
from datafetch.errors import DamagedArchive, LayoutMismatch, UnsafeArchive
from datafetch.extras import PARQUET, demand

MAGIC = b"PAR1"  # a parquet file begins and ends with it
_BUFFER = 1 << 20  # bytes that are read from the file at a time
_MEND = "mend `rows` of the recipe, or see whether upstream has changed its tables"


class Row(NamedTuple):
    number: int  # within the file, from 0
    pictures: tuple[memoryview | None, ...]  # of the columns asked for; None where the table has null
    words: tuple[str, ...]


class Table:
    """An open parquet file.

    Memory stays within a page of each column, whatever the file's size: rows are read one at a time, since a
    dictionary may make a thousand large values of one. Checksums of pages are compared where the file has them.
    DamagedArchive when the bytes are no parquet file or not what its footer says.
    """

    def __init__(self, path: Path) -> None:
        demand(PARQUET, path.name)
        from pyarrow.parquet import ParquetFile

        self.name = path.name
        self.size = path.stat().st_size
        with self._damage():
            self._file: Any = ParquetFile(
                str(path),
                memory_map=False,
                pre_buffer=False,
                buffer_size=_BUFFER,
                page_checksum_verification=True,
            )
            self._schema: Any = self._file.schema_arrow
            self._groups: list[int] = [
                self._file.metadata.row_group(index).num_rows for index in range(self._file.num_row_groups)
            ]
        self.rows: int = sum(self._groups)

    def check(self, pictures: Sequence[str], words: Sequence[str], limits: Limits) -> None:
        """LayoutMismatch unless it has these columns, of these kinds; UnsafeArchive when they unpack to too much.

        What a footer says of sizes is believed only where it condemns: callers count again as they read.
        """
        for column in pictures:
            if self._leaf(column) is None:
                raise self._mismatch(column, "of pictures")
        for column in words:
            if not self._is_of_words(column):
                raise self._mismatch(column, "of words")
        # Of each group and not of each column: pyarrow 26 ends the process when a column's own notes are damaged.
        with self._damage():
            metadata = self._file.metadata
            groups = range(metadata.num_row_groups)
            unpacked = sum(max(0, metadata.row_group(group).total_byte_size) for group in groups)
        limits.refuse_size(self.name, unpacked, self.size, limits.total_bytes)

    def read(self, pictures: Sequence[str], words: Sequence[str], start: int = 0) -> Iterator[Row]:
        """The rows from this one on. DamagedArchive where they cannot be read, or are not as many as announced."""
        leaves = [self._leaf(column) or column for column in pictures]
        names = {column: self._class_names(column) for column in words}
        first = 0
        for group, count in enumerate(self._groups):
            if start < first + count:
                found = 0
                for found, batch in enumerate(self._batches(group, [*leaves, *words]), 1):
                    number = first + found - 1
                    if number < start:
                        continue
                    with self._damage():
                        held = tuple(_bytes(batch.column(column)[0]) for column in pictures)
                        said = tuple(self._word(batch, column, names[column], number) for column in words)
                    yield Row(number, held, said)
                if found != count:
                    text = f"{self.name} announces {count:,} rows, and holds {found:,}"
                    raise DamagedArchive(text, shard=self.name)
            first += count

    def close(self) -> None:
        """May be called twice."""
        self._file.close()

    def _batches(self, group: int, columns: list[str]) -> Iterator[Any]:
        with self._damage():
            yield from self._file.iter_batches(1, row_groups=[group], columns=columns, use_threads=False)

    def _leaf(self, column: str) -> str | None:
        """The path of the bytes of a column of pictures; None when it is no such column."""
        from pyarrow import types

        kind = self._kind(column)
        path = column
        if kind is not None and types.is_struct(kind):  # bytes and path, as the hub's Image feature has it
            index = kind.get_field_index("bytes")
            kind, path = (kind.field(index).type, f"{column}.bytes") if index >= 0 else (None, path)
        is_bytes = kind is not None and (types.is_binary(kind) or types.is_large_binary(kind))
        return path if is_bytes else None

    def _is_of_words(self, column: str) -> bool:
        from pyarrow import types

        kind = self._kind(column)
        if kind is not None and types.is_dictionary(kind):
            kind = kind.value_type
        if kind is None or types.is_integer(kind):
            return bool(kind is not None and self._class_names(column))
        return bool(types.is_string(kind) or types.is_large_string(kind))

    def _kind(self, column: str) -> Any:
        index = self._schema.get_field_index(column)
        return self._schema.field(index).type if index >= 0 else None

    def _mismatch(self, column: str, kind: str) -> LayoutMismatch:
        held = ", ".join(f"{field.name} ({str(field.type)[:60]})" for field in list(self._schema)[:12])
        return LayoutMismatch(f"{self.name} has no column {column} {kind}; it holds {held or 'none'}", _MEND)

    def _class_names(self, column: str) -> tuple[str, ...]:
        """What the numbers of a ClassLabel stand for, by the hub's note in the schema."""
        try:
            noted = json.loads((self._schema.metadata or {})[b"huggingface"])
            names = noted["info"]["features"][column]["names"]
        except (KeyError, TypeError, ValueError, RecursionError):
            return ()
        good = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return tuple(names) if good else ()

    def _word(self, batch: Any, column: str, names: Sequence[str], number: int) -> str:
        value = batch.column(column)[0].as_py()
        if isinstance(value, int) and 0 <= value < len(names):
            return names[value]
        if not isinstance(value, str):
            raise UnsafeArchive(f"row {number} of {self.name} has no {column}: it holds {value!r}")
        return value

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Turn whatever pyarrow complains of into DamagedArchive; faults of the disk stay OSError."""
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, ValueError, KeyError, MemoryError, OverflowError) as error:
            raise self._damaged(error) from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DamagedArchive:
        said = str(error).strip().partition("\n")[0][:160].rstrip(".")
        text = f"{self.name} is damaged: {said or type(error).__name__}"
        return DamagedArchive(text, shard=self.name)


def _bytes(value: Any) -> memoryview | None:
    """The bytes of a picture, as binary or as the hub's struct of bytes and path."""
    if value.is_valid and hasattr(value, "keys"):
        value = value["bytes"]
    return memoryview(value.as_buffer()) if value.is_valid else None
