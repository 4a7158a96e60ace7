"""What exists: the published tree and the state folder, looked at without reading a file's content."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from datafetch.model import Artifact, Bundled, Http, Manual, Seen, Shards, State, UrlList
from datafetch.store import journal
from datafetch.store.home import Home


class Entry(msgspec.Struct, frozen=True):
    """The part of a manifest line that an inventory needs; the rest is not even decoded."""

    path: str
    size: int
    artifact: str = ""


def published(home: Home) -> list[Entry]:
    """The manifest's files; empty when nothing has been published. A torn or foreign line counts as no line."""
    try:
        data = home.manifest.read_bytes()
    except FileNotFoundError:
        return []
    return msgspec.json.Decoder(Entry).decode_lines(data)


def walk(root: str, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """(path below root, lstat) of everything below a folder that is no folder. Links are entries, never followed."""
    try:
        entries = os.scandir(f"{root}/{folder}")
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from walk(root, path)
            else:
                yield path, entry.stat(follow_symlinks=False)


def lost(root: Path, files: Sequence[Entry]) -> list[Entry]:
    """The published files that are absent or have another size. A folder that became a link is absent."""
    wanted = {file.path: file.size for file in files}
    for folder in dict.fromkeys(file.path.partition("/")[0] for file in files):
        if os.path.islink(root / folder):
            continue
        for path, stat in walk(str(root), folder):
            if wanted.get(path) == stat.st_size:
                del wanted[path]
    return [file for file in files if file.path in wanted] if wanted else []


def observe(
    home: Home, artifacts: Sequence[Artifact], files: Sequence[Entry], damaged: Collection[str] = ()
) -> dict[str, Seen]:
    """One Seen for each artifact. `damaged` are published paths that a verification found to be wrong."""
    gone = {file.path for file in lost(home.root, files)} | set(damaged)
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    missing: dict[str, set[str]] = {}
    for file in files:
        count[file.artifact] += 1
        size[file.artifact] += file.size
        if file.path in gone:
            missing.setdefault(file.artifact, set()).add(file.path)
    return {
        artifact.name: look(
            home, artifact, count[artifact.name], size[artifact.name], frozenset(missing.get(artifact.name, ()))
        )
        for artifact in artifacts
    }


def look(home: Home, artifact: Artifact, files: int, tree_bytes: int, missing: frozenset[str]) -> Seen:
    """What is here of one artifact: `files` of it published, `missing` of them to be brought back.

    The order of the questions is the order of the states, last first.
    """
    known = journal.known(home.journal(artifact.name))
    size = known.done.size if known.done else (known.part.total if known.part else artifact.size)
    here = Seen(
        size=size if size is not None else artifact.size, files=files, tree_bytes=tree_bytes, lost=missing
    )
    if home.seal(artifact.name).exists():
        return replace(here, state=State.STAGED)
    if known.built is not None and known.built.files == files and not missing:
        return replace(here, state=State.BUILT)
    state, bytes_here = _of_source(home, artifact, known)
    return replace(here, state=state, bytes_here=bytes_here)


def _of_source(home: Home, artifact: Artifact, known: journal.Known) -> tuple[State, int]:
    match artifact.source:
        case Shards(shards=shards):
            whole = [_size(home.shard(artifact.name, shard.name)) for shard in shards]
            parts = [_size(home.part(home.shard_key(artifact.name, shard.name))) for shard in shards]
            bytes_here = sum(size or 0 for size in (*whole, *parts))
            if None not in whole:
                return State.FETCHED, bytes_here
            return (State.PARTIAL if bytes_here else State.ABSENT), bytes_here
        case UrlList():
            return (State.PARTIAL if home.batches(artifact.name).exists() else State.ABSENT), 0
        case Http() | Manual() | Bundled():
            whole_file = _size(home.archive(artifact.name))
            if known.done is not None and whole_file == known.done.size:
                return State.FETCHED, whole_file
            part = _size(home.part(artifact.name))
            return (State.PARTIAL if part else State.ABSENT), part or 0


def _size(path: Path) -> int | None:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return None
