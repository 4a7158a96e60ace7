"""The most that a dataset takes on disk while it is got, in either order of work; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from datafetch.model import (
    Artifact,
    Derived,
    Http,
    Inventory,
    Manual,
    Own,
    Seen,
    Shards,
    State,
    UrlList,
    Verb,
)
from datafetch.plan.difference import difference
from datafetch.plan.order import Order, narrowed, ranked

PER_FILE = 2048 + 1024  # bytes on top of a file's own: half a block, and its lines in seal and manifest

PICTURE = 20_000  # bytes that a picture is taken to have where nobody counts the files of an archive

LEAST_MEMBER = 128  # bytes that one file takes in an archive, its headers and names alone


@dataclass(frozen=True, slots=True)
class Here:
    """Bytes on disk of one artifact that is not built."""

    file: int = 0  # archive, part, shards
    tree: int = 0  # staged files


@dataclass(frozen=True, slots=True)
class Disk:
    """What there is of the disk, and what may be taken of it. The defaults are an empty disk without end."""

    taken: int = 0  # by the dataset, now; what is in `here` included
    here: Mapping[str, Here] = field(default_factory=dict)  # by artifact; absent: as `Seen.bytes_here` says
    free: int | None = None  # bytes still to be had on the file system
    most: int | None = None  # bytes that the dataset may take in all
    inodes_free: int | None = None
    lost: Mapping[str, int] = field(
        default_factory=dict
    )  # bytes of published files to bring back, by artifact
    kept: Collection[str] = ()  # artifacts whose archive stays when it was unpacked
    partly: Collection[str] = ()  # artifacts of which only a part is unpacked
    files: int | None = None  # that will be written, as far as recipe or directories count them


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that one artifact takes; None is unknown."""

    archive: int | None  # until its files are staged
    tree: int | None
    stays: bool = False  # the archive is not freed then
    arriving: bool = False  # its files are written while it is got


@dataclass(frozen=True, slots=True)
class Peak:
    bytes: int  # of the known part, what is here already included
    order: Order  # the order of work it is the peak of
    ranks: tuple[str, ...]  # in which order artifacts are got, one at a time; empty when wide
    wide: int  # that of getting several at once
    sure: bool  # whether every size is known
    fits: bool


def peak(wanted: Sequence[Artifact], seen: Inventory, disk: Disk, at_once: Mapping[str, int]) -> Peak:
    """The peak of getting `wanted` from here, in the order that is chosen:

    wide      when all archives and all trees fit beside each other
    narrow    when only that fits, when nothing does, and under `disk.most` also when sizes are unknown
    """
    costs = {a.name: cost(a, seen.get(a.name, Seen()), disk, at_once) for a in wanted}
    pending = [a.name for a in wanted if seen.get(a.name, Seen()).state is not State.BUILT]
    unfinished = [name for name in pending if seen.get(name, Seen()).state is not State.STAGED]
    sure = all(None not in (costs[name].archive, costs[name].tree) for name in unfinished)
    lines, more = _lines(wanted, unfinished, disk, costs)
    wide = _wide(wanted, seen, disk, costs) + lines
    if _fits(wide + more, disk) and (sure or disk.most is None):
        return Peak(wide + more, Order.WIDE, (), wide + more, sure, True)
    ranks = ranked(wanted, seen, {name: one.archive for name, one in costs.items()})
    narrow = _narrow(wanted, seen, disk, costs, ranks) + lines
    fits = _fits(narrow, disk) and (sure or disk.most is None or disk.taken < disk.most)
    stated = max(narrow, int(min(narrow + more, _most(disk)))) if fits else narrow + more
    return Peak(stated, Order.NARROW, ranks, wide + more, sure, fits)


