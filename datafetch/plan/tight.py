"""When an archive is better unpacked while it arrives. Pure."""

from __future__ import annotations


def too_tight(archive: int | None, tree: int | None, free: int) -> bool:
    """Whether an archive and what it unpacks to do not fit side by side into `free` bytes.

    A tree of unknown size is taken for as large as its archive, as images hardly compress. Of an archive of unknown
    size nothing can be said: False.
    """
    if archive is None:
        return False
    return archive + (archive if tree is None else tree) > free
