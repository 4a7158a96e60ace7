"""The rows of a URL list that a run is to bring: where its files lie, which rows are asked for, which another has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import UsageError
from datafetch.images.fill import save_path
from datafetch.images.rows import BadRow, Row, Rows, one_after_another, only, read
from datafetch.layout import manifest
from datafetch.layout.build import sealed
from datafetch.layout.placer import taker
from datafetch.model import Artifact, FileRecord, Outcome, UrlList, Why, Window
from datafetch.plan.difference import holder
from datafetch.plan.window import covers
from datafetch.store import journal
from datafetch.store.home import slug
from datafetch.task import Task

Place = Callable[[str], str]  # a path inside the artifact -> its path below the output directory


def rows(task: Task, artifact: Artifact, source: UrlList, place: Place) -> Rows:
    """The rows to bring, in the order of the list. Of lists that name files alike, a file that another one has is
    skipped here. Raises UsageError when the artifact that should hold the list lacks it, BadList as `read` does.
    """
    found = _read(task, source)
    if source.window:
        found = only(found, _windows(task, artifact))
    if picks := task.picks(artifact):
        found = _chosen(found, source, taker(artifact, task.recipe.layout, picks))
    others = [other for other in task.recipe.artifacts if artifact.shares_names(other)]
    if others:
        theirs = {record.path: other.name for other in others for record in _records(task, other)}
        found = _without(found, source, place, theirs)
    return found


def _read(task: Task, source: UrlList) -> Rows:
    if "<" in source.file:
        files = _matching(task, source)
        return one_after_another((fields, read(path, source.read, source.keys)) for fields, path in files)
    path, *beside = (_file(task, source, file) for file in (source.file, *source.beside))
    return read(path, source.read, source.keys, beside)


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


def _without(found: Rows, source: UrlList, place: Place, theirs: dict[str, str]) -> Rows:
    for row in found:
        path = save_path(source.save_as, row.line or row.number, row.fields) if isinstance(row, Row) else None
        other = theirs.get(place(path)) if path else None
        yield row if other is None else BadRow(row.number, f"{other} has it", Outcome.SKIPPED)


# --- Where a list lies ---


@dataclass(frozen=True, slots=True)
class _Held:
    record: FileRecord
    path: Path  # now: staged, or published already

    @property
    def name(self) -> str:
        """What `file` of a list is compared with the end of."""
        return f"/{self.record.member or self.record.path}"


def _held(task: Task, source: UrlList) -> tuple[str, Iterator[_Held]]:
    """The path of the list inside the artifact that holds it, and the files of that."""
    owner = holder(source, task.recipe.artifacts)
    assert owner is not None, "the plan waits for the artifact that holds the list"
    staging = task.home.staging(owner.name)

    def held() -> Iterator[_Held]:
        for record in _records(task, owner):
            path = staging / record.path
            yield _Held(record, path if path.exists() else task.home.root / record.path)

    return owner.name, held()


def _file(task: Task, source: UrlList, file: str) -> Path:
    owner, files = _held(task, source)
    inside = file.removeprefix(owner).strip("/")
    for held in files:
        if not inside or held.name.endswith(f"/{inside}"):
            return held.path
    raise _absent(owner, inside)


def _matching(task: Task, source: UrlList) -> list[tuple[dict[str, str], Path]]:
    """The files that the captures of `file` match, with what they capture.

    In the order in which they came: one that comes later, because its host was down, must not give other numbers
    to the rows of those before it.
    """
    owner, files = _held(task, source)
    inside = source.file.removeprefix(owner).strip("/")
    pieces = re.split(r"<([^<>]+)>", inside)
    texts = (f"(?P<{piece}>[^/]+?)" if at % 2 else re.escape(piece) for at, piece in enumerate(pieces))
    fits = re.compile(f"(?:.*/)?{''.join(texts)}", re.DOTALL).fullmatch
    ordered = sorted(files, key=lambda held: (held.record.fetched_at, held.record.path))
    found = [(match.groupdict(), held.path) for held in ordered if (match := fits(held.name)) is not None]
    if not found:
        raise _absent(owner, inside)
    return found


def _records(task: Task, artifact: Artifact) -> Iterable[FileRecord]:
    """The files of an artifact: staged, or else published."""
    records = sealed(task.home.state, slug(artifact.name))
    if records is not None:
        return records
    return (record for record in manifest.read(task.home.manifest) if record.artifact == artifact.name)


def _absent(owner: str, inside: str) -> UsageError:
    return UsageError(
        f"{owner} holds no {inside or 'list'}", hint="mend `file` of the url_list in the recipe"
    )