def _lines(
    wanted: Sequence[Artifact], unfinished: Collection[str], disk: Disk, costs: Mapping[str, Cost]
) -> tuple[int, int]:
    """What files take on top of their bytes: for those that are counted, and for those that are only guessed, as many
    as pictures fit into what is unpacked. Nothing is refused for a guess: the run stops at the limit itself.
    """
    if disk.files is None:
        unpacked = (a.name for a in wanted if a.unpack and a.name in unfinished)
        return 0, sum((costs[name].tree or 0) // PICTURE for name in unpacked) * PER_FILE
    # What a recipe counts may not be what upstream has today: no archive holds more files than it has room for.
    room = sum(max(costs[name].archive or 0, costs[name].tree or 0) for name in unfinished)
    return min(disk.files, room // LEAST_MEMBER) * PER_FILE, 0


def _fits(peak: int, disk: Disk) -> bool:
    return peak <= max(_most(disk), disk.taken)


def _most(disk: Disk) -> float:
    """Bytes that the dataset may take in all, for want of room or by its limit."""
    free = inf if disk.free is None else disk.taken + disk.free
    return min(free, inf if disk.most is None else disk.most)


def cost(artifact: Artifact, now: Seen, disk: Disk, at_once: Mapping[str, int]) -> Cost:
    """What one artifact takes on its way. Pictures hardly compress: an archive's files are taken to be as large as
    it is, and those of a part of it to be nothing that is known.
    """
    size, kept = size_of(artifact, now), artifact.name in disk.kept
    match artifact.source:
        case _ if now.members is not None:
            return Cost(0, now.members.tree, arriving=True)
        case UrlList(mending=True):
            return Cost(0, 0, arriving=True)
        case UrlList() | Own() | Derived():
            return Cost(0, None, arriving=True)
        case Manual() if artifact.several:  # they are unpacked where they lie
            return Cost(0, _tree(artifact, size, disk), arriving=True)
        case Shards(shards=shards) if artifact.name in at_once:
            most = None if size is None else min(at_once[artifact.name] * -(-size // len(shards)), size)
            return Cost(most, _tree(artifact, size, disk), arriving=True)
        case Http() if not artifact.unpack and now.state is not State.FETCHED and not kept:
            return Cost(0, size)  # it takes its place without being copied
    return Cost(size, _tree(artifact, size, disk), kept)


def _tree(artifact: Artifact, size: int | None, disk: Disk) -> int | None:
    if artifact.name in disk.lost:
        return disk.lost[artifact.name]
    return None if artifact.name in disk.partly else size


def size_of(artifact: Artifact, now: Seen) -> int | None:
    """Bytes of the artifact as it is fetched, as far as an earlier run or the recipe knows."""
    size = now.size if now.size is not None else artifact.size
    if size is None and isinstance(artifact.source, Shards):
        sizes = [shard.size for shard in artifact.source.shards]
        return None if None in sizes else sum(each or 0 for each in sizes)
    return size


def _here(name: str, seen: Inventory, disk: Disk) -> Here:
    return disk.here.get(name) or Here(seen.get(name, Seen()).bytes_here)


def _wide(wanted: Sequence[Artifact], seen: Inventory, disk: Disk, costs: Mapping[str, Cost]) -> int:
    """How far each has come when another begins is chance; but one archive is unpacked at a time, and then freed."""
    used, transient = _freed(wanted, seen, disk, costs), 0
    for artifact in wanted:
        now, one = seen.get(artifact.name, Seen()), costs[artifact.name]
        if now.state in (State.STAGED, State.BUILT):
            continue
        here = _here(artifact.name, seen, disk)
        archive, tree = max(one.archive or 0, here.file), max(one.tree or 0, here.tree)
        both = archive + tree
        alone = one.stays or one.arriving
        at_rest = both if alone else max(archive + here.tree, tree)
        used += at_rest - here.file - here.tree
        transient = max(transient, both - at_rest)
    return max(used + transient, disk.taken)


def _freed(wanted: Sequence[Artifact], seen: Inventory, disk: Disk, costs: Mapping[str, Cost]) -> int:
    """What is taken once archives are freed that a killed run had done with."""
    done = (a.name for a in wanted if seen.get(a.name, Seen()).state is State.STAGED)
    return disk.taken - sum(_here(name, seen, disk).file for name in done if not costs[name].stays)


def _narrow(
    wanted: Sequence[Artifact],
    seen: Inventory,
    disk: Disk,
    costs: Mapping[str, Cost],
    ranks: Sequence[str],
) -> int:
    """The run played through, step by step as it will be made."""
    states = {name: seen.get(name, Seen()) for name in costs}
    used = _freed(wanted, seen, disk, costs)
    most = max(used, disk.taken)
    while steps := narrowed(difference(wanted, states), ranks).steps:
        step = steps[0]
        if step.verb is Verb.BUILD:
            mates = [a.name for a in wanted if a.folder == step.name]
            states |= {name: replace(states[name], state=State.BUILT) for name in mates}
            continue
        one, here = costs[step.name], _here(step.name, seen, disk)
        archive, tree = max(one.archive or 0, here.file), max((one.tree or 0) - here.tree, 0)
        state = State.STAGED
        if step.verb is Verb.GET:
            used += archive - here.file
            state = State.STAGED if one.arriving else State.FETCHED
        if state is State.STAGED:
            used += tree
        most = max(most, used)
        if state is State.STAGED and not one.stays:
            used -= archive
        states[step.name] = replace(states[step.name], state=state)
    return most
