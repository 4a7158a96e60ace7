"""A person's own files to the staging folder, sealed; and whether what was taken once is still what lies there."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path

import msgspec

from datafetch.archive.extract import extract
from datafetch.errors import BadList, NeedsPerson, UnsafeArchive, UsageError
from datafetch.layout.seals import seal
from datafetch.model import Artifact, Event, FileRecord, Outcome, Own
from datafetch.own.gather import gather
from datafetch.own.gathered import Gathered, Placed
from datafetch.own.outlines import draw
from datafetch.store import inventory, journal
from datafetch.store.files import Tree, make_folder, remove_tree, sync_tree, user_errors, write_atomic
from datafetch.store.home import Home, slug
from datafetch.store.links import take
from datafetch.task import Task

SHOWN = 20  # findings that are told one by one


class Made(msgspec.Struct):
    """What was made of a person's files, as the journal keeps it."""

    of: str  # `listing` at that time
    targets: list[str]  # every path below the output directory


def changed(home: Home, artifact: Artifact) -> bool:
    """Whether something else lies there than when it was taken, by names, sizes and times, or is asked of it."""
    assert isinstance(artifact.source, Own)
    if not os.path.exists(artifact.source.where):
        return False  # a disk that is not plugged in takes nothing back
    made = _made(home, artifact.name)
    return made is None or made.of != listing(artifact.source)


def withdrawn(home: Home, artifact: Artifact, owned: Iterable[str]) -> set[str]:
    """Of its published paths those that the person's files no longer make."""
    made = _made(home, artifact.name)
    return set() if made is None else set(owned).difference(made.targets)


def _made(home: Home, name: str) -> Made | None:
    try:
        return msgspec.json.decode(home.gathered(name).read_bytes(), type=Made)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def listing(own: Own) -> str:
    """A digest of everything that decides what is made: the wishes, and name, size and time of each file."""
    digest = hashlib.sha256(repr(astuple(own)).encode())
    for place in (own.where, own.masks, *own.labels, *own.splits):
        for path in _files(place):
            found = os.lstat(path)
            line = f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(place: str) -> list[str]:
    if not place or not os.path.isdir(place):
        return [place] if place and os.path.exists(place) else []
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names)


def bring(
    task: Task,
    artifact: Artifact,
    only: frozenset[str],
    emit: Callable[[Event], None],
    stop: Callable[[], bool],
) -> None:
    """One artifact of own files becomes STAGED; of a published one only the paths in `only`, if any are named.

    Blocks. May be called again after any end. Raises UsageError, BadList, Interrupted, and NoRoom for faults of the
    disk.
    """
    own, home, name = artifact.source, task.home, artifact.name
    assert isinstance(own, Own)
    if not os.path.exists(own.where):
        raise UsageError(f"{own.where} is gone", "name where the pictures lie now: datafetch build … --from")
    remove_tree(home.seal(name))
    remove_tree(home.staging(name))
    listed = listing(own)
    try:
        where = _opened(task, artifact, own, emit, stop)
        found = gather(own, where, stop)
        base = artifact.folder
        chosen = [placed for placed in found.placed if not only or f"{base}/{placed.target}" in only]
        emit(Event("extract", name, total=len(chosen)))
        records = _stage(task, artifact, chosen, where, emit, stop)
    except (BadList, UnsafeArchive) as error:  # a file of the person's own: no later run mends it
        raise UsageError(str(error), error.hint) from error
    finally:
        remove_tree(_opened_to(home, name))
    if only:
        records = _as_before(home, records, emit)
    else:
        made = Made(listed, [f"{base}/{placed.target}" for placed in found.placed])
        write_atomic(home.gathered(name), msgspec.json.encode(made))
        _tell(found, home, name, emit)
    with journal.Journal(home.journal(name)) as rows:
        if not only:
            rows.append(journal.Staged(len(records), task.settings.names, found.dropped))
        seal(home.state, slug(name), records)
    size = sum(record.size for record in records)
    emit(Event("staged", name, done=size, count=len(records)))


