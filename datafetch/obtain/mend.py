"""A published file that is damaged becomes a part that lacks what is damaged: only that is fetched again.

What is right of it is told by the CRC-32 of its grains, which the journal has since it was fetched. They need prove
nothing: like every file, it is whole when its digest says so.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

from datafetch.model import Artifact
from datafetch.store import journal
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree, make_folder, new_file, sync_fd
from datafetch.store.home import Home
from datafetch.store.machine import boot_id

_CHUNK = 1 << 20


def seed(home: Home, artifact: Artifact, only: frozenset[str]) -> None:
    """Where `only` is the one published file of an artifact, make what is right of it the artifact's part.

    Nothing is done for what has to be unpacked, for a part that is there already, and for files that are gone or of
    which too little is known. May be called again after any end. Raises NoRoom.
    """
    part = home.part(artifact.name)
    known = journal.known(home.journal(artifact.name))
    if artifact.unpack or len(only) != 1 or known.grains is None or part.exists() or known.part is not None:
        return
    grains = known.grains
    total = grains.pieces[-1][1]
    try:
        with Tree(home.root) as tree:
            source = tree.read(next(iter(only)))
    except (OSError, ValueError):  # it is gone, or something else stands there
        return
    make_folder(part.parent)
    with user_errors(part):
        try:
            folder = os.open(part.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                out = new_file(folder, part.name)
            finally:
                os.close(folder)
            try:
                os.ftruncate(out, total)
                right = tuple(piece for piece in grains.pieces if _copy(source, out, *piece))
                sync_fd(out)
            finally:
                os.close(out)
        finally:
            os.close(source)
    with journal.Journal(home.journal(artifact.name)) as rows:
        told = (grains.url, grains.etag, grains.last_modified, total, boot_id(), right, (grains.source,))
        rows.append(journal.Part(*told))


def _copy(source: int, out: int, start: int, end: int, crc: int) -> bool:
    """Whether this piece is as it was; if so it stands in both."""
    found = 0
    for data in _read(source, start, end):
        found = zlib.crc32(data, found)
    if found != crc:
        return False
    for data in _read(source, start, end):
        os.pwrite(out, data, start)
        start += len(data)
    return start == end


def _read(fd: int, start: int, end: int) -> Iterator[bytes]:
    while start < end and (data := os.pread(fd, min(_CHUNK, end - start), start)):
        yield data
        start += len(data)
