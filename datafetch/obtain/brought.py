"""Files that are on this machine already: brought by a person, or bundled with a recipe. Blocks; used in threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from datafetch.layout.build import seal
from datafetch.layout.place import place
from datafetch.model import Artifact, Event, Manual, Outcome
from datafetch.schemes import file_name
from datafetch.store import journal
from datafetch.store.files import make_folder
from datafetch.store.home import slug
from datafetch.task import Task
from datafetch.transfer.providers import local, manual


class Brought:
    """What a person may have put into the inbox or into --from, for one run."""

    def __init__(self, task: Task, emit: Callable[[Event], None], stopped: threading.Event) -> None:
        self._task = task
        self._home, self._rules, self._settings = task.home, task.recipe.layout, task.settings
        self._emit, self._stopped = emit, stopped

    @property
    def folders(self) -> list[Path]:
        """Where a person may have put files."""
        given = self._settings.from_dir
        return [self._home.inbox, *([Path(given)] if given else [])]

    def lies_here(self, artifact: Artifact, urls: Sequence[str]) -> Path | None:
        """The file of an address that a person has brought, under upstream's name or, without one, the artifact's."""
        name = file_name(urls[0]) or artifact.name.rpartition("/")[2]
        found = (folder / name for folder in self.folders if "/" not in name)
        return next((path for path in found if path.is_file() and not path.is_symlink()), None)

    def all_here(self, artifact: Artifact, instead: Manual) -> bool:
        """Whether a person has brought what may stand for the file of an address."""
        if not instead.expect:
            return False
        return all(hit.enough for hit in manual.find(replace(artifact, source=instead), self.folders))

    def take(self, artifact: Artifact) -> tuple[Path, ...]:
        """One archive becomes FETCHED; loose files are STAGED at once; several archives are what comes back, to be
        unpacked where they lie. Raises NeedsPerson until all are there.
        """
        home, name = self._home, artifact.name
        hits = manual.find(artifact, self.folders)
        if not all(hit.enough for hit in hits):
            make_folder(home.inbox)
            raise manual.needs_person(artifact, hits, home.inbox)
        files = [brought for hit in hits for brought in hit.files]
        if artifact.several:
            return tuple(brought.path for brought in files)
        if artifact.unpack and len(files) == 1:
            self.copy_in(artifact, files[0].path, "by hand")
            return ()
        picks = self._task.picks(artifact)
        placed = place(artifact, self._rules, [brought.name for brought in files], picks=picks)
        work = [
            (brought.name, brought.path, target)
            for brought, target in zip(files, placed.targets, strict=True)
            if target is not None
        ]
        records = local.stage(work, home.staging(name), name, "by hand", self._stopped.is_set)
        with journal.Journal(home.journal(name)) as rows:
            dropped = {Outcome.SKIPPED: Counter(why for _, why in placed.skipped)}
            rows.append(journal.Staged(len(records), self._settings.names, dropped, picks))
        seal(home.state, slug(name), records)
        return ()

    def copy_in(self, artifact: Artifact, file: Path, origin: str) -> None:
        """A file becomes FETCHED under its artifact's name. Raises TransferFailed when it is not the right one."""
        home, name = self._home, artifact.name
        self._emit(Event("started", name, total=file.stat().st_size))
        known = journal.known(home.journal(name))
        before = known.done.sha256 if known.done and known.built else ""
        fetched = local.copy_in(file, home.archive(name), artifact, origin, before, self._stopped.is_set)
        with journal.Journal(home.journal(name)) as rows:
            rows.append(journal.Done(fetched))
        self._emit(Event("fetched", name, done=fetched.size, total=fetched.size))
