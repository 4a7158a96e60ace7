"""Reading the records of what people prefer: one at a time, typed, and never without their pictures.

    from datafetch import preference
    train = preference.load("data", "flickr-aes", "train")      # a map-style dataset, without torch
    for record in train: ...                                    # or train[7], len(train), a DataLoader

Upstream's loader puts random noise where a picture is missing, and says nothing: here `MissingPicture` is raised.
"""

from __future__ import annotations

import mmap
import operator
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex, overload

import msgspec

from datafetch.errors import DatafetchError, UnknownName, UsageError

SPLITS = ("train", "val", "test")
_FOLDERS = ("processed_dataset", "processed")  # both names that upstream's texts have


class MissingPicture(DatafetchError, FileNotFoundError):
    """A record names a picture that is not there, or empty."""

    exit_code = 13


@dataclass(frozen=True, slots=True)
class Item:
    item_id: str
    caption: str
    path: Path  # it was there when the record was read
    score: int | None = None
    aesthetic_score: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    user: str
    style: str  # empty where there is none
    history: tuple[Item, ...]
    target: Item
    position: int  # of the window in the user's sequence, or of the sample among those of the user


class _Item(msgspec.Struct):
    item_id: str
    caption: str
    image_path: str
    score: int | None = None
    aesthetic_score: float | None = None


class _Record(msgspec.Struct):
    history_items_info: list[_Item]
    target_item_info: _Item
    user_id: str = ""
    worker_id: str = ""
    user_style: str = ""
    worker_style: str = ""
    window_position: int = 0
    sample_index: int = 0


def load(root: str | Path, name: str, split: str, *, check: bool = False) -> Records:
    """The records of one split of a dataset below the output directory `root`.

    With `check` every picture is looked for at once. Raises UnknownName for no split, UsageError for a dataset that
    is not there or whose records are of the older schema, MissingPicture.
    """
    if split not in SPLITS:
        raise UnknownName(f'no split "{split}"; there are {", ".join(SPLITS)}')
    folder = Path(os.path.abspath(root)) / name
    found = (folder / inner / f"{split}.json" for inner in _FOLDERS)
    file = next((path for path in found if path.is_file()), None)
    if file is None:
        raise UsageError(f"{folder} has no {split}.json", f"datafetch get {name} makes it")
    records = Records(folder, file)
    if check:
        for _ in records:
            pass
    return records


class Records:
    """A map-style dataset: the file is mapped, and a record is decoded when it is asked for. May be pickled, so
    that a torch DataLoader can hand it to its workers.
    """

    def __init__(self, folder: Path, file: Path) -> None:
        self._folder, self._file = folder, file
        with open(file, "rb") as source:
            empty = not os.fstat(source.fileno()).st_size
            self._data = b"" if empty else mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._raw = msgspec.json.decode(self._data, type=list[msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: expected a JSON list of records: {error}") from error
        self._decode = msgspec.json.Decoder(_Record).decode

    def __reduce__(self) -> tuple[type[Records], tuple[Path, Path]]:
        return Records, (self._folder, self._file)

    def __len__(self) -> int:
        return len(self._raw)

    def __iter__(self) -> Iterator[Record]:
        return (self._record(at) for at in range(len(self)))

    @overload
    def __getitem__(self, index: SupportsIndex) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Record, ...]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> Record | tuple[Record, ...]:
        """The record at `index`, from the end if negative, or those of a slice. Raises IndexError, UsageError,
        MissingPicture.
        """
        if isinstance(index, slice):
            return tuple(self._record(at) for at in range(*index.indices(len(self))))
        return self._record(operator.index(index))

    def _record(self, index: int) -> Record:
        raw = self._raw[index]
        try:
            one = self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{self._file}: record {index} is none: {error}",
                "records of --schema older are not read here",
            ) from error
        history = tuple(self._item(item) for item in one.history_items_info)
        position = one.window_position or one.sample_index
        target = self._item(one.target_item_info)
        user, style = one.user_id or one.worker_id, one.user_style or one.worker_style
        return Record(user, style, history, target, position)

    def _item(self, item: _Item) -> Item:
        path = self._folder / item.image_path  # whole, if that is whole
        try:
            size = os.stat(path).st_size
        except OSError:
            size = 0
        if not size:
            name = self._folder.name
            text = f"{self._file.name}: the picture of {item.item_id} is not there: {path}"
            raise MissingPicture(text, f"datafetch verify {name} --repair brings it back")
        return Item(item.item_id, item.caption, path, item.score, item.aesthetic_score)
