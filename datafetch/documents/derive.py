"""Derived documents: a named maker is given what other artifacts hold, and what it writes is staged and sealed.

They are made again when what they were made of has changed. A maker given the same writes the same bytes, so this may
be cut off anywhere and done again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path

import msgspec

from datafetch.annotate.derivers import DERIVERS
from datafetch.errors import BadBrought, BadList, Interrupted
from datafetch.images.check import Checked, Limits, check_file
from datafetch.images.opened import faults, opened
from datafetch.layout import manifest
from datafetch.layout.placer import placer
from datafetch.layout.seals import seal, sealed
from datafetch.model import BY_HAND, Artifact, Derived, Event, FileRecord, Recipe, Settings
from datafetch.plan.difference import holder
from datafetch.store import journal
from datafetch.store.durable import sync_tree
from datafetch.store.faults import user_errors
from datafetch.store.files import atomic_file, make_folder, remove_tree, write_atomic
from datafetch.store.home import Home, slug
from datafetch.store.inventory import Entry, published
from datafetch.store.told import Told, told
from datafetch.task import Task

LONGEST_LINE = 1 << 20
LARGEST = Limits(max_bytes=1 << 30)
THREADS = 4  # decoding frees the lock
AT_ONCE = 256  # pictures
SHOWN = 3  # pictures that a note names
LARGEST_DOCUMENT = 512 << 20  # bytes: it is held whole, and as objects it takes several times that
BRING = "bring a whole one with --from DIR: it takes the place of this one"

Stop = Callable[[], bool]


def changed(home: Home, recipe: Recipe, artifact: Artifact, settings: Settings, *, staged: bool) -> bool:
    """Whether something else is here than what it was made of, or something else is asked of it.

    What is here is what is published; also what is staged, if the artifact itself still is: it was made of that.
    """
    source, known = artifact.source, told(home, artifact.name)
    assert isinstance(source, Derived)
    if known is None:
        return True
    owners = _owners(recipe, source)
    names = {owner.name for owner in owners}
    parts: Iterable[FileRecord | Entry] = (file for file in published(home) if file.artifact in names)
    if staged:
        parts = chain.from_iterable(_held(home, owner) for owner in owners)
    absolute = known.absolute if settings.absolute_paths is None else settings.absolute_paths
    return known.of != _fingerprint(home, source, absolute, ((file.path, file.sha256) for file in parts))


def derive(task: Task, artifact: Artifact, emit: Callable[[Event], None], stop: Stop) -> None:
    """A derived artifact becomes STAGED. Blocks. Raises BadList for what cannot be read, BadBrought where a person
    can bring another, Interrupted, NoRoom.
    """
    source, home, name = artifact.source, task.home, artifact.name
    assert isinstance(source, Derived)
    remove_tree(home.seal(name))
    remove_tree(home.staging(name))
    asked, before = task.settings.absolute_paths, told(home, name)
    absolute = (before.absolute if before else False) if asked is None else asked
    held = {owner.name: _held(home, owner) for owner in _owners(task.recipe, source)}
    of = _fingerprint(home, source, absolute, ((r.path, r.sha256) for own in held.values() for r in own))
    given = _Given(task, artifact, source, held, absolute, stop)
    try:
        made = DERIVERS[source.make](given, dict(source.settings))
        records = list(_write(task, artifact, source, made.documents, stop))
    except BadList as error:
        if _by_hand(home, task.recipe, source):
            raise BadBrought(str(error), error.hint or BRING) from error
        raise
    for note in (*made.notes, *given.broken_in_words(), _in_words(made.summary)):
        emit(Event("note", name, text=f"{artifact.folder}: {note}"))
    with journal.Journal(home.journal(name)) as rows:
        rows.append(journal.Staged(len(records), task.settings.names))
    seal(home.state, slug(name), records)
    # Last: cut off before it, what was told of the documents before differs, and they are made once more.
    write_atomic(home.derived(name), msgspec.json.encode(Told(of, absolute, dict(made.summary))))
    emit(Event("staged", name, done=sum(record.size for record in records), count=len(records)))


def _write(
    task: Task, artifact: Artifact, source: Derived, documents: Mapping[str, Iterator[bytes]], stop: Stop
) -> Iterator[FileRecord]:
    place, staging = placer(artifact, task.recipe.layout), task.home.staging(artifact.name)
    for name, pieces in documents.items():
        path = place(name)
        make_folder((staging / path).parent)
        digest, size = hashlib.sha256(), 0
        with atomic_file(staging / path) as out:
            for piece in pieces:
                if stop():
                    raise Interrupted("stopped while documents were made", "run the same command again")
                out.write(piece)
                digest.update(piece)
                size += len(piece)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield FileRecord(path, size, digest.hexdigest(), f"derived:{source.make}", now, artifact.name, name)
    sync_tree(staging)


def _in_words(summary: Mapping[str, object]) -> str:
    """The numbers of a summary in one line."""
    said = []
    for what, value in summary.items():
        if isinstance(value, Mapping):
            within = ", ".join(f"{why} {number:,}" for why, number in value.items())
            said += [f"{what}: {within}"] if within else []
        else:
            said.append(f"{what} {value:,}" if isinstance(value, int) else f"{what} {value}")
    return "; ".join(said)


def _owners(recipe: Recipe, source: Derived) -> tuple[Artifact, ...]:
    found = (holder(path, recipe.artifacts) for _, paths in source.inputs for path in paths)
    return tuple(dict.fromkeys(owner for owner in found if owner is not None))


def _by_hand(home: Home, recipe: Recipe, source: Derived) -> bool:
    """Whether a person brought something of what a derived artifact is made of, or of what that is made of."""
    for owner in _owners(recipe, source):
        if isinstance(owner.source, Derived) and _by_hand(home, recipe, owner.source):
            return True
        if any(record.url == BY_HAND for record in _held(home, owner)):
            return True
    return False


def _fingerprint(home: Home, source: Derived, absolute: bool, parts: Iterable[tuple[str, str]]) -> str:
    """A digest of everything that decides what is made."""
    digest = hashlib.sha256(repr((source.make, source.inputs, source.settings)).encode())
    if absolute:
        digest.update(f"{home.root}\0".encode("utf-8", "surrogateescape"))
    for path, sha256 in sorted(parts):
        digest.update(f"{sha256}  {path}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _held(home: Home, artifact: Artifact) -> list[FileRecord]:
    """The files of an artifact: those that are published, and those that are staged to replace or join them."""
    found = {r.path: r for r in manifest.salvage(home.manifest) if r.artifact == artifact.name}
    found |= {record.path: record for record in sealed(home.state, slug(artifact.name)) or ()}
    return [found[path] for path in sorted(found)]


class _Given:
    """The inputs of a maker, as `annotate.derived.Inputs` has them."""

    def __init__(
        self,
        task: Task,
        artifact: Artifact,
        source: Derived,
        held: Mapping[str, Sequence[FileRecord]],
        absolute: bool,
        stop: Stop,
    ) -> None:
        self._task, self._folder = task, artifact.folder
        self._inputs = dict(source.inputs)
        self._held, self._absolute, self._stop = held, absolute, stop
        self._records: dict[str, FileRecord] = {}  # of what `paths` has told
        self._broken: set[str] = set()

    def name(self, role: str) -> str:
        file = self._file(role)
        if file is not None:
            return file.path.rpartition("/")[2]
        return self._inputs.get(role, (role,))[0].rpartition("/")[2]

    def lines(self, role: str) -> Iterator[bytes] | None:
        file = self._file(role)
        return None if file is None else self._lines(self._where(file))

    def whole(self, role: str) -> bytes | None:
        file = self._file(role)
        if file is None:
            return None
        path = self._where(file)
        with user_errors(path), open(path, "rb") as source:
            size = os.fstat(source.fileno()).st_size
            if size > LARGEST_DOCUMENT:
                most = f"{LARGEST_DOCUMENT:,} bytes that a document may have"
                raise BadList(f"{path.name}: {size:,} bytes, more than the {most}")
            return source.read(LARGEST_DOCUMENT)

    def paths(self, role: str) -> Sequence[str]:
        found = {self._inside(record): record for record in self._of(role)}
        self._records |= found
        return sorted(found)

    def decodable(self, paths: Collection[str]) -> frozenset[str]:
        good = {path for path in paths if self._records[path].width is not None}  # decoded when it came
        rest = iter(sorted(set(paths) - good))
        with ThreadPoolExecutor(THREADS) as pool:
            while some := list(islice(rest, AT_ONCE)):
                if self._stop():
                    raise Interrupted("stopped while pictures were looked at", "run the same command again")
                good |= {path for path, fine in zip(some, pool.map(self._decodes, some), strict=True) if fine}
        self._broken |= set(paths) - good
        return frozenset(good)

    def broken_in_words(self) -> list[str]:
        """A note of the pictures that were found not to decode: they stay where they are, as they came."""
        if not self._broken:
            return []
        shown = ", ".join(sorted(self._broken)[:SHOWN])
        return [f"{len(self._broken):,} pictures do not decode and are in no record, such as {shown}"]

    def image_path(self, path: str) -> str:
        return f"{self._task.home.root}/{self._folder}/{path}" if self._absolute else path

    def _of(self, role: str) -> Iterator[FileRecord]:
        for path in self._inputs.get(role, ()):
            owner = holder(path, self._task.recipe.artifacts)
            assert owner is not None, "the recipe was checked"
            inside = path.removeprefix(owner.name).strip("/")
            for record in self._held[owner.name]:
                if not inside or _ends(record, inside):
                    yield record

    def _file(self, role: str) -> FileRecord | None:
        return next(self._of(role), None)

    def _inside(self, record: FileRecord) -> str:
        return record.path.removeprefix(f"{self._folder}/")

    def _where(self, record: FileRecord) -> Path:
        """Staged, on its way into the tree when a run was killed, or there."""
        home = self._task.home
        ways = home.staging(record.artifact), home.state / "assembling"
        return next(
            (way / record.path for way in ways if (way / record.path).exists()), home.root / record.path
        )

    def _lines(self, path: Path) -> Iterator[bytes]:
        with user_errors(path), faults(path.name), opened(path) as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise BadList(f"{path.name}: line {number:,} is longer than {LONGEST_LINE:,} bytes")
                if not number % 65536 and self._stop():
                    raise Interrupted("stopped while a table was read", "run the same command again")
                yield line

    def _decodes(self, path: str) -> bool:
        try:
            return isinstance(check_file(self._where(self._records[path]), LARGEST), Checked)
        except OSError:
            return False


def _ends(record: FileRecord, inside: str) -> bool:
    """Whether its path, as upstream or as we have it, ends like this; segments may be globs."""
    want = inside.split("/")
    for said in (record.path, record.member):
        parts = said.split("/")[-len(want) :]
        if len(parts) == len(want) and all(map(fnmatchcase, parts, want)):
            return True
    return False