def _opened_to(home: Home, name: str) -> Path:
    return home.state / "parts" / f"{slug(name)}.opened"


def _opened(
    task: Task, artifact: Artifact, own: Own, emit: Callable[[Event], None], stop: Callable[[], bool]
) -> Path:
    """The folder of the pictures: what a zip holds is unpacked first, by the rules for every archive."""
    if os.path.isdir(own.where):
        return Path(own.where)
    into = _opened_to(task.home, artifact.name)
    whole = Artifact(artifact.name, artifact.source, "all", unpack=True)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    extract(Path(own.where), whole, (), into, names="keep", url="", fetched_at=at, emit=emit, stop=stop)
    below = into / "all" / artifact.name  # where members lie that no rule places
    return below if below.is_dir() else into / "all"


def _stage(
    task: Task,
    artifact: Artifact,
    chosen: list[Placed],
    where: Path,
    emit: Callable[[Event], None],
    stop: Callable[[], bool],
) -> list[FileRecord]:
    """Durable when this returns. Files are shared or named twice where that can be; with `copy` never named twice."""
    home, name, own = task.home, artifact.name, artifact.source
    assert isinstance(own, Own)
    into = home.staging(name)
    make_folder(into)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    records: list[FileRecord] = []
    done = time.monotonic()
    with user_errors(into), Tree(into) as tree:
        for placed in chosen:
            target = f"{artifact.folder}/{placed.target}"
            if placed.source is None:
                data = draw((one.segmentation for one in placed.outlines), placed.size)
                with open(tree.create(target), "wb") as file:
                    file.write(data)
                size, sha256 = len(data), hashlib.sha256(data).hexdigest()
            else:
                size, sha256 = take(placed.source, tree, target, link=not own.copy, stop=stop)
            records.append(FileRecord(target, size, sha256, "", at, name, placed.name))
            if time.monotonic() - done > 0.2:
                done = time.monotonic()
                emit(Event("extracting", name, done=len(records), total=len(chosen)))
    emit(Event("extracting", name, done=len(records), total=len(chosen)))
    sync_tree(into)
    return records


def _as_before(home: Home, records: list[FileRecord], emit: Callable[[Event], None]) -> list[FileRecord]:
    """Of files that are brought back those that are what was published. The person's own may have been damaged with
    them, for both may be one file: that is no repair.
    """
    published = {entry.path: entry.sha256 for entry in inventory.published(home)}
    good = [record for record in records if published.get(record.path, record.sha256) == record.sha256]
    other = [record for record in records if record not in good]
    for record in other[:SHOWN]:
        text = f"{record.path}: what it was made from, {record.member}, has changed as well"
        emit(Event("note", record.artifact, text=text))
    if other and not good:
        raise NeedsPerson(
            f"{len(other):,} of your own files have changed since they were taken",
            hint="put them back as they were; or take them as they are: datafetch build again",
        )
    with Tree(home.staging(records[0].artifact)) as tree:
        for record in other:
            tree.remove(record.path)
    return good


def _tell(found: Gathered, home: Home, name: str, emit: Callable[[Event], None]) -> None:
    """The first findings one by one; all of them in a file, when there are more."""
    for note in found.notes[:SHOWN]:
        emit(Event("note", name, text=note))
    if len(found.notes) > SHOWN:
        path = home.findings(name)
        write_atomic(path, "".join(f"{note}\n" for note in found.notes).encode("utf-8", "replace"))
        emit(
            Event("note", name, text=f"and {len(found.notes) - SHOWN:,} more findings like these, in {path}")
        )
    for outcome, whys in found.dropped.items():
        if outcome is not Outcome.SKIPPED:
            for why, count in whys.items():
                emit(Event("item", name, count=count, why=why, outcome=outcome, text=why))
