"""Whether files of several artifacts can stand side by side, told in about 16 bytes a file: digests first, and paths
only where those say that two meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

from datafetch.errors import UnsafeArchive
from datafetch.foldnames import fold
from datafetch.layout.digests import Digests
from datafetch.layout.names import meeting

Named = Callable[[], Iterator[tuple[str, str]]]  # artifact and path of each file, anew each time it is called
_REMEMBERED = 10_000  # folders that are not looked at again


class Folders:
    """Gives each folder above paths once, or now and then once more."""

    def __init__(self) -> None:
        self._last = ""
        self._known: set[str] = set()

    def above(self, path: str) -> Iterator[str]:
        """Those above a path that did not come before."""
        above = path.rpartition("/")[0]
        if above == self._last:
            return
        self._last = above
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        while above and above not in self._known:
            self._known.add(above)
            yield above
            above = above.rpartition("/")[0]


class Paths:
    """Files, and the folders above them, as they are spelled."""

    def __init__(self) -> None:
        self.files, self.folders = Digests(), Digests()
        self._above = Folders()

    def add(self, path: str) -> None:
        self.files.add(path)
        for folder in self._above.above(path):
            self.folders.add(folder)


class Beside:
    """All files of the artifacts that are to be published together, letter case and Unicode form aside."""

    def __init__(self) -> None:
        self._files = Digests()
        self._folders = Digests(self._files)
        self._spelled = Digests(self._files)
        self._above = Folders()
        self._count = 0

    def add(self, path: str) -> None:
        self._count += 1
        self._files.add(fold(path))
        for folder in self._above.above(path):
            self._folders.add(fold(folder))
            self._spelled.add(folder)

    def refuse_meeting(self, named: Named) -> None:
        """UnsafeArchive when two of the files cannot stand side by side; `named` gives all that were added, again."""
        twice = self._files.twice(self._folders)
        # A folder that is spelled in two ways has two digests as spelled, and one without case.
        if not twice and len(self._folders) == len(self._spelled):
            return
        first: dict[str, str] = {}  # path -> artifact, of what may meet
        folders: dict[str, None] = {}
        above = Folders()
        for artifact, path in named():
            folders.update(dict.fromkeys(above.above(path)))
            if fold(path) not in twice:
                continue
            if path in first:
                raise UnsafeArchive(f"{first[path]} and {artifact} both bring {path}")
            first[path] = artifact
        if pair := meeting(first, folders):
            raise UnsafeArchive(str(pair))

    def refuse_others(self, named: Named, folder: str, others: Iterable[str]) -> None:
        """UnsafeArchive when a file cannot stand beside one of the `others` below `folder`.

        Those are not compared with each other: what was published so long ago harms nobody now.
        """
        below, above = f"{folder}/", Folders()
        for other in others:
            if other.startswith(below) and self._meets(other, above):
                for artifact, path in named():
                    if exclude_each_other(path, other):
                        raise UnsafeArchive(
                            f"{artifact}: {path} cannot stand beside {other}, published by another artifact",
                            hint="choose another folder with -o: the two do not fit into one",
                        )

    def _meets(self, other: str, above: Folders) -> bool:
        folded = fold(other)
        if folded in self._files or folded in self._folders:
            return True
        for folder in above.above(other):
            folded = fold(folder)
            if folded in self._files or (folded in self._folders and folder not in self._spelled):
                return True
        return False


def exclude_each_other(one: str, other: str) -> bool:
    """Whether two files cannot stand side by side: they are one, one would be a folder of the other, or a folder of
    both is spelled in two ways that differ in letter case or Unicode form only.
    """
    for mine, theirs in zip_longest(one.split("/"), other.split("/")):
        if mine is None or theirs is None:
            return True
        if mine != theirs:
            return fold(mine) == fold(theirs)
    return True
