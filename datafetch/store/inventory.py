"""What exists: the published tree and the state folder, looked at without reading a file's content."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from datafetch.model import Artifact, Bundled, Http, Manual, Outcome, Seen, Shards, State, UrlList
from datafetch.store import journal
from datafetch.store.home import Home


class Entry(msgspec.Struct, frozen=True, gc=False):
    """The part of a manifest line that an inventory needs; the rest is not even decoded."""

    path: str
    size: int
    sha256: str
    artifact: str = ""


def published(home: Home) -> list[Entry]:
    """The manifest's files; empty when nothing has been published. A torn or foreign line counts as no line."""
    try:
        data = home.manifest.read_bytes()
    except FileNotFoundError:
        return []
    decoder = msgspec.json.Decoder(Entry)
    try:
        return decoder.decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return list(_readable(data, decoder))


def _readable(data: bytes, decoder: msgspec.json.Decoder[Entry]) -> Iterator[Entry]:
    for line in data.splitlines():
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            yield decoder.decode(line)


def lost(root: Path, files: Sequence[Entry]) -> frozenset[str]:
    """The published paths that are absent, have another size, or are no plain files of ours any more.

    Costs one lstat a file. A folder on the way that became a link counts as absent.
    """
    base, lstat, is_file = f"{root}/", os.lstat, stat.S_ISREG
    gone = []
    folders: dict[str, bool] = {"": True}
    for file in files:
        path = file.path
        try:
            found = lstat(base + path)
        except OSError:
            gone.append(path)
            continue
        if found.st_size != file.size or not is_file(found.st_mode) or not _ours(base, path, folders):
            gone.append(path)
    return frozenset(gone)


def _ours(base: str, path: str, folders: dict[str, bool]) -> bool:
    """Whether every folder above `path` is a folder and no link; asked once for each."""
    above = path.rpartition("/")[0]
    known = folders.get(above)
    if known is None:
        known = stat.S_ISDIR(os.lstat(base + above).st_mode) and _ours(base, above, folders)
        folders[above] = known
    return known


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


def observe(
    home: Home, artifacts: Sequence[Artifact], files: Sequence[Entry], gone: Collection[str]
) -> dict[str, Seen]:
    """One Seen for each artifact. `gone` are the published paths to bring back: lost, or found to be damaged."""
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
    whole = known.built is not None and known.built.files == files and not missing
    if whole and not _asks_again(artifact, known):
        return replace(here, state=State.BUILT)
    state, bytes_here = _of_source(home, artifact, known)
    return replace(here, state=state, bytes_here=bytes_here)


def _asks_again(artifact: Artifact, known: journal.Known) -> bool:
    """Whether a published URL list has items that failed in a way that may mend: the re-check pass."""
    staged = known.staged
    return isinstance(artifact.source, UrlList) and staged is not None and bool(staged.dropped.get(Outcome.FAILED))


def _of_source(home: Home, artifact: Artifact, known: journal.Known) -> tuple[State, int]:
    match artifact.source:
        case Shards(shards=shards):
            whole = [_size(home.shard(artifact.name, shard.name)) for shard in shards]
            parts = [_held(home.part(home.shard_key(artifact.name, shard.name))) for shard in shards]
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
            part = _held(home.part(artifact.name))
            return (State.PARTIAL if part else State.ABSENT), part or 0


def _size(path: Path) -> int | None:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return None


def _held(path: Path) -> int | None:
    """Bytes of a part, which may have gaps: no more than it takes up."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return min(found.st_size, found.st_blocks * 512)
