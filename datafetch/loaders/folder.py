"""One folder as it stands: its names, sorted into files, folders and whatever else; nothing outside is looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from datafetch.loaders.found import Findings
from datafetch.loaders.rules import Kind


@dataclass(slots=True)
class Listing:
    """The names in one folder, each in order. A link to a file inside of the root counts as that file."""

    files: list[tuple[str, int]] = field(default_factory=list)  # name, bytes
    folders: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)  # to folders, or out of the root: not followed


def listed(root: str, below: str, found: Findings) -> Listing:
    """What stands in `root/below`; `root` is a real path. What cannot be read or used is a finding, never an error."""
    result = Listing()
    try:
        with os.scandir(os.path.join(root, below)) as entries:
            each = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        found.add(Kind.UNREADABLE, f"{below}/", _said(error))
        return result
    for entry in each:
        path = joined(below, entry.name)
        try:
            if entry.is_symlink():
                _link(root, path, entry, result, found)
            elif entry.is_dir(follow_symlinks=False):
                result.folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                result.files.append((entry.name, entry.stat(follow_symlinks=False).st_size))
            else:
                found.add(Kind.DEVICE, path)
        except OSError as error:
            found.add(Kind.UNREADABLE, path, _said(error))
    return result


def _link(root: str, path: str, entry: os.DirEntry[str], result: Listing, found: Findings) -> None:
    """A link is followed to a file inside of the root; a folder behind one could hold the root itself."""
    leads = os.path.realpath(os.path.join(root, path))
    inside = leads.startswith(f"{root}/")
    try:
        mode = os.stat(leads) if inside else os.lstat(leads)
    except FileNotFoundError:
        found.add(Kind.DANGLING, path)
        return
    if inside and stat.S_ISREG(mode.st_mode):
        result.files.append((entry.name, mode.st_size))
    else:
        result.links.append(entry.name)


def files_below(root: str, below: str, found: Findings) -> Iterator[tuple[str, int]]:
    """(path below the folder `below`, bytes) of every file in it and in the folders below, in order."""
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        here = listed(root, joined(below, inner), found)
        for name, size in here.files:
            yield joined(inner, name), size
        for name in here.links:
            found.add(Kind.LINK, joined(below, joined(inner, name)))
        waiting += [joined(inner, name) for name in reversed(here.folders)]


def joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
