"""The staging folder of a list: files put there whole, read back for rows that repeat an address, and
counted.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from datafetch.store.files import Tree, make_folder, remove_entry, sync_files, user_errors

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
# Faults of one path, not of the disk: this row cannot have the name its list gives it, the others can.
OF_THE_NAME = frozenset(
    (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EILSEQ, errno.EINVAL)
)


class Staged:
    """Files of one artifact below `folder`, by their published paths. `published` are roots looked at as
    well.
    """

    def __init__(self, folder: Path, published: Sequence[Path] = ()) -> None:
        make_folder(folder)
        self._folder = folder
        self._roots = tuple(f"{root}/" for root in (folder, *published))
        self._tree = Tree(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tree.close()

    def put(self, path: str, data: bytes) -> bool:
        """Give `path` this content, in place of what an interrupted run left. Not durable before `sync`.

        False when no file can have this name; NoRoom and its like for faults of the disk.
        """
        with user_errors(f"{self._folder}/{path}"):
            try:
                self._write(path, data)
            except OSError as error:
                if error.errno in OF_THE_NAME:
                    return False
                with suppress(OSError):
                    self._remove(path)
                raise
        return True

    def remove(self, path: str) -> None:
        """Forget a file that an interrupted run left for a row that ends without one; absent is fine."""
        with user_errors(f"{self._folder}/{path}"):
            try:
                self._remove(path)
            except OSError as error:
                if error.errno not in OF_THE_NAME:
                    raise

    def has(self, path: str, size: int) -> bool:
        """Whether a file of this size stands at `path`, staged or published; links do not count.

        What is staged decides where both stand: it is what will be published.
        """
        for root in self._roots:
            with suppress(OSError):
                found = os.stat(root + path, follow_symlinks=False)
                return stat.S_ISREG(found.st_mode) and found.st_size == size
        return False

    def proves(self, path: str, sha256: str) -> bool:
        """Whether a staged file has this digest; it is read whole."""
        with suppress(OSError), open(os.open(self._roots[0] + path, READ), "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        return False

    def read(self, path: str) -> bytes | None:
        """The content of a file, staged or published; None when there is none."""
        for root in self._roots:
            with suppress(OSError), open(os.open(root + path, READ), "rb") as file:
                return file.read()
        return None

    def sync(self, paths: Collection[str]) -> None:
        """Make what was put at these paths durable. May run in another thread than the rest."""
        sync_files(self._folder, paths)

    def _write(self, path: str, data: bytes) -> None:
        try:
            fd = self._tree.create(path)
        except FileExistsError:
            self._remove(path)
            fd = self._tree.create(path)
        try:  # no file object: it would ask the system what the descriptor is, once for each picture
            written = os.write(fd, data)
            while written < len(data):
                written += os.write(fd, memoryview(data)[written:])
        finally:
            os.close(fd)

    def _remove(self, path: str) -> None:
        above, _, name = path.rpartition("/")
        try:
            folder = self._tree.folder(above)
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        # A folder may stand here when one row's path is the beginning of another's: those files are not ours
        # to drop.
        if not stat.S_ISDIR(found.st_mode):
            remove_entry(folder, name)


def stands(folder: Path, path: str) -> bool:
    """Whether a plain file stands at `path` below `folder`."""
    try:
        return stat.S_ISREG(os.stat(folder / path, follow_symlinks=False).st_mode)
    except OSError:
        return False
