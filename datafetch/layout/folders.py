"""Which rule a folder of an artifact fits, and so where its members go; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fnmatch import translate

from datafetch.errors import UnsafeArchive
from datafetch.layout.globs import path_fits
from datafetch.layout.patterns import IMAGES
from datafetch.layout.ready import Match, ReadyRule, holds_many
from datafetch.layout.subset import Stand, unruled
from datafetch.model import Artifact

JUNK, UNWANTED, NO_RULE, ELSEWHERE = "junk", "unwanted", "no rule", "picture outside the root"
_JUNK_FOLDER = "__MACOSX"
_JUNK_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_NO_NAMES = frozenset({"", ".", ".."})
# A rule, what its folders captured, and what stands before a file's own name.
_Way = tuple[ReadyRule, Match, str]


class Folders:
    """What is known of each folder: members are many, folders few, so patterns see a folder only once."""

    def __init__(self, artifact: Artifact, ready: tuple[ReadyRule, ...]) -> None:
        self._artifact = artifact
        self._ready = ready
        home = f"{artifact.folder}/"
        self._home = home if ready or not holds_many(artifact) else f"{home}{artifact.name}/"
        anywhere = [translate(glob) for glob in artifact.skip if "/" not in glob]
        self._unwanted = re.compile("|".join(anywhere)).match if anywhere else None
        self._paths = tuple(tuple(glob.split("/")) for glob in artifact.skip if "/" in glob)
        self._skips: dict[str, str] = {"": ""}
        self._ways: dict[str, tuple[_Way, ...]] = {}

    def skips(self, name: str) -> str:
        """Why the name does not enter the tree; "" when it may."""
        folder, _, last = name.rpartition("/")
        reason = self._skips.get(folder)
        if reason is None:
            reason = self._skips[folder] = self.skips(folder)
        if reason:
            return reason
        if last == _JUNK_FOLDER or last in _JUNK_FILES or last.startswith("._"):
            return JUNK
        if self._unwanted is not None and self._unwanted(last):
            return UNWANTED
        if self._paths and any(path_fits(name.split("/"), glob) for glob in self._paths):
            return UNWANTED
        return ""

    def _fitting(self, folder: str) -> tuple[_Way, ...]:
        ways = self._ways.get(folder)
        if ways is None:
            found = ((way, way.match_folder(folder)) for way in self._ready)
            ways = self._ways[folder] = tuple(
                (way, above, self._straight(way, above)) for way, above in found if above is not None
            )
        return ways

    def _straight(self, way: ReadyRule, above: Match) -> str:
        """What is to stand before the names of a folder's files; "" when each must be looked at by itself."""
        try:
            prefix = way.straight % above.captures if way.straight else ""
        except KeyError:
            return ""
        sound = "\0" not in prefix and _NO_NAMES.isdisjoint(prefix[:-1].split("/"))
        return self._home + prefix if prefix and sound else ""

    def choose_root(self, names: Sequence[str]) -> str:
        folders = {name.rpartition("/")[0] for name in names}
        roots = {above.root for folder in folders for way, above, _ in self._fitting(folder) if way.rooted}
        if len(roots) < 2:
            return roots.pop() if roots else ""
        fits: Counter[str] = Counter()
        earliest: dict[str, tuple[int, int]] = {}
        for name in names:
            folder, _, last = name.rpartition("/")
            fitting = set()
            for way, above, _ in self._fitting(folder):
                if way.rooted and above.root not in fitting and way.file.fullmatch(last):
                    fitting.add(above.root)
                    earliest[above.root] = min(earliest.get(above.root, way.order), way.order)
            fits.update(fitting)
        order = sorted(
            fits, key=lambda root: (-fits[root], earliest[root], -root.count("/"), -len(root), root)
        )
        return order[0] if order else ""

    def target(self, name: str, root: str) -> tuple[str, bool, Stand] | None:
        """The path in the manifest, whether its last segment may be numbered, and what tells split and class."""
        folder, _, last = name.rpartition("/")
        if not self._ready:
            path = self._home + self._safe(name, name)
            depth = self._home.count("/") - 1 - self._artifact.folder.count("/")
            return path, holds_many(self._artifact), unruled(path.partition("/")[2], depth)
        for way, above, straight in self._fitting(folder):
            if way.rooted and above.root != root:
                continue
            if straight and last not in _NO_NAMES and "\0" not in last:
                return straight + last, way.numbered, way.stand
            found = way.file.fullmatch(last)
            if found is not None:
                path = way.fill({**above.captures, **found.groupdict()})
                return self._home + self._safe(path, name), way.numbered, way.stand
        return None

    def _safe(self, path: str, name: str) -> str:
        """The path, if every segment is a name: captured values are whatever upstream wrote."""
        if "\0" in path or not _NO_NAMES.isdisjoint(path.split("/")):
            raise UnsafeArchive(
                f"{self._artifact.name}: {name!r} would be placed at {path!r}",
                hint="every part of a path must be a name: not empty, not '.' or '..', and without NUL",
            )
        return path

    def why_not(self, name: str) -> str:
        """Why a name that nothing skips has no place."""
        return ELSEWHERE if name.lower().endswith(IMAGES) and self.fits_below_root(name) else NO_RULE

    def fits_below_root(self, name: str) -> bool:
        """Whether some rule with `<root>` fits the name, whatever `<root>` must stand for then."""
        folder, _, last = name.rpartition("/")
        return any(way.rooted and way.file.fullmatch(last) for way, _, _ in self._fitting(folder))
