"""What a plan costs, before the first byte: bytes to fetch and disk to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datafetch.model import Artifact, Inventory, Members, Seen, Shards, State, UrlList


@dataclass(frozen=True, slots=True)
class Line:
    """One artifact in the plan's table."""

    name: str
    folder: str
    state: State
    todo: int | None  # bytes still to fetch; None is unknown
    size: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """Costs of a plan. Where sizes are unknown the sums hold the known part, and `unknown` counts the rest."""

    lines: tuple[Line, ...]
    fetch: int  # bytes to transfer
    disk: int  # bytes of free space to have: archives, and the files inside them
    unknown: int  # artifacts to fetch whose size nobody has published


def estimate(wanted: Sequence[Artifact], seen: Inventory, at_once: Mapping[str, int]) -> Budget:
    """The budget of getting `wanted` from here.

    An archive and the tree built from it exist side by side until the tree is durable, and images hardly compress, so
    each archive counts twice: the bytes still to fetch, and once more for its files. Of those in `at_once` no more
    than so many shards are on disk at a time.
    """
    lines = tuple(_line(artifact, seen.get(artifact.name, Seen()), at_once) for artifact in wanted)
    pending = [line for line in lines if line.state is not State.BUILT]
    fetch = sum(line.todo or 0 for line in pending)
    trees = sum(line.size or 0 for line in pending if line.state is not State.STAGED)
    less = sum(
        _spared(artifact, line, seen.get(artifact.name, Seen()), at_once)
        for artifact, line in zip(wanted, lines, strict=True)
    )
    unknown = sum(line.todo is None for line in pending)
    return Budget(lines, fetch, fetch + trees - less, unknown)


def _members_line(artifact: Artifact, now: Seen, members: Members) -> Line:
    note = "only the members that are wanted are fetched, by ranges"
    if members.all:
        note = "unpacked while it arrives: no archive on disk, if its server gives ranges"
        return Line(artifact.name, artifact.folder, now.state, members.fetch, members.tree, note)
    if members.fetch is None:
        note += ": how many bytes that is shows once the archive's directory was read"
    return Line(artifact.name, artifact.folder, now.state, members.fetch, members.tree, note)


def _spared(artifact: Artifact, line: Line, now: Seen, at_once: Mapping[str, int]) -> int:
    """Bytes to fetch that need no room, because others have gone when they come, or because they are no archive."""
    if now.members is not None:
        return line.todo or 0
    if (
        artifact.name not in at_once
        or not isinstance(artifact.source, Shards)
        or not line.size
        or not line.todo
    ):
        return 0
    shard = -(-line.size // len(artifact.source.shards))
    return max(line.todo - at_once[artifact.name] * shard, 0)


def _line(artifact: Artifact, now: Seen, at_once: Mapping[str, int]) -> Line:
    if now.members is not None:
        return _members_line(artifact, now, now.members)
    if isinstance(artifact.source, UrlList) and artifact.source.mending:
        note = f"only what does not decode of {artifact.source.file}"
        return Line(artifact.name, artifact.folder, now.state, 0, 0, note)
    size = now.size if now.size is not None else artifact.size
    if now.state in (State.FETCHED, State.STAGED, State.BUILT):
        todo: int | None = 0
    else:
        todo = None if size is None else max(size - now.bytes_here, 0)
    note = ""
    if artifact.name in at_once and isinstance(artifact.source, Shards) and todo != 0:
        most, count = at_once[artifact.name], len(artifact.source.shards)
        note = f"unpacked while it arrives: no more than {most} of its {count} shards are on disk at a time"
    return Line(artifact.name, artifact.folder, now.state, todo, size, note)
