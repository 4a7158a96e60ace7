"""Globs over paths: `*` stays inside a folder, `**` is any number of folders. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def path_fits(path: Sequence[str], glob: Sequence[str]) -> bool:
    """Whether the glob matches the path or a folder above it, both given by their segments."""
    if not glob:
        return True
    if glob[0] == "**":
        return any(path_fits(path[start:], glob[1:]) for start in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], glob[0]) and path_fits(path[1:], glob[1:])


def fits(path: str, glob: str) -> bool:
    """The same of texts; a glob without a slash is of the last segment."""
    if "/" not in glob:
        return fnmatchcase(path.rpartition("/")[2], glob)
    return path_fits(path.split("/"), glob.strip("/").split("/"))
