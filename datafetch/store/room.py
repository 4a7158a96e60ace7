"""Room on a file system: how much there is, and setting it aside for a file."""

from __future__ import annotations

import os
import sys
from errno import EINVAL, ENOSYS, EOPNOTSUPP
from pathlib import Path

from datafetch.store.faults import user_errors


def free_space(path: Path) -> tuple[int, int]:
    """Bytes and inodes still to be had where `path` is or will be; 2**63 where inodes are not counted."""
    with user_errors(path):
        while not path.exists() and path != path.parent:
            path = path.parent
        stats = os.statvfs(path)
        return stats.f_bavail * stats.f_frsize, stats.f_favail if stats.f_files else 2**63


def taken(path: Path) -> int:
    """Bytes of the file system that a file has, written or set aside for it; 0 when it is absent."""
    try:
        return os.stat(path, follow_symlinks=False).st_blocks * 512
    except FileNotFoundError:
        return 0


def reserve(fd: int, size: int) -> None:
    """Sets room for `size` bytes of an open file aside, where the file system can; what it holds stays.

    Raises OSError when there is no room. Not os.posix_fallocate: where the file system has no such call, that
    one writes into every block, which takes hours for 150 GB.
    """
    if sys.platform != "linux":
        return
    import ctypes  # here, because start-up must not pay for it

    libc = ctypes.CDLL(None, use_errno=True)
    call = libc.fallocate64 if hasattr(libc, "fallocate64") else libc.fallocate
    if call(fd, 0, ctypes.c_int64(0), ctypes.c_int64(size)) != 0:
        code = ctypes.get_errno()
        if code not in (EOPNOTSUPP, ENOSYS, EINVAL):
            raise OSError(code, os.strerror(code))
