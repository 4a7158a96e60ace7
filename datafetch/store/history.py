"""What past runs came to: one line a run, the latest `KEPT` of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from datafetch.store.journal import Journal, read

KEPT = 200  # runs


class Past(msgspec.Struct, frozen=True, omit_defaults=True):
    """The end of one run."""

    at: str  # UTC
    status: str
    counts: Mapping[str, int]  # by outcome, and `total`
    transferred: int = 0  # body bytes
    seconds: float = 0.0


def add(path: Path, past: Past) -> None:
    """Remember a run, durably. One that changed nothing is not worth a line."""
    before = runs(path)
    if (
        before
        and not past.transferred
        and (past.status, past.counts) == (before[-1].status, before[-1].counts)
    ):
        return
    with Journal(path) as journal:
        if len(before) >= 2 * KEPT:
            journal.replace(before[-KEPT:])
        journal.append(past)


def runs(path: Path) -> tuple[Past, ...]:
    """The runs remembered, oldest first."""
    return read(path, Past).rows
