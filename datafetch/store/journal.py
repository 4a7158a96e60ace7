"""Append-only JSON lines about one artifact or one batch: a claim to check against the disk, never proof."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from datafetch.store.closing import Closing
from datafetch.store.files import make_folder, sync_dir, sync_fd, user_errors, write_atomic
from datafetch.store.rows import (
    Asked,
    Built,
    Consists,
    Done,
    Gone,
    Known,
    Part,
    Row,
    Staged,
    Upstream,
    Whole,
    Wrote,
    as_built,
    fold,
)

__all__ = (  # what other stations may use, wherever in the store it is written
    "Asked",
    "Built",
    "Consists",
    "Done",
    "Gone",
    "Journal",
    "Known",
    "Part",
    "Row",
    "Rows",
    "Staged",
    "Upstream",
    "Whole",
    "Wrote",
    "as_built",
    "fold",
    "known",
    "read",
    "settled",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    rows: tuple[T, ...]
    garbage: int  # lines that could not be read; a torn last line is not counted


def read(path: Path, kind: type[T]) -> Rows[T]:
    """Every row of a journal that can be read as `kind`; none when the file is absent."""
    return _read(path, msgspec.json.Decoder(kind))


def known(path: Path) -> Known:
    """What the journal of an artifact says; an absent journal says nothing."""
    return fold(_read(path, msgspec.json.Decoder(Row)).rows)


def settled(path: Path) -> tuple[Row, ...]:
    """The rows of an artifact without those about a part on its way: what a compacted journal holds."""
    rows = _read(path, msgspec.json.Decoder(Row)).rows
    return tuple(row for row in rows if not isinstance(row, Part | Wrote))


class Journal(Closing):
    """Writer and reader of one file of rows. A crash may tear the last line: it is ignored when reading, and
    closed off before the next row is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._encoder = msgspec.json.Encoder()
        self._fd = -1

    def append(self, row: object, *, durable: bool = True) -> None:
        """Write one row: anything msgspec encodes as an object. Durable: it survives a power cut."""
        self.extend((row,), durable=durable)

    def extend(self, rows: Iterable[object], *, durable: bool = True) -> None:
        """Write several rows at once, with one wait for all of them."""
        with user_errors(self.path):
            if self._fd < 0:
                self._fd = _open_for_append(self.path)
            try:
                _write_all(self._fd, self._encoder.encode_lines(rows))
                if durable:
                    sync_fd(self._fd)
            except BaseException:
                self.close()  # the line may be torn: opening the file again mends that
                raise

    def replace(self, rows: Iterable[object]) -> None:
        """Compact: give the file these rows and no others, atomically."""
        self.close()
        write_atomic(self.path, self._encoder.encode_lines(rows))

    def cut(self, size: int) -> None:
        """Forget what was written beyond so many bytes; ValueError when there are not as many."""
        self.close()
        with user_errors(self.path):
            fd = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(fd).st_size < size:
                    raise ValueError(f"{self.path} is shorter than {size} bytes")
                os.ftruncate(fd, size)
            finally:
                os.close(fd)

    def size(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def rows(self, kind: type[T]) -> list[T]:
        """Every row written so far that can be read as `kind`."""
        return list(read(self.path, kind).rows)

    def close(self) -> None:
        """Give back the descriptor; a later append opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _read(path: Path, decoder: msgspec.json.Decoder[T]) -> Rows[T]:
    try:
        with user_errors(path):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except Exception as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return Rows((), 0)
        raise
    rows: list[T] = []
    garbage = 0
    with user_errors(path), open(fd, "rb") as file:
        for line in file:
            try:
                rows.append(decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                # An unfinished JSON object never decodes, so only the very last line can be torn.
                garbage += line.endswith(b"\n")
    return Rows(tuple(rows), garbage)


def _open_for_append(path: Path) -> int:
    make_folder(path.parent)
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(fd).st_size
        if size == 0:
            sync_dir(path.parent)
        elif os.pread(fd, 1, size - 1) != b"\n":
            os.write(fd, b"\n")
    except BaseException:
        os.close(fd)
        raise
    return fd


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
