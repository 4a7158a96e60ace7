"""Names in, placements out: where each member of an artifact stands in the built tree. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datafetch.errors import LayoutMismatch, UnsafeArchive
from datafetch.layout.folders import ELSEWHERE, NO_RULE, Folders
from datafetch.layout.names import meeting, meets
from datafetch.layout.ready import ReadyRule, compile_rule
from datafetch.layout.sequence import Numbering, number
from datafetch.layout.subset import Feed, Stand, choose, kin, refuse_unknown
from datafetch.model import Artifact, Rule, Subset, Why

_SHOWN = 8
_NOWHERE = Stand()


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
    folders = Folders(artifact, ready)
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
    folders = Folders(artifact, ready)

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
    folders = Folders(artifact, ready)
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
    first, second = meets(
        met, ((to, name) for to, name in zip(targets, names, strict=True) if to is not None)
    )
    spelled = "names that differ only in letter case or Unicode form cannot stand together everywhere"
    # A list may have sorted both to one name before they came here.
    which = f"{first!r} and {second!r} would meet: " if first != second else ""
    raise UnsafeArchive(
        f"{artifact.name}: {which}{met}",
        hint="" if met.first == met.second else spelled,
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
