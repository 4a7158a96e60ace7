"""What a plan costs, before the first byte: bytes to fetch and disk to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datafetch.model import Artifact, Inventory, Members, Seen, Shards, State, UrlList
from datafetch.plan.order import Order
from datafetch.plan.peak import Disk, peak, size_of


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
    disk: int  # bytes of free space to have
    unknown: int  # artifacts to fetch whose size nobody has published
    peak: int = 0  # most bytes that the dataset takes at a time, with what it takes now
    order: Order = Order.WIDE
    ranks: tuple[str, ...] = ()  # in which order artifacts are got, one at a time; empty: several at once
    wide: int = 0  # what the peak would be with several archives under way
    sure: bool = True  # whether all sizes are known: else `disk` and `peak` are the least
    fits: bool = True
    files: int | None = None  # to be written, as far as they are counted


def estimate(
    wanted: Sequence[Artifact], seen: Inventory, at_once: Mapping[str, int], disk: Disk | None = None
) -> Budget:
    """The budget of getting `wanted` from here.

    An archive and its files exist side by side until these are durable, and images hardly compress: so the files of
    an archive are taken to be as large as it is. Of those in `at_once` no more than so many shards are on disk at a
    time.
    """
    disk = disk or Disk()
    lines = tuple(_line(artifact, seen.get(artifact.name, Seen()), at_once) for artifact in wanted)
    pending = [line for line in lines if line.state is not State.BUILT]
    fetch = sum(line.todo or 0 for line in pending)
    unknown = sum(line.todo is None for line in pending)
    most = peak(wanted, seen, disk, at_once)
    fits = most.fits and (disk.inodes_free is None or (disk.files or 0) <= disk.inodes_free)
    return Budget(
        lines=lines,
        fetch=fetch,
        disk=most.bytes - disk.taken,
        unknown=unknown,
        peak=most.bytes,
        order=most.order,
        ranks=most.ranks,
        wide=most.wide,
        sure=most.sure,
        fits=fits,
        files=disk.files,
    )


def _members_line(artifact: Artifact, now: Seen, members: Members) -> Line:
    note = "only the members that are wanted are fetched, by ranges"
    if members.all:
        note = "unpacked while it arrives: no archive on disk, if its server gives ranges"
        return Line(artifact.name, artifact.folder, now.state, members.fetch, members.tree, note)
    if members.fetch is None:
        note += ": how many bytes that is shows once the archive's directory was read"
    return Line(artifact.name, artifact.folder, now.state, members.fetch, members.tree, note)


def _line(artifact: Artifact, now: Seen, at_once: Mapping[str, int]) -> Line:
    if now.members is not None:
        return _members_line(artifact, now, now.members)
    if isinstance(artifact.source, UrlList) and artifact.source.mending:
        note = f"only what does not decode of {artifact.source.file}"
        return Line(artifact.name, artifact.folder, now.state, 0, 0, note)
    size = size_of(artifact, now)
    if now.state in (State.FETCHED, State.STAGED, State.BUILT):
        todo: int | None = 0
    else:
        todo = None if size is None else max(size - now.bytes_here, 0)
    note = ""
    if artifact.name in at_once and isinstance(artifact.source, Shards) and todo != 0:
        most, count = at_once[artifact.name], len(artifact.source.shards)
        note = f"unpacked while it arrives: no more than {most} of its {count} shards are on disk at a time"
    return Line(artifact.name, artifact.folder, now.state, todo, size, note)
