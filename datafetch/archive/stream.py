"""A tar unpacked while it arrives: its members checked, placed and written as they come, in one pass.

Nothing of it is published before all of it has been seen, so whatever breaks a rule, however late, refuses the whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from datafetch.archive.arriving import stopped
from datafetch.archive.crew import until
from datafetch.archive.gunzip import Mark
from datafetch.archive.headers import Stream, end_of, read_members
from datafetch.archive.intake import FOLDER, LEFT_OUT, Intake, Row
from datafetch.archive.members import DEFAULT_LIMITS, Limits, Member
from datafetch.archive.tar import bytes_of
from datafetch.archive.writing import write_over
from datafetch.errors import LayoutMismatch, UnsafeArchive
from datafetch.model import Event
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree

_TELL_EVERY = 0.2  # seconds

Place = Callable[[str], tuple[str | None, str]]


class Marking(Stream, Protocol):
    """The unpacked bytes of a tar, with places to go on from."""

    @property
    def mark(self) -> Mark | None:
        """The last one that was passed; None when there is none to go on from."""


def unpack_arriving(
    stream: Marking,
    intake: Intake,
    name: str,
    place: Place,
    into: Path,
    *,
    free: Callable[[int], None] = lambda pieces: None,
    only: frozenset[str] = frozenset(),
    emit: Callable[[Event], None],
    stop: Callable[[], bool],
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Stage every member that has a place, or those of `only`; durable when this returns, with rows in `intake`.

    `stream` begins at the intake's place. `free` is told how many pieces will not be read again, even after a kill.
    UnsafeArchive, LayoutMismatch, NoRoom, what the stream raises, or Interrupted once `stop` turns true.
    """
    found = intake.place
    kept = stream.mark
    emit(Event("extract", name))
    told = time.monotonic()
    try:
        with user_errors(into), Tree(into) as tree:
            for member in read_members(stream, limits, found.offset if found else 0, intake.headers):
                intake.add(_deal(tree, stream, member, place, only, stop))
                if stream.mark is not None and stream.mark is not kept:
                    kept = stream.mark
                    intake.keep(kept, end_of(member))
                    emit(Event("grown", name, done=intake.bytes))
                    free(kept.shards)
                now = time.monotonic()
                if now - told >= _TELL_EVERY:
                    told = now
                    emit(Event("extracting", name, done=intake.files))
                    emit(Event("grown", name, done=intake.bytes))
                if stop():
                    raise stopped()
        if not intake.files and not only:
            raise LayoutMismatch(
                f"{name}: no member fits the layout; {sum(intake.skipped.values())} were left out",
                hint="upstream may have changed the archive: mend the 'from' patterns of the recipe's layout",
            )
        intake.finish()
    except UnsafeArchive as error:
        raise type(error)(f"{name}: {error}", error.hint) from error
    emit(Event("extracting", name, done=intake.files, total=intake.files))


def _deal(
    tree: Tree,
    stream: Stream,
    member: Member,
    place: Place,
    only: frozenset[str],
    stop: Callable[[], bool],
) -> Row:
    if member.is_dir:
        return Row(member.name, why=FOLDER)
    if not member.name:
        raise UnsafeArchive("a member has an empty name")
    target, why = place(member.name)
    if target is None:
        return Row(member.name, why=why)
    if only and target not in only:
        return Row(member.name, target, why=LEFT_OUT)
    size, sha256 = write_over(tree, target, until(stop, bytes_of(stream, member)))
    return Row(member.name, target, size, sha256)
