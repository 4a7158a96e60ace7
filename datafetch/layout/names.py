"""Finding the paths that cannot stand side by side."""

from __future__ import annotations

from collections.abc import Iterable

from datafetch.foldnames import fold


def meeting(files: Iterable[str], folders: Iterable[str] = ()) -> tuple[str, str] | None:
    """The first two paths that cannot stand side by side, or None.

    Two files meet when they fold to one path, two folders when they fold to one path but are spelled
    differently, and a file meets a folder of the same folded path. Parents of every path count as folders.
    """
    seen_folders: dict[str, str] = {}  # folded -> as spelled
    folded: dict[str, str] = {"": ""}  # spelled folder -> folded

    def enter(folder: str) -> str | None:
        """The other spelling of this folder or of one above it, if there is one."""
        if folder in folded:
            return None
        parent, _, last = folder.rpartition("/")
        other = enter(parent)
        if other is not None:
            return other
        key = f"{folded[parent]}/{fold(last)}"
        folded[folder] = key
        first = seen_folders.setdefault(key, folder)
        return None if first == folder else first

    for folder in folders:
        if (other := enter(folder)) is not None:
            return other, folder
    seen: dict[str, str] = {}
    for path in files:
        parent, _, last = path.rpartition("/")
        if parent not in folded and (other := enter(parent)) is not None:
            return other, path
        key = f"{folded[parent]}/{fold(last)}"
        if key in seen:
            return seen[key], path
        seen[key] = path
    for key in seen.keys() & seen_folders.keys():
        return seen[key], seen_folders[key]
    return None
