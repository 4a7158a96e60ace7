"""Files that are on this machine already: brought by a person, or bundled with a recipe. Blocks; used in threads."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from datafetch.archive.extract import extract
from datafetch.errors import Issue, RecipeError
from datafetch.layout.place import place
from datafetch.layout.seals import seal
from datafetch.model import BY_HAND, Artifact, Event, Http, Manual, Outcome, Settings
from datafetch.schemes import file_name
from datafetch.store import journal
from datafetch.store.files import make_folder, remove_tree, write_atomic
from datafetch.store.home import Home, slug
from datafetch.task import Task
from datafetch.transfer.providers import local, manual


def newer(home: Home, artifact: Artifact, settings: Settings) -> bool:
    """Whether a person has brought other files than those that an artifact was made of, and enough of them."""
    given = [home.inbox, *([Path(settings.from_dir)] if settings.from_dir else [])]
    match artifact.source:
        case Manual() as source:
            is_instead = False
        case Http(manual=Manual() as source) if source.expect:
            is_instead = True
        case _:
            return False
    asked_for = replace(artifact, source=source)
    hits = manual.find(asked_for, given)
    loose = all(hit.enough for hit in hits) and any(hit.files for hit in hits)
    if not loose and not manual.archives(asked_for, given):
        return False
    try:
        return home.gathered(artifact.name).read_bytes() != _listing(asked_for, given)
    except FileNotFoundError:  # it came as an archive of upstream's own name, or from its address
        return loose and (is_instead or source.optional)


def _listing(artifact: Artifact, folders: Sequence[Path]) -> bytes:
    """Name, size and time of each file that was brought, or of the archives that may hold them: what tells that a
    person has brought others.
    """
    hits = manual.find(artifact, folders)
    files = [(brought.name, brought.path) for hit in hits for brought in hit.files]
    if not all(hit.files for hit in hits):
        files += [(path.name, path) for path in manual.archives(artifact, folders)]
    seen = [(name, os.stat(path)) for name, path in files]
    return msgspec.json.encode([(name, at.st_size, at.st_mtime_ns) for name, at in seen])


def _silent(event: Event) -> None:
    """What is unpacked only to be looked through is no progress of an artifact."""


class Brought:
    """What a person may have put into the inbox or into --from, for one run."""

    def __init__(self, task: Task, emit: Callable[[Event], None], stopped: threading.Event) -> None:
        self._task = task
        self._home, self._rules, self._settings = task.home, task.recipe.layout, task.settings
        self._emit, self._stopped = emit, stopped
        self._opening = threading.Lock()
        self._opened: dict[
            Path, Path
        ] = {}  # archives of a person's -> the folder that holds what was in them

    def close(self) -> None:
        """Remove what was unpacked for this run."""
        remove_tree(self._home.opened)

    @property
    def folders(self) -> list[Path]:
        """Where a person may have put files."""
        given = self._settings.from_dir
        return [self._home.inbox, *([Path(given)] if given else [])]

    def lies_here(self, artifact: Artifact, urls: Sequence[str]) -> Path | None:
        """The file of an address that a person has brought, under upstream's name or, without one, the artifact's."""
        name = file_name(urls[0]) or artifact.name.rpartition("/")[2]
        if "/" in name:
            return None
        found = (folder / name for folder in self.folders)
        exact = next((path for path in found if path.is_file() and not path.is_symlink()), None)
        return exact or next(iter(manual.copies(name, self.folders)), None)

    def lies_in_parts(self, artifact: Artifact) -> bool:
        """Whether several archives were brought that may each hold some of it, as Drive packs a large folder; where
        a checksum is known, one file is what it speaks of.
        """
        instead = artifact.source.manual if isinstance(artifact.source, Http) else None
        if instead is None or not instead.packed or artifact.checksums:
            return False
        return len(manual.archives(replace(artifact, source=instead), self.folders)) > 1

    def loose_here(self, artifact: Artifact, instead: Manual) -> bool:
        """Whether a person has brought what may stand for the file of an address, not in an archive."""
        if not instead.expect:
            return False
        hits = manual.find(replace(artifact, source=instead), self.folders)
        return all(hit.enough and hit.files for hit in hits)

    def packed_here(self, artifact: Artifact, instead: Manual) -> bool:
        """Whether a person has brought archives in which it is. Blocks: they are unpacked to see."""
        return bool(instead.packed) and all(
            hit.enough and hit.files for hit in self._find(replace(artifact, source=instead))
        )

    def _find(self, artifact: Artifact) -> tuple[manual.Hits, ...]:
        """What was brought of it: loose files, and for globs that none fits those of archives that may hold them."""
        hits = manual.find(artifact, self.folders)
        if all(hit.files for hit in hits):
            return hits
        packed = manual.archives(artifact, self.folders)
        return manual.find(artifact, [*self.folders, *map(self._open, packed)]) if packed else hits

    def _open(self, file: Path) -> Path:
        """The folder of what an archive holds; each is unpacked once a run, by the rules for every archive."""
        with self._opening:
            if file not in self._opened:
                into = self._home.opened / str(len(self._opened))
                remove_tree(into)
                whole = Artifact("opened", Manual(()), "all", unpack=True)
                now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                stop = self._stopped.is_set
                extract(file, whole, (), into, names="keep", url="", fetched_at=now, emit=_silent, stop=stop)
                self._opened[file] = into / "all/opened"
            return self._opened[file]

    def take(self, artifact: Artifact) -> tuple[Path, ...]:
        """One archive becomes FETCHED; loose files are STAGED at once; several archives are what comes back, to be
        unpacked where they lie. Raises NeedsPerson until all are there.
        """
        home, name = self._home, artifact.name
        assert isinstance(artifact.source, Manual)
        hits = self._find(artifact)
        if not all(hit.enough for hit in hits):
            make_folder(home.inbox)
            raise manual.needs_person(artifact, hits, home.inbox)
        files = [brought for hit in hits for brought in hit.files]
        if artifact.several:
            return tuple(brought.path for brought in files)
        if artifact.unpack and len(files) == 1 and not artifact.source.packed:
            self.copy_in(artifact, files[0].path, BY_HAND)
            return ()
        picks = self._task.picks(artifact)
        names = [brought.name for brought in files]
        placed = place(artifact, self._rules, names, picks=picks) if files else None
        work = [
            (brought.name, brought.path, target)
            for brought, target in zip(files, placed.targets if placed else (), strict=True)
            if target is not None
        ]
        stop = self._stopped.is_set
        remove_tree(home.seal(name))  # what was brought before gives way to this
        records = local.stage(work, home.staging(name), name, BY_HAND, stop, home.opened)
        make_folder(home.staging(name) / artifact.folder)  # also when there is nothing to put into it
        write_atomic(home.gathered(name), _listing(artifact, self.folders))
        with journal.Journal(home.journal(name)) as rows:
            skipped = placed.skipped if placed else ()
            dropped = {Outcome.SKIPPED: Counter(why for _, why in skipped)}
            rows.append(journal.Staged(len(records), self._settings.names, dropped, picks))
        seal(home.state, slug(name), records)
        return ()

    def take_bundled(self, artifact: Artifact, path: str) -> None:
        """`copy_in` of a file beside the recipe, which may be a stranger's: RecipeError unless it is a file of that
        folder.
        """
        recipe = Path(self._task.recipe.file)
        where = f"artifact {artifact.name}, key bundled"
        try:
            file, folder = (recipe.parent / path).resolve(strict=True), recipe.parent.resolve(strict=True)
            wrong = "" if file.is_relative_to(folder) else "is a link that leaves the registry folder"
            wrong = wrong or ("" if file.is_file() else "is not a regular file")
        except (OSError, RuntimeError):
            wrong = "cannot be read"
        if wrong:
            raise RecipeError((Issue(str(recipe), 0, where, f"{path} {wrong}"),))
        self.copy_in(artifact, file, f"bundled:{file.name}")

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
