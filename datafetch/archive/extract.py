"""An archive's members, written once, straight to where the layout wants them, below a staging folder."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from datafetch.archive.join import ShardsReader
from datafetch.archive.members import CHUNK, DEFAULT_LIMITS, Archive, Chunk, Limits, Member
from datafetch.archive.open import open_archive
from datafetch.errors import (
    DamagedArchive,
    DatafetchError,
    Interrupted,
    LayoutMismatch,
    NoRoom,
    UnsafeArchive,
)
from datafetch.layout.place import place
from datafetch.layout.ready import file_name
from datafetch.model import Artifact, Event, Fetched, FileRecord, Rule, Subset
from datafetch.store.durable import sync_tree
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree, make_folder, remove_tree
from datafetch.store.room import free_space

Emit = Callable[[Event], None]
Stop = Callable[[], bool]
Sort = Callable[[Sequence[str]], Sequence[tuple[int, str]]]  # names -> (index, name with its folder)

UNLISTED = "in no list"
_TELL_EVERY = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Extracted:
    records: tuple[FileRecord, ...]  # of the files now in the staging folder, in the order of the archive
    skipped: Mapping[str, int]  # members that have no place in the tree, counted by why
    root: str = ""  # what `<root>` of the layout stood for


@dataclass(frozen=True, slots=True)
class Origin:
    """What every record of one artifact says of where its bytes are from."""

    artifact: str
    url: str
    fetched_at: str

    def record(self, path: str, size: int, sha256: str, member: str) -> FileRecord:
        return FileRecord(path, size, sha256, self.url, self.fetched_at, self.artifact, member)


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
) -> Extracted:
    """Unpack an archive, or shards read as one, into the fresh folder `into`; durable when this returns.

    Every member is listed, checked and placed before the first byte is written. Unless `only` is empty, just
    its paths are written; one that the archive does not hold is simply not among the records. Nor is what `picks`
    leave out, and what is in `have`, published before. `sort` puts members into folders before they are placed.
    UnsafeArchive, LayoutMismatch, NoRoom, or Interrupted once `stop` turns true; then `into` is gone. May be
    called again; what stood in `into` is removed first.
    """
    remove_tree(into)
    origin = Origin(artifact.name, url, fetched_at)
    with (
        open_archive(archive, limits, artifact.rows, artifact.nested, artifact.several) as opened,
        _fresh(into),
    ):
        files = [member for member in opened.members if not member.is_dir]
        named = _sorted(artifact, [member.name for member in files], sort)
        placed = place(artifact, rules, [name for _, name in named], names, picks)
        work = [
            (files[at], target)
            for (at, _), target in zip(named, placed.targets, strict=True)
            if target is not None and target not in have and (not only or target in only)
        ]
        check_room(into, artifact.name, [member.size for member, _ in work])
        emit(Event("extract", artifact.name, total=len(work)))
        with _named(archive, artifact), user_errors(into):
            records = tuple(_told(_write(opened, work, into, origin, stop), len(work), artifact.name, emit))
        sync_tree(into)
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


def place_file(
    file: Path | Sequence[Path],
    artifact: Artifact,
    rules: Sequence[Rule],
    into: Path,
    fetched: Fetched,
    *,
    stop: Stop = lambda: False,
) -> Extracted:
    """Stage the one file of an artifact that is not unpacked, or its shards joined; as `extract` otherwise.

    The bytes are copied, so that nobody who edits the dataset edits what we keep, and must have the SHA-256
    that `fetched` says, else UnsafeArchive.
    """
    name = file_name(artifact)
    placed = place(artifact, rules, [name])
    target = placed.targets[0]
    assert target is not None  # or place would have raised
    origin = Origin(artifact.name, fetched.url, fetched.fetched_at)
    with _fresh(into):
        with (
            user_errors(into),
            ShardsReader([file] if isinstance(file, Path) else file) as source,
            Tree(into) as tree,
        ):
            size, sha256 = write_file(tree, target, _until(stop, _whole(source)))
        if sha256 != fetched.sha256:
            raise DamagedArchive(f"{artifact.name} has changed since it was fetched: its SHA-256 differs")
        sync_tree(into)
    return Extracted((origin.record(target, size, sha256, name),), {}, "")


def link_file(
    file: Path, artifact: Artifact, rules: Sequence[Rule], into: Path, fetched: Fetched
) -> Extracted | None:
    """Stage the one file of an artifact as a second name of it, for a caller who has just verified its bytes and
    will not keep the first. None when the file system has no such names: then it is to be placed.
    """
    name = file_name(artifact)
    target = place(artifact, rules, [name]).targets[0]
    assert target is not None  # or place would have raised
    folder, _, last = target.rpartition("/")
    try:
        with _fresh(into):
            with Tree(into) as tree:
                os.link(file, last, dst_dir_fd=tree.makedirs(folder), follow_symlinks=False)
                if tree.size(target) != fetched.size:
                    raise OSError(f"{file} is no longer the file that was fetched")
            sync_tree(into)
    except OSError:
        return None
    origin = Origin(artifact.name, fetched.url, fetched.fetched_at)
    return Extracted((origin.record(target, fetched.size, fetched.sha256, name),), {}, "")


@contextmanager
def _fresh(into: Path) -> Iterator[None]:
    """An empty folder; gone again when the block fails."""
    remove_tree(into)
    make_folder(into)
    try:
        yield
    except BaseException:
        with suppress(DatafetchError):  # the first error is the one to tell; the next run removes the rest
            remove_tree(into)
        raise


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
    archive: Archive, work: Sequence[tuple[Member, str]], into: Path, origin: Origin, stop: Stop
) -> Iterator[FileRecord]:
    with Tree(into) as tree:
        for member, target in work:
            chunks = archive.read(member)
            size, sha256 = write_file(tree, target, _until(stop, chunks) if member.size > CHUNK else chunks)
            yield origin.record(target, size, sha256, member.name)
            if stop():
                raise _stopped()


def write_file(tree: Tree, path: str, chunks: Iterator[Chunk]) -> tuple[int, str]:
    """A new file of these chunks: its size and SHA-256."""
    digest = hashlib.sha256()
    size = 0
    fd = tree.create(path)
    try:
        for chunk in chunks:
            written = os.write(fd, chunk)
            while written < len(chunk):  # the disk is nearly full, or the chunk beyond 2 GiB
                written += os.write(fd, memoryview(chunk)[written:])
            digest.update(chunk)
            size += written
    finally:
        os.close(fd)
    return size, digest.hexdigest()


def _told(records: Iterator[FileRecord], total: int, name: str, emit: Emit) -> Iterator[FileRecord]:
    """The records as they come, with an event now and then."""
    told = time.monotonic()
    for done, record in enumerate(records, 1):
        yield record
        now = time.monotonic()
        if now - told >= _TELL_EVERY or done == total:
            told = now
            emit(Event("extracting", name, done=done, total=total))


def _until(stop: Stop, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    for chunk in chunks:
        if stop():
            raise _stopped()
        yield chunk


def _stopped() -> Interrupted:
    return Interrupted("stopped while unpacking", hint="run the same command again: what is fetched is kept")


def _whole(source: ShardsReader) -> Iterator[bytes]:
    offset = 0
    while data := source.pread(CHUNK, offset):
        yield data
        offset += len(data)
