"""Which pictures are for testing, where nothing says it: a share of each class, the same on every machine. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import groupby

from datafetch.own.sorting import File


def for_testing(files: Iterable[File], share: float, seed: int) -> frozenset[str]:
    """The paths of those that go to `test`: of each class the share (0 to 1), rounded, by the order of the SHA-256 of
    `seed:path`. A class of two or more pictures has one at least on either side.

    What is chosen of a class depends on nothing but its own paths.
    """
    chosen: set[str] = set()
    for _, group in groupby(sorted(files, key=lambda file: (file.label, file.path)), lambda file: file.label):
        paths = [file.path for file in group]
        count = round(share * len(paths))
        if share and len(paths) > 1:
            count = min(max(count, 1), len(paths) - (share < 1))
        chosen.update(sorted(paths, key=lambda path: _draw(seed, path))[:count])
    return frozenset(chosen)


def _draw(seed: int, path: str) -> bytes:
    return hashlib.sha256(f"{seed}:{path}".encode("utf-8", "surrogateescape")).digest()
