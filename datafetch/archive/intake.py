"""What has been unpacked of an archive that arrives in shards, written down so that a later run goes on from there.

Two files lie beside the shards: a row for each member, and the place to go on from, which takes its name only after
the files and rows before it are durable. Whatever is newer than that place is unpacked once more. Of an archive that
was refused a third one is left instead, since no shard is kept that would be refused again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from datafetch.archive.crowd import Crowd
from datafetch.archive.gunzip import Mark
from datafetch.errors import UnsafeArchive
from datafetch.store.durable import sync_tree
from datafetch.store.files import make_folder, remove_tree, write_atomic
from datafetch.store.journal import Journal

_BATCH = 500  # rows that are written at once
FOLDER, LEFT_OUT = "folder", "left out"


class Row(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One member; `why` it is not among the staged files, or "" when it is."""

    name: str
    target: str = ""
    size: int = 0
    sha256: str = ""
    why: str = ""


class Place(msgspec.Struct, frozen=True):
    """From where to go on, and what must be the same then."""

    what: str  # the source, rules and choice of members
    mark: Mark
    offset: int  # of the next header of the tar
    headers: int
    rows: int  # bytes


class Refusal(msgspec.Struct, frozen=True):
    """Why what was fetched is not unpacked, and what must be the same for that to hold."""

    what: str
    text: str


class Intake:
    """Of one artifact: `notes` is the folder of the two files, `into` where its files are staged.

    Goes on where an earlier run was, if that unpacked the same (`what`), else begins with an empty folder.
    """

    def __init__(self, notes: Path, into: Path, what: str) -> None:
        self._what, self._into = what, into
        self.refused = notes / ".refused"
        self._place = notes / ".place"
        self._journal = Journal(notes / ".members.jsonl")
        self._waiting: list[Row] = []
        self._members, self._targets = Crowd(), Crowd()
        self.skipped: Counter[str] = Counter()
        self.files = self.bytes = self.headers = 0
        self.place = self._read()
        if self.place is None:
            self.forget()
            make_folder(notes)
            make_folder(into)
            return
        self._journal.cut(self.place.rows)
        for row in self._rows():
            self._count(row)
        self.headers = self.place.headers

    def _read(self) -> Place | None:
        try:
            place = msgspec.msgpack.decode(self._place.read_bytes(), type=Place)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        whole = self._journal.size() >= place.rows and self._into.is_dir()
        return place if whole and place.what == self._what else None

    @property
    def refusal(self) -> str:
        """Why an earlier run refused the same archive; empty when none did."""
        try:
            found = msgspec.msgpack.decode(self.refused.read_bytes(), type=Refusal)
        except (FileNotFoundError, msgspec.MsgspecError):
            return ""
        return found.text if found.what == self._what else ""

    def refuse(self, text: str) -> None:
        """Forget all but that it was refused: fetching it again and again would bring the same."""
        self.forget()
        write_atomic(self.refused, msgspec.msgpack.encode(Refusal(self._what, text)))

    def add(self, row: Row) -> None:
        """One more member has been dealt with."""
        self._count(row)
        self.headers += 1
        self._waiting.append(row)
        if len(self._waiting) >= _BATCH:
            self._flush(durable=False)

    def keep(self, mark: Mark, offset: int) -> None:
        """Make all durable that was staged so far, and this the place to go on from."""
        sync_tree(self._into)
        self._flush(durable=True)
        place = Place(self._what, mark, offset, self.headers, self._journal.size())
        write_atomic(self._place, msgspec.msgpack.encode(place))  # half of it are raw bytes

    def finish(self) -> None:
        """All members are staged: make that durable. UnsafeArchive when two of them meet."""
        self._flush(durable=True)
        for crowd, names in (
            (self._members, lambda: (row.name for row in self._rows() if row.why != FOLDER)),
            (self._targets, lambda: (row.target for row in self._rows() if row.target)),
        ):
            met = crowd.meeting(names)
            if met is not None:
                raise UnsafeArchive(f"two members cannot stand side by side: {met}")
        sync_tree(self._into)

    def rows(self) -> Iterator[Row]:
        """What became of each member that was written down, in order."""
        return self._rows() if self._journal.path.exists() else iter(())

    def staged(self) -> Iterator[Row]:
        """The rows of the staged files, read anew each time."""
        return (row for row in self._rows() if not row.why)

    def forget(self) -> None:
        """Remove what was staged, and what was written down of it."""
        self._journal.close()
        remove_tree(self._place)
        remove_tree(self._journal.path)
        remove_tree(self._into)

    def close(self) -> None:
        self._journal.close()

    def _count(self, row: Row) -> None:
        if row.why == FOLDER:
            self._members.add_folder(row.name)
            return
        self._members.add(row.name)
        if row.target:
            self._targets.add(row.target)
        if not row.why:
            self.files += 1
            self.bytes += row.size
        elif row.why != LEFT_OUT:
            self.skipped[row.why] += 1

    def _flush(self, durable: bool) -> None:
        self._journal.extend(self._waiting, durable=durable)
        self._waiting.clear()

    def _rows(self) -> Iterator[Row]:
        decode = msgspec.json.Decoder(Row).decode
        with open(self._journal.path, "rb") as file:
            yield from map(decode, file)
