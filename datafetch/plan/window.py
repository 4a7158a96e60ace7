"""Whether the rows that are asked for by number are those that earlier runs have brought; pure."""

from __future__ import annotations

from collections.abc import Iterable

from datafetch.model import Window


def covers(windows: Iterable[Window], wanted: Window) -> bool:
    """Whether each row of `wanted` is one of `windows`."""
    after = wanted.first
    for window in sorted(windows, key=lambda one: one.first):
        if window.first > after:  # a gap; what lies beyond it may not be wanted at all
            break
        if window.last is None:
            return True
        after = max(after, window.last + 1)
    return wanted.last is not None and after > wanted.last
