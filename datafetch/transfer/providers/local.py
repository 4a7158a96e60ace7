"""Files that are on this machine already, copied into the state or staging folder and checked on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from datafetch.errors import Interrupted, NeedsPerson, TransferFailed
from datafetch.identity import identity
from datafetch.model import Artifact, Checksum, Fetched, FileRecord, Why
from datafetch.store.durable import sync_tree
from datafetch.store.faults import user_errors
from datafetch.store.files import Tree, atomic_file, make_folder, remove_tree
from datafetch.store.links import take
from datafetch.transfer.addresses import safe_url

_CHUNK = 1 << 20


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def copy_in(
    file: Path, target: Path, artifact: Artifact, origin: str, known_sha256: str, stop: Callable[[], bool]
) -> Fetched:
    """`file` copied to `target`, durable, and what is known of it. The user's own file is only read.

    Raises TransferFailed when it is not what the recipe says, or not the `known_sha256` of an earlier run, and
    Interrupted once `stop` turns true; nothing is left then.
    """
    digests = {c.algorithm: hashlib.new(c.algorithm, usedforsecurity=False) for c in artifact.checksums}
    digests.setdefault("sha256", hashlib.sha256())
    with user_errors(file), file.open("rb", buffering=0) as source, atomic_file(target) as out:
        size = _copy(source, out, list(digests.values()), stop)
        found = {name: digest.hexdigest() for name, digest in digests.items()}
        _check(file, artifact, size, found)
        if known_sha256 and found["sha256"] != known_sha256:
            text = f"{file} is another file than before: sha256 was {known_sha256} and is {found['sha256']}"
            raise TransferFailed(Why.CHANGED, text, hint="build it into another folder with -o")
    digests_found = tuple(found.items())
    return Fetched(
        target.name, size, found["sha256"], safe_url(origin), _now(), digests_found, identity(origin)
    )


def _check(file: Path, artifact: Artifact, size: int, found: dict[str, str]) -> None:
    if artifact.size is not None and size != artifact.size:
        text = f"{file} has {size} bytes, expected {artifact.size}"
        raise _other(text)
    wrong: list[Checksum] = [c for c in artifact.checksums if found[c.algorithm] != c.digest]
    if wrong:
        text = f"{file} has the {wrong[0].algorithm} {found[wrong[0].algorithm]}, expected {wrong[0].digest}"
        raise _other(text)


def _other(text: str) -> TransferFailed:
    """It is another file than the recipe's: no later run mends that, but a person may."""
    error = TransferFailed(Why.CHECKSUM, text, hint="bring the file that the recipe names")
    error.exit_code = NeedsPerson.exit_code
    return error


def stage(
    files: Sequence[tuple[str, Path, str]],
    into: Path,
    artifact: str,
    origin: str,
    stop: Callable[[], bool],
    ours: Path | None = None,
) -> list[FileRecord]:
    """Each (name, file, target) brought below the fresh folder `into`, durable; one record for each.

    A person's files are copied, or share their blocks; those below `ours` may get a second name.
    """
    remove_tree(into)
    make_folder(into)
    records = []
    with user_errors(into), Tree(into) as tree:
        for name, file, target in files:
            link = ours is not None and file.is_relative_to(ours)
            size, sha256 = take(file, tree, target, link=link, stop=stop)
            records.append(FileRecord(target, size, sha256, origin, _now(), artifact, name))
    sync_tree(into)
    return records


def _copy(source: IO[bytes], out: IO[bytes], digests: Sequence[_Digest], stop: Callable[[], bool]) -> int:
    size = 0
    while data := source.read(_CHUNK):
        if stop():
            raise Interrupted("stopped while copying", hint="run the same command again to go on")
        for digest in digests:
            digest.update(data)
        out.write(data)
        size += len(data)
    return size


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
