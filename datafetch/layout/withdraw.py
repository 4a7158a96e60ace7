"""Published files taken out of their folders again, if they still are what was published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from datafetch.layout.manifest import Line
from datafetch.store.files import Tree, user_errors


def remove_ours(root: Path, records: Iterable[Line]) -> None:
    """Remove the files of these records. One with other bytes than its record says is somebody's, and stays.

    May be called again: an absent file is fine.
    """
    with user_errors(root), Tree(root) as tree:
        for record in records:
            if tree.size(record.path) == record.size and _digest(tree, record.path) == record.sha256:
                tree.remove(record.path)


def _digest(tree: Tree, path: str) -> str:
    with open(tree.read(path), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
