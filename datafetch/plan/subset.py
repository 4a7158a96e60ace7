"""What of an artifact is to be had when a part of it was asked for before; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import product

from datafetch.model import Subset

Picks = tuple[Subset, ...]  # together; none is everything


def joined(before: Picks | None, wanted: Subset | None) -> Picks:
    """What is to be here after a run that asks for `wanted`: nothing that an earlier run brought is given up.

    before           wanted        together
    None (nothing)   anything      what is wanted
    anything         None          what was there
    everything       anything      everything
    a part           everything    everything
    a part           a part        both, without what the other holds
    """
    if wanted is None:
        return before or ()
    if before is None:
        return (wanted,) if wanted else ()
    if not before or not wanted:
        return ()
    if covers(before, wanted):
        return before
    return (*(one for one in before if not covers((wanted,), one)), wanted)


def covers(picked: Picks, wanted: Subset | None) -> bool:
    """Whether whatever `wanted` holds is in `picked`, whatever the archive holds: False when that cannot be told."""
    if not picked or wanted is None:
        return True
    pieces = [
        replace(wanted, splits=split, classes=classes)
        for split, classes in product(_singly(wanted.splits), _singly(wanted.classes))
    ]
    return all(any(_holds(one, piece) for one in picked) for piece in pieces)


def _singly(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [(word,) for word in words] or [()]


def _holds(one: Subset, other: Subset) -> bool:
    fewer = one.most is None or (other.most is not None and other.most <= one.most)
    splits = not one.splits or (other.splits and set(other.splits) <= set(one.splits))
    # A glob is held by itself only; a name also by a glob that fits it.
    classes = not one.classes or (
        other.classes and all(any(name == g or _fits(name, g) for g in one.classes) for name in other.classes)
    )
    include = not one.include or set(other.include) == set(one.include)
    exclude = set(one.exclude) <= set(other.exclude)
    # Where both count, a narrower choice must count the same files.
    counted = one.most is None or (one.include, one.exclude) == (other.include, other.exclude)
    return bool(fewer and splits and classes and include and exclude and counted)


def _fits(name: str, glob: str) -> bool:
    return not any(mark in name for mark in "*?[") and fnmatchcase(name, glob)
