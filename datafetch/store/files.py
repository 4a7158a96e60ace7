"""The only code that writes to disk: atomic files, folders made and removed, no link followed.

Functions that take a `Path` raise what `as_user_error` makes of an OSError. `Tree` and those that take a
descriptor sit in hot loops and raise the OSError itself: wrap the loop in `user_errors`.
"""

from __future__ import annotations

import errno
import glob
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from datafetch.errors import DatafetchError
from datafetch.store.durable import sync_dir, sync_fd, sync_files, sync_folder_fd, sync_tree
from datafetch.store.faults import as_user_error, refuse_links, user_errors
from datafetch.store.flags import FILE_MODE, FOLDER, FOLDER_MODE, MAX_DEPTH, NEW, READ
from datafetch.store.tree import Tree

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

LEFT_OVER = 3600.0  # seconds after which a temporary file of `write_apart` is nobody's any more


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
