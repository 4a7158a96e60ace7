"""A file of the user's taken into a tree without a second copy of its bytes, where the file system can."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from datafetch.errors import Interrupted
from datafetch.store.flags import READ
from datafetch.store.tree import Tree

FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file until one of them is written
CHUNK = 1 << 20


def take(file: Path, tree: Tree, target: str, *, link: bool, stop: Callable[[], bool]) -> tuple[int, str]:
    """Makes `target` hold what `file` holds: its blocks shared, else with `link` a second name of it, else a copy.

    (size, SHA-256) of what stands there then. Not durable yet. Raises OSError, and Interrupted once `stop` turns
    true. The user's file is only read.
    """
    fd = os.open(file, READ)
    try:
        out = tree.create(target)
        try:
            if _clone(fd, out):
                return _digest_of(tree, target, stop)
            if not link:
                return _digest(fd, out, stop)
        finally:
            os.close(out)
        tree.remove(target)
        folder, _, name = target.rpartition("/")
        with suppress(OSError):  # another file system, or one without second names
            os.link(file, name, dst_dir_fd=tree.makedirs(folder), follow_symlinks=False)
            found, meant = os.lstat(file), os.fstat(fd)
            if (found.st_ino, found.st_dev) == (meant.st_ino, meant.st_dev):
                return _digest(fd, None, stop)
        tree.remove(target)
        out = tree.create(target)
        try:
            return _digest(fd, out, stop)
        finally:
            os.close(out)
    finally:
        os.close(fd)


def _digest_of(tree: Tree, target: str, stop: Callable[[], bool]) -> tuple[int, str]:
    """Of what stands there, not of the file it was made from: somebody may write to that meanwhile."""
    fd = tree.read(target)
    try:
        return _digest(fd, None, stop)
    finally:
        os.close(fd)


def _clone(fd: int, out: int) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(out, FICLONE, fd)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        return False
    return True


def _digest(fd: int, out: int | None, stop: Callable[[], bool]) -> tuple[int, str]:
    """Reads the file once, and writes it to `out` on the way."""
    digest, size = hashlib.sha256(), 0
    while data := os.read(fd, CHUNK):
        if stop():
            raise Interrupted("stopped while copying", "run the same command again")
        digest.update(data)
        if out is not None:
            view = memoryview(data)
            while view:
                view = view[os.write(out, view) :]
        size += len(data)
    return size, digest.hexdigest()
