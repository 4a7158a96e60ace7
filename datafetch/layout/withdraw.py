"""Published files taken out of their folders again, if they still are what was published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from datafetch.layout.manifest import Line
from datafetch.store.files import Tree, user_errors


def remove_ours(root: Path, records: Iterable[Line]) -> None:
    """Remove the files of these records, and folders that this leaves empty: loaders would take each for a class.

    One with other bytes than its record says is somebody's, and stays. May be called again: an absent file is fine.
    """
    folders = set[str]()
    with user_errors(root), Tree(root) as tree:
        for record in records:
            if tree.size(record.path) == record.size and _digest(tree, record.path) == record.sha256:
                tree.remove(record.path)
            folders.add(record.path.rpartition("/")[0])
        for folder in sorted(folders, reverse=True):  # the deepest first
            while "/" in folder and tree.remove_empty(folder):  # the dataset's own folder stays
                folder = folder.rpartition("/")[0]


def _digest(tree: Tree, path: str) -> str:
    with open(tree.read(path), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
