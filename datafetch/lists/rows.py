"""The rows of a URL list that a run is to bring: where its files lie, which rows are asked for, which another has."""

from __future__ import annotations

from collections.abc import Callable

from datafetch.images.fill import save_path
from datafetch.images.lacking import left_out
from datafetch.images.rows import BadRow, Row, Rows, one_after_another, only, read
from datafetch.layout.placer import taker
from datafetch.lists import held
from datafetch.lock.document import Rows as Numbers
from datafetch.model import Artifact, Outcome, UrlList, Why, Window
from datafetch.plan.window import covers
from datafetch.store import journal
from datafetch.store.inventory import undecodable
from datafetch.store.subsets import not_locked
from datafetch.task import Task

Place = Callable[[str], str]  # a path inside the artifact -> its path below the output directory


def rows(task: Task, artifact: Artifact, source: UrlList, place: Place) -> Rows:
    """The rows to bring, in the order of the list. Of lists that name files alike, a file that another one has is
    skipped here. Raises UsageError when the artifact that should hold the list lacks it, BadList as `read` does.
    """
    found = listed(task, source)
    if source.window:
        found = only(found, _windows(task, artifact))
    found = _locked(task, artifact, found)
    if picks := task.picks(artifact):
        found = _chosen(found, source, taker(artifact, task.recipe.layout, picks))
    others = [other for other in task.recipe.artifacts if artifact.shares_names(other)]
    if others:
        theirs = {record.path: other.name for other in others for record in held.records(task, other)}
        found = _without(found, source, place, theirs)
    return found


def listed(task: Task, source: UrlList) -> Rows:
    """All that the list has. Raises as `rows` does."""
    if source.mending:
        return _undecodable(task, source)
    if "<" in source.file:
        files = held.matching(task, source.file)
        return one_after_another((fields, read(path, source.read, source.keys)) for fields, path in files)
    path, *beside = (held.file(task, file) for file in (source.file, *source.beside))
    return read(path, source.read, source.keys, beside)


def _undecodable(task: Task, source: UrlList) -> Rows:
    """A row for each picture of the archive that did not decode when it was unpacked."""
    known = dict(source.known)
    for number, member in enumerate(undecodable(task.home, source.file), 1):
        name = member.rpartition("/")[2]
        yield Row(number, {"file": name, "known": known.get(name, "")})


def _windows(task: Task, artifact: Artifact) -> tuple[Window, ...]:
    """The rows asked for now and before, the first written down: a row once asked for is kept."""
    path, now = task.home.journal(artifact.name), task.settings.window
    asked = journal.known(path).asked
    if now is None or covers(asked, now):
        return asked
    with journal.Journal(path) as written:
        written.append(journal.Asked(now.first, now.last))
    return (*asked, now)


def _chosen(found: Rows, source: UrlList, takes: Callable[[str], bool]) -> Rows:
    for row in found:
        path = save_path(source.save_as, row.line or row.number, row.fields) if isinstance(row, Row) else None
        left = path is not None and not takes(path)
        yield BadRow(row.number, Why.NOT_CHOSEN, Outcome.SKIPPED) if left else row


def _locked(task: Task, artifact: Artifact, found: Rows) -> Rows:
    """The rows of the lock file, when the run is held to one; a repair brings back nothing that a lock left out."""
    locked = task.locked.of(artifact.name) if task.locked is not None else None
    if locked is not None:
        wanted = Numbers(locked.rows)
        return (_left_out(row) if row.number not in wanted else row for row in found)
    if task.settings.window is None and not_locked(task.home, artifact):
        left = frozenset(left_out(task.home.batches(artifact.name)))
        return (_left_out(row) if row.number in left else row for row in found)
    return found


def _left_out(row: Row | BadRow) -> BadRow:
    return BadRow(row.number, Why.NOT_LOCKED, Outcome.SKIPPED)


def _without(found: Rows, source: UrlList, place: Place, theirs: dict[str, str]) -> Rows:
    for row in found:
        path = save_path(source.save_as, row.line or row.number, row.fields) if isinstance(row, Row) else None
        other = theirs.get(place(path)) if path else None
        yield row if other is None else BadRow(row.number, f"{other} has it", Outcome.SKIPPED)
