"""One path for each row, which stays one on file systems that ignore letter case and Unicode form. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from datafetch.foldnames import fold
from datafetch.images.fill import suffixed
from datafetch.images.index import Index, Seen

FOLDERS = 1000  # remembered in full; a list may name one for each of its rows


class Paths:
    """The paths that a list has given out so far. Its rows must come in order, each with its own number."""

    def __init__(self, key: bytes = b"") -> None:
        self._files = Seen(key)  # folded
        self._folders = Index(key)  # folded -> the row that named it first
        self._spelled = Index(key)  # folder as the list spells it -> the row that named it first
        self._lately: dict[str, str] = {"": ""}  # folder as its row wants it -> its path here

    def own(self, path: str, number: int, url: str) -> str:
        """`path`; or with a suffix to every part of it that an earlier row spells differently or has.

        A folder's suffix follows from its spelling alone, so that its rows stay together; a file's from
        `url`.
        """
        folder, slash, name = path.rpartition("/")
        here = self._lately.get(folder)
        if here is None:
            if len(self._lately) >= FOLDERS:
                self._lately.clear()
            here = self._lately[folder] = self._folder(folder, number) if folder else ""
        return _free(here + slash + name, url, self._takes_file)

    def _folder(self, folder: str, number: int) -> str:
        here = ""
        for part in folder.split("/"):
            spelled = f"{here}/{part}" if here else part
            owner = self._spelled.first(spelled, number)
            here = _free(spelled, spelled, partial(self._takes_folder, owner))
        return here

    def _takes_file(self, path: str) -> bool:
        if self._folders and self._folders.get(path):
            return False
        return self._files.add(path)

    def _takes_folder(self, owner: int, path: str) -> bool:
        return path not in self._files and self._folders.first(path, owner) == owner


def _free(path: str, key: str, takes: Callable[[str], bool]) -> str:
    """`path`, or with the first suffix of `key` that is free: that `takes`, folded."""
    wanted, attempt = path, 0
    while not takes(_folded(wanted)):
        wanted = suffixed(path, key + (f"#{attempt}" if attempt else ""))
        attempt += 1
    return wanted


def _folded(path: str) -> str:
    # Of ASCII the parts need no look of their own.
    return path.lower() if path.isascii() else "/".join(map(fold, path.split("/")))
