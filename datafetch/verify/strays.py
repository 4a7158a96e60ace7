"""What stands in the folders of a dataset and in no line of its manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from datafetch.store.faults import read_errors
from datafetch.verify.findings import EXTRA, Finding, Findings, encoded
from datafetch.verify.survey import Survey

_BATCH = 10_000  # findings that are held, and sorted
_LOOK = 5_000  # entries of a folder between two looks at whether to stop

FILE, FOLDER = (
    "not in the manifest; loaders may take it for data",
    "a folder that the manifest knows nothing of; loaders may take it for a class",
)


def find_strays(root: Path, known: Survey, found: Findings, go_on: Callable[[], None]) -> None:
    """Add each file, link or the like that is not of the dataset, and each folder that is not and holds none.

    Nothing is followed and nothing is opened but folders. Raises NoRoom for a folder that cannot be read; what
    `go_on` raises.
    """
    each = _strays(root, known, go_on)
    while some := list(islice(each, _BATCH)):
        some.sort(key=lambda finding: finding.path)
        found.add(b"".join(map(encoded, some)), Counter({EXTRA: len(some)}))


def _strays(root: Path, known: Survey, go_on: Callable[[], None]) -> Iterator[Finding]:
    waiting = []
    for top in reversed(known.tops):
        if (root / top).is_symlink():
            yield Finding(shown(top), EXTRA, FILE)
        else:
            waiting.append(top)
    while waiting:
        folder = waiting.pop()
        go_on()
        below, empty = [], True
        path = f"{root}/{folder}"
        with read_errors(path):
            try:
                entries = os.scandir(path)
            except (FileNotFoundError, NotADirectoryError):  # told of as what is missing
                continue
            with entries:
                for count, entry in enumerate(entries, 1):
                    empty = False
                    name = f"{folder}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        below.append(name)
                    elif name not in known.paths:
                        yield Finding(shown(name), EXTRA, FILE)
                    if not count % _LOOK:
                        go_on()
        if empty and folder not in known.folders and folder not in known.paths:
            yield Finding(shown(folder), EXTRA, FOLDER)
        waiting += sorted(below, reverse=True)


def shown(path: str) -> str:
    """A path that can be written and printed: bytes that are no text, and what would move a cursor, escaped."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
