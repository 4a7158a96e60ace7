"""Which of a million names meet, in eight bytes a name: keys first, and names only for keys that come twice."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

from datafetch.foldnames import fold
from datafetch.layout.names import Meeting, meeting


def _key(path: str) -> int:
    folded = fold(path).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(folded, digest_size=8).digest(), "little")


class Crowd:
    """Takes paths in; `meeting` says whether two of them cannot stand side by side, as `layout.names` has it."""

    def __init__(self) -> None:
        self._files = array("Q")
        self._folders: dict[str, int] = {}  # as spelled -> key; they are few

    def add(self, file: str) -> None:
        self._files.append(_key(file))
        self.add_folder(file.rpartition("/")[0])

    def add_folder(self, folder: str) -> None:
        while folder and folder not in self._folders:
            self._folders[folder] = _key(folder)
            folder = folder.rpartition("/")[0]

    def meeting(self, files: Callable[[], Iterable[str]]) -> Meeting | None:
        """The first two that meet. `files` gives all that were added, again; it is asked for only at need."""
        twice = set(self._twice())
        if not twice:
            return None
        folders = [folder for folder, key in self._folders.items() if key in twice]
        return meeting((file for file in files() if _key(file) in twice), folders)

    def _twice(self) -> Iterator[int]:
        before = -1
        for key in sorted((*self._files, *self._folders.values())):
            if key == before:
                yield key
            before = key
