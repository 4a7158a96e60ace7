"""Folders in which no link is ever followed."""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from datafetch.store.closing import Closing
from datafetch.store.flags import FILE_MODE, FOLDER, FOLDER_MODE, MAX_DEPTH, NEW, READ

KEPT = 64  # open folders that are remembered


class Tree(Closing):
    """A root folder, held open, in which paths are made without ever following a link below it.

    Paths are relative, with `/`. One thread per Tree; folders it has seen must not be moved or removed
    while it is in use, because they are remembered. Methods raise OSError (NotADirectoryError or ELOOP when
    a link or file stands where a folder belongs), and ValueError for a path that could leave the root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: OrderedDict[str, int] = OrderedDict()

    def close(self) -> None:
        """Give back every descriptor; may be called twice."""
        while self._open:
            os.close(self._open.popitem()[1])
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def makedirs(self, path: str) -> int:
        """Make the folder and those above it; existing ones are fine.

        What comes back is its descriptor: the Tree's own, good until the next call.
        """
        return self._folder(path, make=True)

    def folder(self, path: str) -> int:
        """Descriptor of an existing folder ("" is the root), good until the next call. FileNotFoundError."""
        return self._folder(path, make=False)

    def create(self, path: str) -> int:
        """Descriptor for writing a new file, its folders made; the caller closes it. Else FileExistsError."""
        folder, name = _split(path)
        return os.open(name, NEW, FILE_MODE, dir_fd=self._folder(folder, make=True))

    def read(self, path: str) -> int:
        """Descriptor for reading a file; the caller closes it."""
        folder, name = _split(path)
        return os.open(name, READ, dir_fd=self._folder(folder, make=False))

    def size(self, path: str) -> int | None:
        """Bytes of a regular file; -1 for a folder, a link or anything else; None when nothing is there."""
        folder, name = _split(path)
        try:
            found = os.stat(name, dir_fd=self._folder(folder, make=False), follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else -1

    def stats(self, paths: Sequence[str]) -> list[os.stat_result | None]:
        """The lstat of each, None where nothing is; quickest where neighbours lie in one folder."""
        found: list[os.stat_result | None] = []
        last, fd = None, -1
        for path in paths:
            folder, name = _split(path)
            try:
                if folder != last:
                    last, fd = None, self._folder(folder, make=False)
                    last = folder
                found.append(os.stat(name, dir_fd=fd, follow_symlinks=False))
            except FileNotFoundError:
                found.append(None)
        return found

    def remove(self, path: str) -> None:
        """Remove a file or a link; absent is fine."""
        folder, name = _split(path)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder(folder, make=False))

    def remove_empty(self, path: str) -> bool:
        """Remove a folder in which nothing is; whether it is gone. What holds something, or is no folder, stays."""
        folder, name = _split(path)
        if (fd := self._open.pop(path, None)) is not None:
            os.close(fd)
        try:
            os.rmdir(name, dir_fd=self._folder(folder, make=False))
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            return False
        return True

    def _folder(self, path: str, make: bool) -> int:
        if not path:
            return self._fd
        fd = self._open.get(path)
        if fd is not None:
            self._open.move_to_end(path)
            return fd
        above, name = _split(path)
        if path.count("/") >= MAX_DEPTH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
        parent = self._folder(above, make)
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, FOLDER_MODE, dir_fd=parent)
        fd = os.open(name, FOLDER, dir_fd=parent)
        self._open[path] = fd
        if len(self._open) > KEPT:
            os.close(self._open.popitem(last=False)[1])
        return fd


def _split(path: str) -> tuple[str, str]:
    folder, slash, name = path.rpartition("/")
    if name in ("", ".", "..") or "\0" in name or (slash and not folder):
        raise ValueError(f"not a safe file name: {path!r}")
    return folder, name
