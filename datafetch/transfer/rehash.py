"""Digests of what stands on the disk already, read from there; blocks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

_READ = 1 << 20


def digests_of(fd: int, size: int, algorithms: Iterable[str]) -> dict[str, str]:
    """Those of the first `size` bytes, by algorithm. Raises OSError, also when there are not as many."""
    made = {name: hashlib.new(name) for name in algorithms}
    at = 0
    while at < size:
        data = os.pread(fd, min(_READ, size - at), at)
        if not data:
            raise OSError("the file became shorter while it was read")
        for digest in made.values():
            digest.update(data)
        at += len(data)
    return {name: digest.hexdigest() for name, digest in made.items()}


def holds(path: Path, size: int, sha256: str) -> bool:
    """Whether a plain file of that size and SHA-256 stands there."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.fstat(fd).st_size == size and digests_of(fd, size, ("sha256",))["sha256"] == sha256
    except OSError:
        return False
    finally:
        os.close(fd)
