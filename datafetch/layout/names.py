"""Finding the paths that cannot stand side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from datafetch.foldnames import fold


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two paths that cannot stand side by side, and what they are; as text, a clause of an error."""

    first: str
    second: str
    what: Literal["two files", "a file and a folder", "two folders"] = "two files"

    def __str__(self) -> str:
        if self.first == self.second:
            return f"{self.what} have one name, {self.first!r}"
        return f"{self.what}, {self.first!r} and {self.second!r}, have one name, letter case and Unicode form aside"


def meeting(files: Iterable[str], folders: Iterable[str] = ()) -> Meeting | None:
    """The first two paths that cannot stand side by side, or None.

    Two files meet when they fold to one path, two folders when they fold to one path but are spelled
    differently, and a file meets a folder of the same folded path. Parents of every path count as folders.
    """
    seen_folders: dict[str, str] = {}  # folded -> as spelled
    folded: dict[str, str] = {"": ""}  # spelled folder -> folded

    def enter(folder: str) -> Meeting | None:
        """The two spellings of this folder or of one above it, if there are two."""
        if folder in folded:
            return None
        parent, _, last = folder.rpartition("/")
        other = enter(parent)
        if other is not None:
            return other
        key = f"{folded[parent]}/{fold(last)}"
        folded[folder] = key
        first = seen_folders.setdefault(key, folder)
        return None if first == folder else Meeting(first, folder, "two folders")

    for folder in folders:
        if (other := enter(folder)) is not None:
            return other
    seen: dict[str, str] = {}
    for path in files:
        parent, _, last = path.rpartition("/")
        if parent not in folded and (other := enter(parent)) is not None:
            return other
        key = f"{folded[parent]}/{fold(last)}"
        if key in seen:
            return Meeting(seen[key], path)
        seen[key] = path
    for key in seen.keys() & seen_folders.keys():
        return Meeting(seen[key], seen_folders[key], "a file and a folder")
    return None


def meets(met: Meeting, placed: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """What was to stand at the two paths; `placed` are pairs of a path and what stands there. Of a folder, the first
    below it.
    """
    pairs = tuple(placed)
    files = [what for path, what in pairs if path in (met.first, met.second)]
    if met.what == "two files":
        return files[0], files[1]

    def below(folder: str) -> str:
        return next(what for path, what in pairs if path.startswith(f"{folder}/"))

    return (files[0] if met.what == "a file and a folder" else below(met.first)), below(met.second)
