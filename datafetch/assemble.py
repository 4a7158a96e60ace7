"""Staged artifacts into their folder, then the manifest, then the journal; only then is the rest let go."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from datafetch.documents.finish import finish
from datafetch.documents.gathered import gather
from datafetch.layout import manifest
from datafetch.layout.build import drop_seals, publish, sealed
from datafetch.layout.withdraw import remove_ours
from datafetch.model import Artifact, Derived, Event, FileRecord, Own, UrlList
from datafetch.store import inventory, journal
from datafetch.store.home import Home, slug
from datafetch.task import Task
from datafetch.unpack.unpacker import drop_archive
from datafetch.verify import remember, write_damaged


@dataclass(frozen=True, slots=True)
class Published:
    files: int
    bytes: int


def assemble(task: Task, folder: str, tell: Callable[[Event], None]) -> Mapping[str, Published]:
    """Publish what is staged for a folder; what comes back is all that each of its artifacts now has there.

    Blocks; may be cut off anywhere and done again. Raises Damaged when staged files are gone, NoRoom and its like
    for faults of the disk.
    """
    home = task.home
    gather(task, folder, tell)
    staged = [a for a in task.wanted if a.folder == folder and home.seal(a.name).exists()]
    slugs = [slug(a.name) for a in staged]
    finish(home, task.recipe.finish, folder, slugs, tell)
    before = {record.path: record for record in manifest.salvage(home.manifest)}
    names = {artifact.name for artifact in staged}
    # Of derived documents another way was taken before: what this one brings stands in their place.
    others_made = {
        a.name for a in task.recipe.artifacts if isinstance(a.source, Derived) and a not in task.wanted
    }
    brought = {r.path for slug_ in slugs for r in sealed(home.state, slug_) or ()} if others_made else set()
    owned = {
        path: record.sha256
        for path, record in before.items()
        if record.artifact in names or (record.artifact in others_made and path in brought)
    }
    fresh = {path for artifact in staged for path in _proven(home, artifact)}
    others = [path for path in before if path not in owned and path.startswith(f"{folder}/")]
    records = publish(home.state, home.root, folder, slugs, owned, others)
    after = before | {record.path: record for record in records}
    # Before the manifest: the seal stands until both agree.
    remove_ours(home.root, [after.pop(path) for path in _withdrawn(task, staged, owned)])
    manifest.write(home.manifest, after.values())
    remember(home, [record for record in records if record.path in fresh])
    write_damaged(home, inventory.damaged(home) - {record.path for record in records})
    published = {}
    for artifact in staged:
        own = published[artifact.name] = _own(after.values(), artifact)
        path = home.journal(artifact.name)
        picked = staged_now.picked if (staged_now := journal.known(path).staged) else ()
        with journal.Journal(path) as rows:
            rows.append(journal.Built(own.files, own.bytes, task.settings.names, picked))
    for artifact in staged:  # what a killed run had unpacked and not let go
        if not task.keeps_archive(artifact):
            drop_archive(home, artifact, tell)
    drop_seals(home.state, slugs)  # last: as long as there is a seal, the next run knows that work is left
    built = [record for record in after.values() if record.path.startswith(f"{folder}/")]
    tell(Event("built", folder, count=len(built), done=sum(record.size for record in built)))
    return published


def _withdrawn(task: Task, staged: Sequence[Artifact], owned: Collection[str]) -> set[str]:
    """Published paths of these artifacts that their lists no longer vouch for."""
    lists = [artifact for artifact in staged if isinstance(artifact.source, UrlList)]
    theirs = [artifact for artifact in staged if isinstance(artifact.source, Own)]
    if theirs and owned:
        from datafetch.own.bring import withdrawn as no_longer_made

        return set[str]().union(*(no_longer_made(task.home, artifact, owned) for artifact in theirs))
    if not lists or not owned:
        return set()
    from datafetch.images.lacking import withdrawn
    from datafetch.lists.placing import extensions, placing

    home, found = task.home, set[str]()
    bad = inventory.damaged(home)

    def standing(path: str) -> bool:
        return path not in owned or (path not in bad and os.path.lexists(home.root / path))

    for artifact in lists:
        place = placing(artifact, task.recipe.layout, extensions(home, artifact))
        found.update(withdrawn(home.batches(artifact.name), place, standing))
    return found.intersection(owned)


def _own(records: Iterable[FileRecord], artifact: Artifact) -> Published:
    sizes = [record.size for record in records if record.artifact == artifact.name]
    return Published(len(sizes), sum(sizes))


def _proven(home: Home, artifact: Artifact) -> Iterator[str]:
    """The sealed paths whose bytes are known to be right: those that are on their way. Others are published, and
    kept by their size alone.
    """
    places = (f"{home.staging(artifact.name)}/", f"{home.state}/assembling/")
    for record in sealed(home.state, slug(artifact.name)) or ():
        if any(os.path.lexists(place + record.path) for place in places):
            yield record.path
