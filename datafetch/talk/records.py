"""A JSON list of pictures with captions, as NeuralTalk2 reads it: mapped, and decoded a record at a time."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from datafetch.errors import BadList
from datafetch.store.faults import user_errors


class Record(msgspec.Struct, frozen=True):
    """A picture. Whatever else a record holds is of no use to a trainer."""

    captions: list[str]
    file_path: str
    id: int | str | None = None


class Records:
    """The records of a document, by their place in it; some 100 bytes of memory for each."""

    def __init__(self, path: Path, go_on: Callable[[], None]) -> None:
        """BadList when the document is no list; a record is looked at when it is taken. `go_on` is called before that,
        and raises when no more is to be done.
        """
        self.path = path
        self._go_on = go_on
        with user_errors(path), open(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        try:
            self._raw = msgspec.json.decode(data, type=list[msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadList(f"{path.name}: expected a JSON list of pictures with captions: {error}") from error
        self._decode = msgspec.json.Decoder(Record).decode

    def __len__(self) -> int:
        return len(self._raw)

    def raw(self, at: int) -> msgspec.Raw:
        return self._raw[at]

    def __getitem__(self, at: int) -> Record:
        """BadList, with its number, for a record that is none or whose path leaves the root of the pictures."""
        self._go_on()
        try:
            record = self._decode(self._raw[at])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadList(
                f"{self.path.name}: record {at + 1:,} is no picture with captions: {error}"
            ) from error
        parts = record.file_path.split("/")
        if not record.file_path or "\0" in record.file_path or parts[0] == "" or ".." in parts:
            raise BadList(
                f"{self.path.name}: record {at + 1:,}: file_path {record.file_path[:80]!r} is not a path below"
                " the root of the pictures"
            )
        return record
