"""Staged artifacts into their folder, then the manifest, then the journal; only then is the rest let go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from datafetch.documents.finish import finish
from datafetch.documents.gathered import gather
from datafetch.layout import manifest
from datafetch.layout.build import exhaust, publish
from datafetch.layout.digests import Digests
from datafetch.layout.seals import drop_seals, staged_paths
from datafetch.layout.withdraw import remove_ours
from datafetch.lock.hold import approve
from datafetch.model import Artifact, Derived, Event, Own, UrlList
from datafetch.store import inventory, journal
from datafetch.store.home import Home, slug
from datafetch.task import Task
from datafetch.unpack.unpacker import drop_archive
from datafetch.verify.damage import write_damaged
from datafetch.verify.sights import add, remember


@dataclass(slots=True)
class Published:
    files: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        self.files += 1
        self.bytes += size


def assemble(task: Task, folder: str, tell: Callable[[Event], None]) -> Mapping[str, Published]:
    """Publish what is staged for a folder; what comes back is all that each of its artifacts now has there.

    Blocks; may be cut off anywhere and done again. Raises Damaged when staged files are gone, Drifted when they are not
    those of the lock file that the task is held to, NoRoom and its like for faults of the disk. Records are read from
    seals and manifest each time they are needed, never all held.
    """
    home = task.home
    gather(task, folder, tell)
    staged = [a for a in task.wanted if a.folder == folder and home.seal(a.name).exists()]
    slugs = [slug(a.name) for a in staged]
    finish(home, task.recipe.finish, folder, slugs, tell)
    if task.locked is not None:
        approve(home, task.recipe, staged, task.locked)
    names = {artifact.name for artifact in staged}
    # Of derived documents another way was taken before: what this one brings stands in their place.
    others_made = {
        a.name for a in task.recipe.artifacts if isinstance(a.source, Derived) and a not in task.wanted
    }
    brought = Digests.of(_sealed(home, staged) if others_made else ())

    def ours(entry: inventory.Entry) -> bool:
        return entry.artifact in names or (entry.artifact in others_made and entry.path in brought)

    owned = Digests.of(entry.path for entry in inventory.published(home) if ours(entry))
    # A folder that moves in as a whole changes no file on the way: what is seen of them then need not be seen again.
    as_a_whole = not os.path.lexists(home.root / folder)
    saw = partial(add, home) if as_a_whole else exhaust
    on_their_way = (path for artifact in staged for path in _on_their_way(home, artifact))
    fresh = Digests.of(() if as_a_whole else on_their_way)
    others = (entry.path for entry in inventory.published(home) if not ours(entry))
    publish(home.state, home.root, folder, slugs, owned, others, saw)
    # Before the manifest: the seal stands until both agree.
    seals = [home.seal(artifact.name) for artifact in staged]
    if gone := _withdrawn(task, staged, owned):
        after = manifest.with_seals(home.manifest, seals)
        remove_ours(home.root, (line for line in after if line.path in gone))
    published = {artifact.name: Published() for artifact in staged}
    built = Published()

    def counted() -> Iterator[manifest.Line]:
        below = f"{folder}/"
        for line in manifest.with_seals(home.manifest, seals):
            if line.path not in gone:
                if line.artifact in published:
                    published[line.artifact].add(line.size)
                if line.path.startswith(below):
                    built.add(line.size)
                yield line

    manifest.write_sorted(home.manifest, counted())
    if not as_a_whole:
        remember(home, (path for path in _sealed(home, staged) if path in fresh))
    if damaged := inventory.damaged(home):
        write_damaged(home, sorted(damaged.difference(_sealed(home, staged))))
    for artifact in staged:
        own, path = published[artifact.name], home.journal(artifact.name)
        picked = staged_now.picked if (staged_now := journal.known(path).staged) else ()
        with journal.Journal(path) as rows:
            rows.append(journal.Built(own.files, own.bytes, task.settings.names, picked))
    for artifact in staged:  # what a killed run had unpacked and not let go
        if not task.keeps_archive(artifact):
            drop_archive(home, artifact, tell)
    drop_seals(home.state, slugs)  # last: as long as there is a seal, the next run knows that work is left
    tell(Event("built", folder, count=built.files, done=built.bytes))
    return published


def _sealed(home: Home, staged: Iterable[Artifact]) -> Iterator[str]:
    return chain.from_iterable(staged_paths(home.state, slug(artifact.name)) for artifact in staged)


def _withdrawn(task: Task, staged: Sequence[Artifact], owned: Digests) -> frozenset[str]:
    """Published paths of these artifacts that their lists no longer vouch for."""
    lists = [artifact for artifact in staged if isinstance(artifact.source, UrlList)]
    theirs = [artifact for artifact in staged if isinstance(artifact.source, Own)]
    home = task.home
    if theirs and owned:
        from datafetch.own.bring import withdrawn as no_longer_made

        published = [entry.path for entry in inventory.published(home) if entry.path in owned]
        each = (no_longer_made(home, artifact, published) for artifact in theirs)
        return frozenset[str]().union(*each)
    if not lists or not owned:
        return frozenset()
    from datafetch.images.lacking import withdrawn
    from datafetch.lists.placing import extensions, placing

    bad = inventory.damaged(home)
    found: list[str] = []

    def standing(path: str) -> bool:
        return path not in owned or (path not in bad and os.path.lexists(home.root / path))

    for artifact in lists:
        place = placing(artifact, task.recipe.layout, extensions(home, artifact))
        gone = withdrawn(home.batches(artifact.name), place, standing)
        found.extend(path for path in gone if path in owned)
    return frozenset(found)


def _on_their_way(home: Home, artifact: Artifact) -> Iterator[str]:
    """The paths below which files stand that are about to be published: of those that are sealed, their bytes are
    known to be right. Other sealed files are published, and kept by their size alone.
    """
    for place in (str(home.staging(artifact.name)), f"{home.state}/assembling"):
        for above, _, names in os.walk(place):
            below = above[len(place) + 1 :]
            yield from (f"{below}/{name}" for name in names)
