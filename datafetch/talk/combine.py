"""Several sets of pictures with captions as one, under one rule for ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from datafetch.errors import BadList
from datafetch.talk.records import Record, Records

STEP = (
    10**12
)  # ids of a set have at most twelve digits, as those of im2text, and a double holds the sum exactly


@dataclass(frozen=True, slots=True)
class Set:
    """A set to combine: its document, and the folder below the root of all pictures that its paths begin in."""

    name: str
    document: Path
    folder: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What of a set was taken, and what was left out."""

    name: str
    records: int
    absent: int  # pictures that are not on disk
    twice: int  # ids that came before in the same set

    @property
    def words(self) -> str:
        said = [f"{self.name}: {self.records:,} records"]
        if self.absent:
            said.append(f"{self.absent:,} left out, their pictures are not here")
        if self.twice:
            said.append(f"{self.twice:,} left out, their ids came before")
        return ", ".join(said)


def combined_id(place: int, own: int | str | None) -> int | None:
    """The one rule: the place of the set among those named, from 0, times 10**12, plus its own id as a number.

    So ids are whole numbers, those of the first set stay as they are, and no two sets meet. None for an id that is
    no number of at most twelve digits.
    """
    text = str(own)
    if not (text.isascii() and text.isdigit()) or int(text) >= STEP:
        return None
    return place * STEP + int(text)


def combine(
    sets: Sequence[Set], root: Path, go_on: Callable[[], None]
) -> tuple[Iterator[bytes], list[Taken]]:
    """The records of all sets, one set after the other and each in its order, with paths below `root`; and what was
    taken, which is filled while they are read.

    Fields that a trainer does not read are kept. Raises BadList, while reading, for a record that is none or whose id
    is no number, and what `go_on` does, which is called for each.
    """
    taken: list[Taken] = []
    return _records(sets, root, taken, go_on), taken


def _records(
    sets: Sequence[Set], root: Path, taken: list[Taken], go_on: Callable[[], None]
) -> Iterator[bytes]:
    for place, each in enumerate(sets):
        records, seen = Records(each.document, go_on), set[int]()
        absent = twice = 0
        for at in range(len(records)):
            record = records[at]
            id = _id(place, each, at, record)
            path = f"{each.folder}/{record.file_path}"
            if not (root / path).is_file():
                absent += 1
            elif id in seen:
                twice += 1
            else:
                seen.add(id)
                kept = msgspec.json.decode(records.raw(at), type=dict[str, object])
                yield msgspec.json.encode(kept | {"file_path": path, "id": id})
        taken.append(Taken(each.name, len(seen), absent, twice))


def _id(place: int, each: Set, at: int, record: Record) -> int:
    found = combined_id(place, record.id)
    if found is None:
        raise BadList(
            f"{each.document.name}: record {at + 1:,}: expected an id of at most twelve digits, found {record.id!r}"
        )
    return found
