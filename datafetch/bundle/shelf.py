"""The files of a bundle while it is written: each put in its place whole, and noted for SHA256SUMS. Blocks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from datafetch.bundle.names import DOCUMENT, MISSING, SUMS, names_of
from datafetch.bundle.sums import Sums, add
from datafetch.errors import Damaged, UsageError
from datafetch.store.closing import Closing
from datafetch.store.durable import sync_tree
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree, make_folder, remove_tree, write_atomic
from datafetch.store.journal import Journal
from datafetch.store.lines import merged
from datafetch.store.links import take

_ELSEWHERE = "export into another folder"
_TOGETHER = 1_000  # notes that are written at once


class _Note(msgspec.Struct, gc=False):
    path: str  # a key, as `store.lines` sorts it
    word: str


class Shelf(Closing):
    """One writer of a bundle; `work` is a folder of its own, in the same file system, that is gone in the end."""

    def __init__(self, where: Path, work: Path, stop: Callable[[], bool] = lambda: False) -> None:
        self._where, self._work, self._stop = where, work, stop
        make_folder(work)
        self._notes = {file: work / f"{file}.jsonl" for file in (SUMS, MISSING)}
        for notes in self._notes.values():
            remove_tree(notes)
        self._waiting: dict[str, list[_Note]] = {SUMS: [], MISSING: []}
        self._sums = Sums(where / SUMS)
        with user_errors(where):
            self._tree = Tree(where)

    def close(self) -> None:
        """Give back what is open; what was not committed is put in place again by the next export."""
        self._tree.close()
        self._sums.close()

    def put(self, file: Path, target: str, sha256: str) -> int:
        """Put the body of a target in its place, by a second name or shared blocks where that can be; its bytes.

        Raises FileNotFoundError when there is no such file, Damaged when it is not what its journal says, and
        UsageError when the bundle has another for that target.
        """
        for name in names_of(target):
            known = self._sums.find(name)
            if known not in ("", sha256):
                raise UsageError(
                    f"{target} has changed since an earlier export into {self._where}", _ELSEWHERE
                )
            size = self._size(name) if known else None
            if size is None:
                size, found = self._take(file)
                if found != sha256:
                    raise Damaged(
                        f"{file} has changed since it was fetched: sha256 {found}, expected {sha256}"
                    )
                if not self._place(name, sha256):
                    continue
            return size
        raise UsageError(f"{self._where}: no file can stand for {target}", _ELSEWHERE)

    def put_at(self, file: Path, name: str) -> tuple[int, str]:
        """Put a file at a path of the bundle: its bytes and SHA-256. UsageError where another stands already."""
        size, sha256 = self._take(file)
        if not self._place(name, sha256):
            raise UsageError(f"no file can be called {self._where / name}", _ELSEWHERE)
        return size, sha256

    def write(self, name: str, data: bytes) -> str:
        """As `put_at`, of bytes; the SHA-256."""
        file = self._work / "written"
        write_atomic(file, data)
        return self.put_at(file, name)[1]

    def lacks(self, target: str, why: str) -> None:
        """Note that an address gave no file, and why."""
        self._note(MISSING, target, why.replace(" ", "-"))

    def note(self, name: str, sha256: str) -> None:
        """Note what stands at a path."""
        self._note(SUMS, name, sha256)

    def commit(self, document: Callable[[], str] | None = None) -> None:
        """Make durable what was put, then say so in MISSING and SHA256SUMS. `document` writes bundle.json between
        and returns its SHA-256.
        """
        sync_tree(self._where)
        self._flush()
        add(self._where / MISSING, self._noted(MISSING))
        self.note(MISSING, _digest(self._where / MISSING))
        if document is not None:
            self.note(DOCUMENT, document())
        self._flush()
        add(self._where / SUMS, self._noted(SUMS))
        self._sums.close()
        self._sums = Sums(self._where / SUMS)

    # --- One file ---------------------------------------------------------------------------------------------

    def _take(self, file: Path) -> tuple[int, str]:
        """Bring a file into the folder of our own, and read it once."""
        with user_errors(self._work), Tree(self._work) as tree:
            tree.remove("taken")
            return take(file, tree, "taken", link=True, stop=self._stop)

    def _place(self, name: str, sha256: str) -> bool:
        """Whether what was taken stands at `name` now. It does not where the file system holds that name for one
        with other letters, or for a folder.
        """
        folder, _, last = name.rpartition("/")
        with user_errors(self._where):
            try:
                there = self._tree.makedirs(folder)
            except (NotADirectoryError, FileExistsError):
                return False
            size = self._tree.size(name)
            if size is not None and size < 0:
                return False
            if size is not None and _digest(self._where / name) != sha256:
                if last in os.listdir(there):
                    text = f"{self._where / name} is another file than the one that came now"
                    raise UsageError(text, f"remove it, or {_ELSEWHERE}")
                return False
            os.replace(self._work / "taken", last, dst_dir_fd=there)
        self.note(name, sha256)
        return True

    def _size(self, name: str) -> int | None:
        with suppress(NotADirectoryError, FileNotFoundError):
            return self._tree.size(name)
        return None

    # --- Notes --------------------------------------------------------------------------------------------------

    def _note(self, file: str, key: str, word: str) -> None:
        self._waiting[file].append(_Note(key, word))
        if len(self._waiting[file]) >= _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        for file, waiting in self._waiting.items():
            with Journal(self._notes[file]) as notes:
                notes.extend(waiting, durable=False)
            waiting.clear()

    def _noted(self, file: str) -> Iterator[tuple[str, str]]:
        return ((note.path, note.word) for note in merged((self._notes[file],), _Note))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
