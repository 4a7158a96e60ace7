"""One path for each row, which stays one on file systems that ignore letter case and Unicode form. Pure."""

from __future__ import annotations

from datafetch.foldnames import fold
from datafetch.images.fill import suffixed
from datafetch.images.index import Index

FOLDERS = 1000  # remembered in full; a list may name one for each of its rows


class Paths:
    """The paths that a list has given out so far. Its rows must come in order, each with its own number."""

    def __init__(self, key: bytes = b"") -> None:
        self._taken = Index(key)  # folded path -> the row that owns it
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
        return self._claim(here + slash + name, number, url)

    def _folder(self, folder: str, number: int) -> str:
        here = ""
        for part in folder.split("/"):
            spelled = f"{here}/{part}" if here else part
            here = self._claim(spelled, self._spelled.first(spelled, number), spelled)
        return here

    def _claim(self, path: str, owner: int, key: str) -> str:
        wanted, attempt = path, 0
        while self._taken.first(_folded(wanted), owner) != owner:
            wanted = suffixed(path, key + (f"#{attempt}" if attempt else ""))
            attempt += 1
        return wanted


def _folded(path: str) -> str:
    return "/".join(map(fold, path.split("/")))
