"""What exists: the published tree and the state folder, looked at without reading a file's content."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from datafetch.errors import DatafetchError
from datafetch.identity import identity
from datafetch.model import (
    Artifact,
    Bundled,
    Derived,
    Fetched,
    Http,
    Manual,
    Own,
    Seen,
    Shard,
    Shards,
    State,
    UrlList,
)
from datafetch.store import journal
from datafetch.store.faults import read_errors
from datafetch.store.home import Home
from datafetch.store.lines import salvaged


class Entry(msgspec.Struct, frozen=True, gc=False):
    """The part of a manifest line that an inventory needs; the rest is not even decoded."""

    path: str
    size: int
    sha256: str
    artifact: str = ""


def published(home: Home) -> Iterator[Entry]:
    """The manifest's files, read as they are asked for; none when nothing has been published. A torn or foreign line
    counts as no line.
    """
    return salvaged(home.manifest, Entry)


def damaged(home: Home) -> frozenset[str]:
    """What the last verification found to be wrong and nobody has mended since."""
    try:
        return frozenset(msgspec.json.decode(home.damaged.read_bytes(), type=list[str]))
    except (FileNotFoundError, msgspec.MsgspecError):
        return frozenset()


def undecodable(home: Home, name: str) -> list[str]:
    """The members of an archive that were left out of its tree, because they do not decode."""
    try:
        return msgspec.json.decode(home.undecodable(name).read_bytes(), type=list[str])
    except FileNotFoundError:
        return []


def lost(root: Path, files: Sequence[Entry]) -> frozenset[str]:
    """The published paths that are absent, have another size, or are no plain files of ours any more.

    Costs one lstat a file. A folder on the way that became a link counts as absent.
    """
    base, lstat, is_file = f"{root}/", os.lstat, stat.S_ISREG
    gone = []
    ours: dict[str, bool] = {"": True}  # folder -> whether it and all above it are folders and no links
    for file in files:
        path = file.path
        above = path.rpartition("/")[0]
        try:
            found = lstat(base + path)
            if above not in ours:
                _look_above(base, above, ours)
        except OSError:
            gone.append(path)
            continue
        if found.st_size != file.size or not is_file(found.st_mode) or not ours[above]:
            gone.append(path)
    return frozenset(gone)


def _look_above(base: str, folder: str, ours: dict[str, bool]) -> None:
    if folder not in ours:
        above = folder.rpartition("/")[0]
        _look_above(base, above, ours)
        ours[folder] = ours[above] and stat.S_ISDIR(os.lstat(base + folder).st_mode)


def walk(root: str, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """(path below root, lstat) of everything below a folder that is no folder. Links are entries, never followed."""
    try:
        with read_errors(f"{root}/{folder}"):
            entries = os.scandir(f"{root}/{folder}")
    except DatafetchError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return
        raise
    with entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from walk(root, path)
            else:
                with read_errors(f"{root}/{path}"):
                    found = entry.stat(follow_symlinks=False)
                yield path, found


def look(
    home: Home, artifact: Artifact, files: int, tree_bytes: int, missing: frozenset[str], short: bool = False
) -> Seen:
    """What is here of one artifact: `files` of it published, `missing` of them to be brought back; `short`: more
    of it is wanted than was when it was built.

    The order of the questions is the order of the states, last first.
    """
    known = journal.known(home.journal(artifact.name))
    size = known.done.size if known.done else (known.part.total if known.part else artifact.size)
    here = Seen(
        size=size if size is not None else artifact.size, files=files, tree_bytes=tree_bytes, lost=missing
    )
    stale = known.done is not None and not _is_wanted(artifact, known.done)
    if home.seal(artifact.name).exists() and not stale:
        return replace(here, state=State.STAGED)
    if known.built is not None and known.built.files == files and not missing and not short:
        return replace(here, state=State.BUILT)
    state, bytes_here = _of_source(home, artifact, known)
    if short and state is State.ABSENT:
        state = State.PARTIAL
    return replace(here, state=state, bytes_here=bytes_here)


def _of_source(home: Home, artifact: Artifact, known: journal.Known) -> tuple[State, int]:
    match artifact.source:
        case Shards(shards=shards):
            whole = [shard_here(home, artifact, shard) for shard in shards]
            parts = [_held(home, home.shard_key(artifact.name, shard.name)) for shard in shards]
            bytes_here = sum(size or 0 for size in (*whole, *parts))
            if None not in whole:
                return State.FETCHED, bytes_here
            return (State.PARTIAL if bytes_here else State.ABSENT), bytes_here
        case UrlList():
            return (State.PARTIAL if home.batches(artifact.name).exists() else State.ABSENT), 0
        case Own() | Derived():
            return State.ABSENT, 0
        case Http() | Manual() | Bundled():
            whole_file = _size(home.archive(artifact.name))
            if known.done is not None and whole_file == known.done.size and _is_wanted(artifact, known.done):
                return State.FETCHED, whole_file
            part = _held(home, artifact.name)
            return (State.PARTIAL if part else State.ABSENT), part


def shard_here(home: Home, artifact: Artifact, shard: Shard) -> int | None:
    """The size of a shard that was verified and has its final name; None when it is to be fetched."""
    done = journal.known(home.journal(home.shard_key(artifact.name, shard.name))).done
    if done is None or not done.satisfies(shard.size, shard.checksums):
        return None
    if done.address and not (artifact.checksums or shard.checksums or _is_from(done, shard.urls)):
        return None
    return done.size if _size(home.shard(artifact.name, shard.name)) == done.size else None


def _is_wanted(artifact: Artifact, done: Fetched) -> bool:
    """Whether a file of an earlier run is what the recipe speaks of today."""
    if (
        isinstance(artifact.source, Http)
        and not artifact.checksums
        and not _is_from(done, artifact.source.urls)
    ):
        return False
    return done.satisfies(artifact.size, artifact.checksums)


def _is_from(done: Fetched, urls: Sequence[str]) -> bool:
    """Whether one of the addresses is its own. Old rows hold only what is shown of it: those go by its path."""
    if done.address:
        return done.address in map(identity, urls)
    return done.url.partition("?")[0] in {url.partition("?")[0] for url in urls}


def _size(path: Path) -> int | None:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return None


def _held(home: Home, key: str) -> int:
    """Bytes of a part, which may have gaps and room set aside: those that its journal tells of."""
    return journal.known(home.journal(key)).held if home.part(key).exists() else 0
