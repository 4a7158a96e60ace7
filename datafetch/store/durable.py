"""Waiting until what was written survives a power cut: a file, a folder, a whole tree."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from datafetch.store.faults import user_errors

FEW = 64  # files up to which fsync of each beats one syncfs of the whole file system


def sync_fd(fd: int) -> None:
    """Wait until what was written through `fd` survives a power cut."""
    if sys.platform == "darwin":  # there, fsync leaves the bytes in the drive's own cache
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
    os.fsync(fd)


def sync_folder_fd(fd: int) -> None:
    """`sync_fd` of an open folder; some network file systems have no such call, and need none."""
    try:
        sync_fd(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def sync_dir(path: Path) -> None:
    """Make the entries of one folder durable."""
    with user_errors(path):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_folder_fd(fd)
        finally:
            os.close(fd)


def sync_tree(root: Path) -> None:
    """Make every file and folder below `root` durable, and `root` itself; links are left alone."""
    with user_errors(root):
        files = _files_below(root)
        if len(list(islice(files, FEW + 1))) > FEW and _syncfs(root):
            return
        for path in _files_below(root):
            # Read-only is enough for fsync, and works on files whose mode forbids writing.
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                sync_fd(fd)
            finally:
                os.close(fd)
        for folder, _, _ in os.walk(root, onerror=_raise):
            sync_dir(Path(folder))


def sync_files(root: Path, paths: Collection[str]) -> None:
    """Make the files at these paths below `root` durable, and the folders that lead to them; links are not followed.

    What else is below `root` costs nothing: to be called often while a tree grows.
    """
    with user_errors(root):
        if len(paths) > FEW and _syncfs(root):
            return
        folders = {""}
        for path in paths:
            fd = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                sync_fd(fd)
            finally:
                os.close(fd)
            while (path := path.rpartition("/")[0]) and path not in folders:
                folders.add(path)
    for folder in folders:
        sync_dir(root / folder)


def _files_below(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root, onerror=_raise):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                yield path


def _raise(error: OSError) -> None:
    raise error


def _syncfs(root: Path) -> bool:
    """One call for a whole file system: one wait for 50,000 files. False where there is no such call."""
    if sys.platform != "linux":
        return False
    import ctypes  # here, because start-up must not pay for it

    try:
        libc = ctypes.CDLL(None, use_errno=True)
        syncfs = libc.syncfs
    except (OSError, AttributeError):
        return False
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(fd) == 0:
            return True
        code = ctypes.get_errno()
    finally:
        os.close(fd)
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code), str(root))
