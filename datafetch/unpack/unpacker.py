"""From a verified archive to a sealed staging folder, and what becomes of one that proves damaged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from datafetch.archive.extract import Sort, extract
from datafetch.archive.join import digests_of
from datafetch.archive.single import link_file, place_file
from datafetch.archive.staging import Extracted
from datafetch.errors import DamagedArchive, UnsafeArchive
from datafetch.layout.folders import ELSEWHERE
from datafetch.layout.seals import by_path, seal
from datafetch.model import (
    BY_HAND,
    Artifact,
    Bundled,
    Event,
    Fetched,
    Manual,
    Outcome,
    Seen,
    Shards,
    State,
    Why,
)
from datafetch.store import files as store
from datafetch.store import inventory, journal
from datafetch.store.home import Home, slug
from datafetch.task import Task
from datafetch.unpack.decoded import weed


class Unpacker:
    """For one run: it remembers what this run has verified and what has proved damaged. Blocks; used in a thread."""

    def __init__(self, task: Task, tell: Callable[[Event], None], stopped: threading.Event) -> None:
        self._task = task
        self._home, self._rules, self._settings = task.home, task.recipe.layout, task.settings
        self._artifacts = task.recipe.artifacts
        self._tell, self._stopped = tell, stopped
        self._fetched: set[str] = set()  # single files that this run has hashed
        self._linked: set[str] = set()  # of them, those whose archive and staged file are one
        self._damaged: set[str] = set()  # artifacts whose archive proved damaged once already

    def verified(self, artifact: Artifact) -> None:
        """This run has brought the file and hashed every byte of it: it need not be read again."""
        self._fetched.add(artifact.name)

    def let_go_of_done(self, seen: Mapping[str, Seen]) -> None:
        """Remove the archives that a killed run had unpacked and not let go."""
        for artifact in self._task.wanted:
            if seen[artifact.name].state is not State.STAGED or self._task.keeps_archive(artifact):
                continue
            if self._home.archive(artifact.name).exists() or self._home.shard_folder(artifact.name).exists():
                drop_archive(self._home, artifact, self._tell)

    def unpack(self, artifact: Artifact, only: frozenset[str]) -> None:
        """Stage and seal what the layout takes of it, or only the paths in `only`; then the archive is let go.

        A damaged archive is removed, and this returns if it is worth fetching once more. Raises UnsafeArchive and
        LayoutMismatch for what is refused, NoRoom for faults of the disk.
        """
        home, name = self._home, artifact.name
        store.remove_tree(home.seal(name))  # of a recipe that has changed since
        try:
            files, fetched = self._archive(artifact)
            if artifact.unpack:
                result = self._extract(artifact, files, only, fetched.url, fetched.fetched_at)
            else:
                result = self._link(artifact, files, fetched) or place_file(
                    files, artifact, self._rules, home.staging(name), fetched, stop=self._stopped.is_set
                )
        except DamagedArchive as error:
            self.damaged(artifact, error)
            return
        except UnsafeArchive as error:
            # Another copy would be refused as well: it is kept, so that a run in a loop does not fetch it for ever.
            raise UnsafeArchive(
                str(error), error.hint or f"remove {home.archive(name)} to fetch it anew"
            ) from error
        self._stage(artifact, result, only)
        if not self._task.keeps_archive(artifact):
            drop_archive(home, artifact, self._tell)

    def unpack_where_they_lie(
        self, artifact: Artifact, archives: Sequence[Path], only: frozenset[str]
    ) -> None:
        """Stage and seal what the layout takes of archives that a person brought; those are only read.

        Raises as `extract` does.
        """
        store.remove_tree(self._home.seal(artifact.name))
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._stage(artifact, self._extract(artifact, archives, only, BY_HAND, at), only)

    def _extract(
        self, artifact: Artifact, files: Sequence[Path], only: frozenset[str], url: str, fetched_at: str
    ) -> Extracted:
        result = extract(
            files,
            artifact,
            self._rules,
            self._home.staging(artifact.name),
            names=self._settings.names,
            url=url,
            fetched_at=fetched_at,
            only=only,
            picks=self._task.picks(artifact),
            have=self._published(artifact) if not only and self._task.falls_short(artifact) else frozenset(),
            sort=self._sorter(artifact),
            emit=self._tell,
            stop=self._stopped.is_set,
            held=self._task.held,
        )
        if only or not any(other.mends(artifact) for other in self._artifacts):
            return result
        name, short = artifact.name, self._task.falls_short(artifact)
        before = inventory.undecodable(self._home, name) if short else ()
        return weed(result, name, self._home, self._tell, self._stopped.is_set, before)

    def _sorter(self, artifact: Artifact) -> Sort | None:
        if not artifact.sort:
            return None
        from datafetch.lists.sorting import sorter  # readers of lists, which few archives need

        return sorter(self._task, artifact)

    def _stage(self, artifact: Artifact, result: Extracted, only: frozenset[str]) -> None:
        home, name = self._home, artifact.name
        with journal.Journal(home.journal(name)) as rows:
            if not only:
                dropped = {Outcome.SKIPPED: result.skipped}
                picks = self._task.picks(artifact)
                rows.append(journal.Staged(len(result.records), self._settings.names, dropped, picks))
            elif before := journal.as_built(journal.known(home.journal(name))):
                rows.append(before)
            seal(home.state, slug(name), by_path(result.records))
        if astray := result.skipped.get(ELSEWHERE):
            text = f"{name}: {astray} pictures lie outside the folders that the layout speaks of, and are left out"
            self._tell(Event("note", name, text=text))
        if name in self._linked:  # before its state is remembered: losing a name changes that
            drop_archive(home, artifact, self._tell)
        size = sum(record.size for record in result.records)
        self._tell(Event("staged", name, done=size, count=len(result.records)))

    def _published(self, artifact: Artifact) -> frozenset[str]:
        files = [entry for entry in inventory.published(self._home) if entry.artifact == artifact.name]
        made = {f"{artifact.folder}/{each.to}" for each in self._task.recipe.finish}  # to fit what comes
        gone = inventory.lost(self._home.root, files) | inventory.damaged(self._home)
        return frozenset(entry.path for entry in files) - gone - made

    def _link(self, artifact: Artifact, files: Sequence[Path], fetched: Fetched) -> Extracted | None:
        """A file that this run has verified takes its place without being copied, unless it is kept as well."""
        if artifact.name not in self._fetched or self._settings.keep_archives or len(files) != 1:
            return None
        staging = self._home.staging(artifact.name)
        result = link_file(files[0], artifact, self._rules, staging, fetched)
        if result is not None:
            self._linked.add(artifact.name)
        return result

    def _archive(self, artifact: Artifact) -> tuple[list[Path], Fetched]:
        """The file or files to open, and what is known of the whole. Raises DamagedArchive for shards that do not
        make the file that the recipe speaks of.
        """
        home = self._home
        if not isinstance(artifact.source, Shards):
            known = journal.known(home.journal(artifact.name)).done
            assert known is not None, "a fetched file is in the journal"
            return [home.archive(artifact.name)], known
        names = [shard.name for shard in artifact.source.shards]
        files = [home.shard(artifact.name, name) for name in names]
        first = journal.known(home.journal(home.shard_key(artifact.name, names[0]))).done
        assert first is not None, "a fetched shard is in the journal"
        if artifact.unpack and not artifact.checksums and artifact.size is None:
            return files, first  # nothing is known of the whole: each shard was checked by itself
        size, digests = digests_of(files, [checksum.algorithm for checksum in artifact.checksums])
        whole = replace(first, size=size, sha256=digests["sha256"], digests=tuple(digests.items()))
        if not whole.satisfies(artifact.size, artifact.checksums):
            raise DamagedArchive(
                f"{artifact.name}: the joined parts are not the file that its checksum names"
            )
        return files, whole

    def damaged(self, artifact: Artifact, error: DamagedArchive) -> None:
        """Let go of the archive. One without a published checksum may be fetched once more; else raises `error`."""
        drop_archive(self._home, artifact, self._tell, error.shard)
        match artifact.source:
            case Shards(shards=shards):
                proven = bool(artifact.checksums) or all(shard.checksums for shard in shards)
            case Manual() | Bundled():
                proven = True
            case _:
                proven = bool(artifact.checksums)
        if proven or artifact.name in self._damaged:
            raise error
        self._damaged.add(artifact.name)
        self._tell(Event("retry", artifact.name, why=Why.UNSAFE, text=f"{error}; fetching it once more"))


def drop_archive(home: Home, artifact: Artifact, tell: Callable[[Event], None], shard: str = "") -> None:
    """Let go of what was fetched; of an archive in shards only of this one, if one is named."""
    name = artifact.name
    store.remove_tree(home.archive(name))
    freed = name
    if isinstance(artifact.source, Shards):
        store.remove_tree(home.shard(name, shard) if shard else home.shard_folder(name))
        freed = home.shard_key(name, shard) if shard else name
    tell(Event("freed", freed))
