"""An archive's members, written once, straight to where the layout wants them, below a staging folder."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from datafetch.archive.crew import Work, Written, processes, stopped, unpack_shared, until
from datafetch.archive.members import CHUNK, DEFAULT_LIMITS, Archive, Limits
from datafetch.archive.open import open_archive, open_passing
from datafetch.archive.passing import unpack_passing
from datafetch.archive.staging import Extracted, Origin, fresh
from datafetch.archive.writing import write_new
from datafetch.errors import LayoutMismatch, NoRoom, UnsafeArchive
from datafetch.layout.place import place, place_ahead
from datafetch.layout.ready import file_name
from datafetch.model import Artifact, Event, Rule, Subset
from datafetch.store.durable import sync_tree
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree, remove_tree
from datafetch.store.held import Held
from datafetch.store.room import free_space

Emit = Callable[[Event], None]
Stop = Callable[[], bool]
Sort = Callable[[Sequence[str]], Sequence[tuple[int, str]]]  # names -> (index, name with its folder)

UNLISTED = "in no list"
_TELL_EVERY = 0.2  # seconds
_ROOMY = (
    8  # times the size of an archive; with less room, what it unpacks to is found out before it is written
)


def extract(
    archive: Path | Sequence[Path],
    artifact: Artifact,
    rules: Sequence[Rule],
    into: Path,
    *,
    names: str,
    url: str,
    fetched_at: str,
    only: frozenset[str] = frozenset(),
    picks: Sequence[Subset] = (),
    have: frozenset[str] = frozenset(),
    sort: Sort | None = None,
    emit: Emit,
    stop: Stop,
    limits: Limits = DEFAULT_LIMITS,
    held: Held | None = None,
) -> Extracted:
    """Unpack an archive, or shards read as one, into the fresh folder `into`; durable when this returns.

    Every member is listed, checked and placed before the first byte is written, but those of a compressed tar, which
    are when all of it has been read. Unless `only` is empty, just its paths are written; one that the archive does
    not hold is simply not among the records. Nor is what `picks` leave out, and what is in `have`, published before.
    `sort` puts members into folders before they are placed. What is about to be written is claimed of `held`.
    UnsafeArchive, LayoutMismatch, NoRoom, or Interrupted once `stop` turns true; then `into` is gone. May be
    called again; what stood in `into` is removed first.
    """
    remove_tree(into)
    origin = Origin(artifact.name, url, fetched_at)
    if (
        names == "keep"
        and not artifact.rows
        and not artifact.nested
        and not artifact.several
        and sort is None
        and not picks
        and not have
    ):
        spare = held.spare() if held is not None else 2**63
        passed = _in_one_pass(archive, artifact, rules, into, origin, only, emit, stop, limits, spare)
        if passed is not None:
            return passed
    with (
        open_archive(
            archive,
            limits,
            artifact.rows,
            artifact.nested,
            artifact.several,
            file_name(artifact),
            artifact.encoding,
        ) as opened,
        fresh(into),
    ):
        files = [member for member in opened.members if not member.is_dir]
        named = _sorted(artifact, [member.name for member in files], sort)
        placed = place(artifact, rules, [name for _, name in named], names, picks)
        wanted = [
            (at, target)
            for (at, _), target in zip(named, placed.targets, strict=True)
            if target is not None and target not in have and (not only or target in only)
        ]
        # As they lie, whatever the order of a list: going back in what is packed together unpacks it again.
        order = sorted(range(len(wanted)), key=lambda index: wanted[index][0])
        work = [(files[wanted[index][0]], wanted[index][1]) for index in order]
        sizes = [member.size for member, _ in work]
        check_room(into, artifact.name, sizes)
        if held is not None:
            held.claim_files(artifact.name, sizes)
        emit(Event("extract", artifact.name, total=len(work)))
        with _named(archive, artifact), user_errors(into):
            written: list[tuple[int, str]] = [(0, "")] * len(work)
            found = _write(opened, archive, work, into, stop)
            for index, size, sha256 in _told(found, len(work), artifact.name, emit):
                written[order[index]] = size, sha256
        sync_tree(into)
    records = tuple(
        origin.record(target, *one, files[at].name) for (at, target), one in zip(wanted, written, strict=True)
    )
    skipped = Counter(why for _, why in placed.skipped)
    skipped[UNLISTED] += len(files) - len({at for at, _ in named})
    return Extracted(records, dict(+skipped), placed.root)


def _sorted(artifact: Artifact, names: Sequence[str], sort: Sort | None) -> Sequence[tuple[int, str]]:
    """What is placed instead of the names: those that a list knows, with their folders."""
    if sort is None:
        return list(enumerate(names))
    named = sort(names)
    if not named:
        such = f", such as {min(names)!r}" if names else ""
        raise LayoutMismatch(
            f"{artifact.name}: none of its {len(names):,} files{such} is in {artifact.sort[0].file}",
            hint="bring the archive that belongs to this list",
        )
    return named


def _in_one_pass(
    archive: Path | Sequence[Path],
    artifact: Artifact,
    rules: Sequence[Rule],
    into: Path,
    origin: Origin,
    only: frozenset[str],
    emit: Emit,
    stop: Stop,
    limits: Limits,
    spare: int,
) -> Extracted | None:
    """`extract` of a compressed tar, inflated once. None when it is none, when room is short, or when the names that
    came first misled about where all of them go; then it is to be read twice.
    """
    stream = open_passing(archive)
    if stream is None:
        return None
    placed_ahead = place_ahead(artifact, rules)

    def guess(name: str) -> str | None:
        target = placed_ahead(name)
        return target if not only or target in only else None

    tell = _every(lambda done: emit(Event("extracting", artifact.name, done=done)))
    with closing(stream), fresh(into):
        if min(free_space(into)[0], spare) < _ROOMY * stream.packed_size:
            return None
        emit(Event("extract", artifact.name))
        with _named(archive, artifact), user_errors(into):
            members, written = unpack_passing(stream, guess, into, limits, stop, tell)
        files = [(index, member) for index, member in enumerate(members) if not member.is_dir]
        placed = place(artifact, rules, [member.name for _, member in files])
        records = []
        for (index, member), target in zip(files, placed.targets, strict=True):
            wanted = target if not only or target in only else None
            found = written.get(index)
            if (found[0] if found else None) != wanted:
                return None
            if found is not None:
                records.append(origin.record(*found, member.name))
        sync_tree(into)
    emit(Event("extracting", artifact.name, done=len(records), total=len(records)))
    return Extracted(tuple(records), dict(Counter(why for _, why in placed.skipped)), placed.root)


def check_room(into: Path, name: str, sizes: Sequence[int]) -> None:
    """NoRoom when files of these sizes will not fit: better now than hours later, with a full disk for everybody."""
    (free, inodes), needed = free_space(into), sum(sizes)
    if needed > free:
        text = f"{name} unpacks to {needed:,} bytes, and {free:,} are free at {into.parent}"
    elif len(sizes) > inodes:
        text = f"{name} unpacks to {len(sizes):,} files, and {into.parent} has room for {inodes:,}"
    else:
        return
    raise NoRoom(text, "make room and run the same command again: what is here is kept")


@contextmanager
def _named(archive: Path | Sequence[Path], artifact: Artifact) -> Iterator[None]:
    """Say of which file an error speaks; tables say it themselves."""
    try:
        yield
    except UnsafeArchive as error:
        if artifact.rows:
            raise
        if artifact.several:
            raise
        path = archive if isinstance(archive, Path) else archive[0]
        raise type(error)(f"{path.name}: {error}", error.hint) from error


def _write(
    opened: Archive, archive: Path | Sequence[Path], work: Work, into: Path, stop: Stop
) -> Iterator[Written]:
    count = processes(work) if opened.reader else 1
    if count > 1:
        paths = [archive] if isinstance(archive, Path) else archive
        yield from unpack_shared(opened, paths, work, into, count, stop)
        return
    with Tree(into) as tree:
        for index, (member, target) in enumerate(work):
            chunks = opened.read(member)
            yield index, *write_new(tree, target, until(stop, chunks) if member.size > CHUNK else chunks)
            if stop():
                raise stopped()


def _told(written: Iterator[Written], total: int, name: str, emit: Emit) -> Iterator[Written]:
    """What is written as it comes, with an event now and then."""
    tell = _every(lambda done: emit(Event("extracting", name, done=done, total=total)))
    for done, one in enumerate(written, 1):
        yield one
        if done < total:
            tell(done)
    if total:
        emit(Event("extracting", name, done=total, total=total))


def _every(emit: Callable[[int], None]) -> Callable[[int], None]:
    """`emit`, but not more often than people look."""
    told = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _TELL_EVERY:
            told = now
            emit(done)

    return tell
