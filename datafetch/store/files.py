"""The only code that writes to disk: atomic files, and folders in which no link is ever followed.

Functions that take a `Path` raise what `as_user_error` makes of an OSError. `Tree` and those that take a
descriptor sit in hot loops and raise the OSError itself: wrap the loop in `user_errors`.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from datafetch.errors import DatafetchError
from datafetch.store.closing import Closing
from datafetch.store.durable import sync_dir, sync_fd, sync_files, sync_folder_fd, sync_tree
from datafetch.store.faults import as_user_error, refuse_links, user_errors

__all__ = (  # what other stations may use, wherever in the store it is written
    "Tree",
    "append_file",
    "as_user_error",
    "atomic_file",
    "atomic_path",
    "make_folder",
    "nameless_file",
    "new_file",
    "refuse_links",
    "remove_entry",
    "remove_tree",
    "sync_dir",
    "sync_fd",
    "sync_files",
    "sync_folder_fd",
    "sync_tree",
    "user_errors",
    "write_apart",
    "write_atomic",
)

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_MODE, FOLDER_MODE = 0o644, 0o755

LEFT_OVER = 3600.0  # seconds after which a temporary file of `write_apart` is nobody's any more

# Removal and merging recurse once per level, with two open folders each.
MAX_DEPTH = 64
KEPT_FOLDERS = 64  # open folders a Tree remembers


# --- Files and folders --------------------------------------------------------------------------------------


def new_file(dir_fd: int, name: str) -> int:
    """Descriptor for writing a file that did not exist before; FileExistsError otherwise, links included."""
    return os.open(name, NEW, FILE_MODE, dir_fd=dir_fd)


def nameless_file(folder: Path) -> BinaryIO:
    """A file to write and read in a folder that exists; it is gone with its descriptor, whatever becomes of us."""
    with user_errors(folder):
        return tempfile.TemporaryFile(dir=folder)


def append_file(path: Path) -> BinaryIO:
    """A file to add to, made when it is absent; a link is refused. What is written is the system's at once."""
    with user_errors(path):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return open(os.open(path, flags, FILE_MODE), "ab", buffering=0)


def make_folder(path: Path) -> None:
    """Create a folder and those above it, durably; one that exists is fine.

    Another thread may remove an empty folder above it at that moment: then it is made again.
    """
    for _ in range(MAX_DEPTH):
        try:
            _make_folder(path)
            return
        except DatafetchError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
    _make_folder(path)


def _make_folder(path: Path) -> None:
    with user_errors(path):
        missing = []
        above = path
        while not above.is_dir():
            missing.append(above)
            if above == above.parent:
                break
            above = above.parent
        for folder in reversed(missing):
            with suppress(FileExistsError):
                os.mkdir(folder, FOLDER_MODE)
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
            sync_dir(folder.parent)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its name, durably, when the block ends well; else nothing of it stays.

    The folders above are made. The temporary file has one name per target, so that the next write removes
    what a killed run left; keeping two writers off one path is the lease's business.
    """
    with _replacing(path) as (_, fd), open(fd, "wb") as file:
        yield file
        file.flush()
        sync_fd(fd)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """As `atomic_file`, for a library that opens the file itself: the path to write to, empty now."""
    with _replacing(path) as (temp, fd):
        os.close(fd)
        yield temp
        written = os.open(temp, READ)
        try:
            sync_fd(written)
        finally:
            os.close(written)


@contextmanager
def _replacing(path: Path) -> Iterator[tuple[Path, int]]:
    """A new file beside `path` and its descriptor, which the block closes; it takes the name of `path` at the end."""
    make_folder(path.parent)
    temp = path.with_name(f".{path.name}.tmp")
    with user_errors(path):
        try:
            fd = os.open(temp, NEW, FILE_MODE)
        except FileExistsError:
            os.unlink(temp)
            fd = os.open(temp, NEW, FILE_MODE)
        try:
            yield temp, fd
            os.replace(temp, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp)
            raise
        sync_dir(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Give `path` this content durably; a reader sees the old file or the new one, whole."""
    with atomic_file(path) as file:
        file.write(data)


def write_apart(path: Path, data: bytes) -> None:
    """As `write_atomic`, where no lease keeps other writers off `path`: the last of them counts.

    What a killed one left beside it goes with a later write, once it is old.
    """
    temp = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    with user_errors(path):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*-*.tmp"):
            with suppress(OSError):
                if time.time() - left.lstat().st_mtime > LEFT_OVER:
                    os.unlink(left)
        with suppress(FileNotFoundError):
            os.unlink(temp)
        fd = os.open(temp, NEW, FILE_MODE)
        try:
            with open(fd, "wb") as file:
                file.write(data)
                file.flush()
                sync_fd(fd)
            os.replace(temp, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp)
            raise
        sync_dir(path.parent)


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a folder with all in it; links are removed, not followed. Absent is fine."""
    with user_errors(path):
        try:
            parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            remove_entry(parent, path.name)
        finally:
            os.close(parent)


def remove_entry(dir_fd: int, name: str) -> None:
    """`remove_tree` of one name in an open folder; raises OSError."""
    try:
        fd = os.open(name, FOLDER, dir_fd=dir_fd)
    except FileNotFoundError:
        return
    except NotADirectoryError:  # a file, or a link (Linux)
        os.unlink(name, dir_fd=dir_fd)
        return
    except OSError as error:
        if error.errno != errno.ELOOP:  # a link (macOS)
            raise
        os.unlink(name, dir_fd=dir_fd)
        return
    try:
        with os.scandir(fd) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for child, is_folder in found:
            if is_folder:
                remove_entry(fd, child)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(child, dir_fd=fd)
    finally:
        os.close(fd)
    with suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=dir_fd)


# --- Folders that never follow a link -----------------------------------------------------------------------


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
        if len(self._open) > KEPT_FOLDERS:
            os.close(self._open.popitem(last=False)[1])
        return fd


def _split(path: str) -> tuple[str, str]:
    folder, slash, name = path.rpartition("/")
    if name in ("", ".", "..") or "\0" in name or (slash and not folder):
        raise ValueError(f"not a safe file name: {path!r}")
    return folder, name
