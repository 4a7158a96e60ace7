"""One member into one new file, hashed on its way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress

from datafetch.archive.members import Chunk
from datafetch.errors import UnsafeArchive
from datafetch.store.files import Tree


def write_new(tree: Tree, path: str, chunks: Iterable[Chunk]) -> tuple[int, str]:
    """Size and SHA-256 of the file, which did not exist before; OSError."""
    return _fill(tree.create(path), chunks)


def write_over(tree: Tree, path: str, chunks: Iterable[Chunk]) -> tuple[int, str]:
    """`write_new`, but a file that is there is replaced: it is from before a kill, or a second of its name, which
    the caller refuses later. UnsafeArchive when a folder stands there, or a file where a folder belongs.
    """
    try:
        with suppress(FileExistsError):
            return _fill(tree.create(path), chunks)
        tree.remove(path)
        return _fill(tree.create(path), chunks)
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise UnsafeArchive(f"{path!r} would stand where another member or its folder stands") from error


def _fill(fd: int, chunks: Iterable[Chunk]) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    try:
        for chunk in chunks:
            written = os.write(fd, chunk)
            while written < len(chunk):  # the disk is nearly full, or the chunk beyond 2 GiB
                written += os.write(fd, memoryview(chunk)[written:])
            digest.update(chunk)
            size += written
    finally:
        os.close(fd)
    return size, digest.hexdigest()
