"""An artifact that is one file and stays one: staged under its name, as a copy or as a second name of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from datafetch.archive.crew import until
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import CHUNK
from datafetch.archive.staging import Extracted, Origin, fresh
from datafetch.archive.writing import write_new
from datafetch.errors import DamagedArchive
from datafetch.layout.place import place
from datafetch.layout.ready import file_name
from datafetch.model import Artifact, Fetched, Rule
from datafetch.store.durable import sync_tree
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree


def place_file(
    file: Path | Sequence[Path],
    artifact: Artifact,
    rules: Sequence[Rule],
    into: Path,
    fetched: Fetched,
    *,
    stop: Callable[[], bool] = lambda: False,
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
    with fresh(into):
        with (
            user_errors(into),
            ShardsReader([file] if isinstance(file, Path) else file) as source,
            Tree(into) as tree,
        ):
            size, sha256 = write_new(tree, target, until(stop, _whole(source)))
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
        with fresh(into):
            with Tree(into) as tree:
                os.link(file, last, dst_dir_fd=tree.makedirs(folder), follow_symlinks=False)
                if tree.size(target) != fetched.size:
                    raise OSError(f"{file} is no longer the file that was fetched")
            sync_tree(into)
    except OSError:
        return None
    origin = Origin(artifact.name, fetched.url, fetched.fetched_at)
    return Extracted((origin.record(target, fetched.size, fetched.sha256, name),), {}, "")


def _whole(source: ShardsReader) -> Iterator[bytes]:
    offset = 0
    while data := source.pread(CHUNK, offset):
        yield data
        offset += len(data)
