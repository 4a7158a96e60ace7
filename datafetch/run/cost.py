"""What a run will cost, from what is here: the disk is measured, the recipe asked, and the plan told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from datafetch.model import Http, Members, Seen, Shards, State
from datafetch.plan.budget import Budget, estimate
from datafetch.plan.inodes import files_to_come
from datafetch.plan.peak import Disk, Here
from datafetch.store import held
from datafetch.store.held import Held
from datafetch.store.inventory import Entry
from datafetch.store.room import free_space
from datafetch.task import Task


def measure(task: Task, seen: Mapping[str, Seen], files: Sequence[Entry]) -> tuple[Budget, Disk, Held]:
    """The budget, the disk that it was made for, and what the dataset takes, to be kept up with by events."""
    taken, parts = held.look(task.home, task.recipe.artifacts, files)
    disk = _disk(task, seen, files, taken, parts)
    seen = _forecast(task, seen)
    disk = replace(disk, files=files_to_come(task.recipe, task.wanted, seen, disk.partly))
    most = task.settings.max_disk
    limit = None if most is None else max(most, taken)
    return estimate(task.wanted, seen, _at_once(task), disk), disk, Held(taken, parts, task.wanted, limit)


def fitted(task: Task, seen: Mapping[str, Seen], files: Sequence[Entry]) -> tuple[Task, Budget, Disk, Held]:
    """The task and what `measure` says of it; where archives and trees do not fit side by side, one that unpacks
    archives while they arrive, if that fits.
    """
    found = measure(task, seen, files)
    settings = task.settings
    if not found[0].fits and not settings.stream and not settings.keep_archives:
        streaming = replace(task, settings=replace(settings, stream=True))
        other = measure(streaming, seen, files)
        if other[0].fits:
            return streaming, *other
    return task, *found


def _disk(
    task: Task, seen: Mapping[str, Seen], files: Sequence[Entry], taken: int, parts: held.Taken
) -> Disk:
    here: dict[str, Here] = {}
    for artifact in task.wanted:
        source = artifact.source
        shards = source.shards if isinstance(source, Shards) else ()
        keys = (artifact.name, *(task.home.shard_key(artifact.name, shard.name) for shard in shards))
        own = [parts.get(key, (0, 0)) for key in keys]
        here[artifact.name] = Here(sum(file for file, _ in own), sum(tree for _, tree in own))
    lost: dict[str, int] = {}
    for file in files:
        if file.artifact in seen and file.path in seen[file.artifact].lost:
            lost[file.artifact] = lost.get(file.artifact, 0) + file.size
    free, inodes = free_space(task.home.root)
    return Disk(
        taken=taken,
        here=here,
        free=free,
        most=task.settings.max_disk,
        inodes_free=inodes,
        lost=lost,
        kept={a.name for a in task.wanted if task.keeps_archive(a)},
        partly={a.name for a in task.wanted if task.picks(a) or task.falls_short(a)},
    )


def _at_once(task: Task) -> dict[str, int]:
    """How many shards are on disk at a time, of the artifacts that are unpacked while they arrive."""
    from datafetch.layout.onepass import AT_ONCE, streams  # a complete dataset needs no layout

    layout, settings = task.recipe.layout, task.settings
    return {a.name: AT_ONCE for a in task.wanted if streams(a, layout, settings, task.picks(a))}


def _forecast(task: Task, seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """The same, with what members cost of which alone is to be asked."""
    found = dict(seen)
    for artifact in task.wanted:
        now = seen[artifact.name]
        if now.state not in (State.ABSENT, State.PARTIAL) or not isinstance(artifact.source, Http):
            continue
        from datafetch.obtain.partly import (  # what is complete needs neither archives nor layout
            forecast,
            partly,
        )
        from datafetch.obtain.streamed import streams_tar

        if partly(task, artifact, now.lost):
            members = forecast(task, artifact, now.lost)
            if members.all and members.tree is None:  # images hardly compress
                members = replace(members, tree=artifact.size)
            found[artifact.name] = replace(now, members=members)
        elif streams_tar(task, artifact):
            found[artifact.name] = replace(now, members=Members(artifact.size, artifact.size, all=True))
    return found
