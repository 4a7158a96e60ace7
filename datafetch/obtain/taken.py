"""What was taken in while it arrived becomes a sealed staging folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from datafetch.archive.intake import Intake
from datafetch.archive.staging import Origin
from datafetch.layout.seals import seal
from datafetch.model import Artifact, Event, Outcome
from datafetch.store import journal
from datafetch.store.home import slug
from datafetch.task import Task


def stage(
    task: Task,
    artifact: Artifact,
    intake: Intake,
    origin: Origin,
    skipped: Mapping[str, int],
    only: frozenset[str],
    tell: Callable[[Event], None],
) -> None:
    """The artifact is STAGED afterwards; a repair, of `only` some paths, leaves its journal as it was."""
    home, name = task.home, artifact.name
    with journal.Journal(home.journal(name)) as rows:
        if not only:
            dropped, picks = {Outcome.SKIPPED: dict(skipped)}, task.picks(artifact)
            rows.append(journal.Staged(intake.files, task.settings.names, dropped, picks))
    records = (origin.record(row.target, row.size, row.sha256, row.name) for row in intake.staged())
    seal(home.state, slug(name), records)
    tell(Event("staged", name, done=intake.bytes, count=intake.files))
