"""Names in, placements out: where each member of an artifact stands in the built tree. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate

from datafetch.errors import LayoutMismatch, UnsafeArchive
from datafetch.layout.globs import path_fits
from datafetch.layout.names import meeting
from datafetch.layout.patterns import IMAGES
from datafetch.layout.ready import Match, ReadyRule, compile_rule, holds_many
from datafetch.layout.sequence import Numbering, number
from datafetch.layout.subset import Feed, Stand, choose, kin, refuse_unknown, unruled
from datafetch.model import Artifact, Rule, Subset, Why

JUNK, UNWANTED, NO_RULE, ELSEWHERE = "junk", "unwanted", "no rule", "picture outside the root"
_JUNK_FOLDER = "__MACOSX"
_JUNK_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_NO_NAMES = frozenset({"", ".", ".."})
_SHOWN = 8
_NOWHERE = Stand()
_Way = tuple[
    ReadyRule, Match, str
]  # a rule, what its folders captured, and what stands before a file's own name


@dataclass(frozen=True, slots=True)
class Placements:
    """`targets` answers `names` one to one: a path of the manifest, or None for what is in `skipped`."""

    targets: tuple[str | None, ...]
    skipped: tuple[tuple[str, str], ...]  # name, and why: junk, unwanted, no rule, not chosen
    root: str  # what `<root>` stood for


def place(
    artifact: Artifact,
    rules: Sequence[Rule],
    names: Sequence[str],
    mode: str = "keep",
    picks: Sequence[Subset] = (),
) -> Placements:
    """Where each name goes; the answer for a name does not depend on the order of names.

    `<root>` is the prefix under which most names fit, then the one of the earliest rule, then the longest.
    Mode "sequential" numbers what captures named (see `sequence`). Only what one of `picks` takes has a target, all
    where there are none; a number or a refusal does not depend on them. Raises LayoutMismatch when nothing finds
    a place, UnsafeArchive when two names would meet, letter case and Unicode form aside, or when what was
    captured of a name is no name itself ("..", NUL), and UnknownName when the last pick names no class or split
    of it.
    """
    ready = tuple(way for index, rule in enumerate(rules) for way in compile_rule(rule, index, artifact))
    folders = _Folders(artifact, ready)
    reasons = [folders.skips(name) for name in names]
    root = folders.choose_root([name for name, why in zip(names, reasons, strict=True) if not why])
    skipped: list[tuple[str, str]] = []
    targets: list[str | None] = []
    stands: list[Stand] = []
    numbered: list[int] = []
    for index, name in enumerate(names):
        reason = reasons[index]
        found = None if reason else folders.target(name, root)
        if found is None:
            skipped.append((name, reason or folders.why_not(name)))
            targets.append(None)
            stands.append(_NOWHERE)
            continue
        targets.append(found[0])
        stands.append(found[2])
        if found[1]:
            numbered.append(index)
    if not len(skipped) < len(names):
        raise _mismatch(artifact, ready, names)
    astray = [name for name, why in skipped if why == ELSEWHERE]
    if len(astray) >= len(names) - len(skipped):
        raise _astray(artifact, root, astray, names)
    if mode == "sequential":
        _number(targets, numbered)
    _refuse_meeting(artifact, targets, names)
    if picks:
        skipped += _leave_out(artifact, targets, stands, names, picks)
    return Placements(tuple(targets), tuple(skipped), root)


def _leave_out(
    artifact: Artifact,
    targets: list[str | None],
    stands: Sequence[Stand],
    names: Sequence[str],
    picks: Sequence[Subset],
) -> list[tuple[str, str]]:
    """Take the targets away from the names that no pick takes; those names, and why."""
    placed = [index for index, target in enumerate(targets) if target is not None]
    files = [kin(target, stands[index]) for index in placed if (target := targets[index]) is not None]
    refuse_unknown(artifact.name, picks[-1], files)
    left = [index for index, taken in zip(placed, choose(picks, files), strict=True) if not taken]
    for index in left:
        targets[index] = None
    return [(names[index], Why.NOT_CHOSEN) for index in left]


def place_each(
    artifact: Artifact, rules: Sequence[Rule], picks: Sequence[Subset] = ()
) -> Callable[[str], tuple[str | None, str]] | None:
    """Where one name goes, or None and why it is skipped, for who does not know the other names yet.

    None for an artifact whose names cannot be placed one by one, because a rule of it holds `<root>`, or because
    only the first so many of a class are wanted. What `place` refuses, but for names that meet and classes that do
    not exist, the answer refuses too.
    """
    if any(one.most is not None for one in picks):
        return None
    ready = tuple(way for index, rule in enumerate(rules) for way in compile_rule(rule, index, artifact))
    if any(way.rooted for way in ready):
        return None
    folders = _Folders(artifact, ready)

    def place_one(name: str) -> tuple[str | None, str]:
        reason = folders.skips(name)
        found = None if reason else folders.target(name, "")
        if found is None:
            return None, reason or NO_RULE
        return (found[0], "") if feed.takes(kin(found[0], found[2])) else (None, Why.NOT_CHOSEN)

    feed = Feed(picks)
    return place_one


def place_ahead(artifact: Artifact, rules: Sequence[Rule]) -> Callable[[str], str | None]:
    """A guess where names go, one by one, for who does not know the others yet: `place` has the last word.

    `<root>` is taken to be what it stands for in the first name that fits a rule with one.
    """
    ready = tuple(way for index, rule in enumerate(rules) for way in compile_rule(rule, index, artifact))
    folders = _Folders(artifact, ready)
    root: str | None = None if any(way.rooted for way in ready) else ""

    def guess(name: str) -> str | None:
        nonlocal root
        if folders.skips(name):
            return None
        if root is None and folders.fits_below_root(name):
            root = folders.choose_root([name])
        found = folders.target(name, root or "")
        return found[0] if found else None

    return guess


class _Folders:
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


def _number(targets: list[str | None], numbered: Sequence[int]) -> None:
    """Give the numbered targets their new last segments, in place."""
    wanted = set(numbered)
    kept = frozenset(target for i, target in enumerate(targets) if target is not None and i not in wanted)
    names: Numbering = number([target for i in numbered if (target := targets[i]) is not None], kept)
    for index in numbered:
        target = targets[index]
        if target is not None:
            targets[index] = names[target]


def _refuse_meeting(artifact: Artifact, targets: Sequence[str | None], names: Sequence[str]) -> None:
    met = meeting(target for target in targets if target is not None)
    if met is None:
        return
    members: Mapping[str | None, str] = dict(zip(targets, names, strict=True))
    first, second = (members.get(target, target) for target in met)
    raise UnsafeArchive(
        f"{artifact.name}: {first!r} and {second!r} would land on one path, {met[1]!r}",
        hint="names that differ only in letter case or Unicode form cannot stand together everywhere",
    )


def _astray(artifact: Artifact, root: str, astray: Sequence[str], names: Sequence[str]) -> LayoutMismatch:
    where = f"{root}/" if root else "the top"
    return LayoutMismatch(
        f"{artifact.name}: {len(astray)} pictures, such as {astray[0]!r}, lie outside {where},"
        f" where others fit; it holds {_sketch(names)}",
        hint="upstream may have changed the archive: mend the 'from' patterns of the recipe's layout",
    )


def _mismatch(artifact: Artifact, ready: Sequence[ReadyRule], names: Sequence[str]) -> LayoutMismatch:
    held = _sketch(names)
    wanted = ", ".join(str(way.pattern) for way in ready[:_SHOWN]) or "any file"
    return LayoutMismatch(
        f"{artifact.name}: no member fits the layout; it holds {held}; expected {wanted}",
        hint="upstream may have changed the archive: mend the 'from' patterns of the recipe's layout",
    )


def _sketch(names: Sequence[str]) -> str:
    """What an archive holds, in one line: its folders, each with a first file and a count."""
    if not names:
        return "no files"
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for name in sorted(names):
        folder, slash, last = name.rpartition("/")
        counts[folder + slash] += 1
        first.setdefault(folder + slash, last)
    shown = [
        f"{_plain(folder + first[folder])} ({counts[folder]} files)" for folder in sorted(counts)[:_SHOWN]
    ]
    more = f" and {len(counts) - _SHOWN} more folders" if len(counts) > _SHOWN else ""
    return ", ".join(shown).replace("(1 files)", "(1 file)") + more


def _plain(name: str) -> str:
    """The name, fit to stand in a line of text."""
    return name if name.isprintable() else repr(name)
