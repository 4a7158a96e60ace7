"""Lists in JSON held against the pictures they name, both ways, and written anew without those that are not here.

Training code that opens whatever its JSON names stops at the first picture that is missing. `x.json` of the tree gets
an `x.available.json` beside it, with the records as they are spelled and in their order; upstream's own stays.
"""

from __future__ import annotations

import hashlib
import mmap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, tee

import msgspec

from datafetch.errors import BadList
from datafetch.images.items import Item, items
from datafetch.images.rows import Row, read
from datafetch.layout import manifest
from datafetch.layout.placer import placer
from datafetch.model import Artifact, FileRecord, Recipe, UrlList
from datafetch.plan.difference import holder
from datafetch.store.faults import user_errors
from datafetch.store.files import atomic_file
from datafetch.store.home import Home
from datafetch.verify import remember

Key = tuple[str, ...]
Buffer = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Compared:
    """One JSON against the tree."""

    path: str  # of the JSON, below the output directory
    named: int  # records
    without: frozenset[Key]  # of them those whose picture is not here

    @property
    def words(self) -> str:
        return f"{self.path}: {self.named:,} records, {len(self.without):,} without a picture here"


def compare(recipe: Recipe, home: Home, lost: frozenset[str]) -> tuple[list[Compared], int]:
    """Each JSON map whose pictures are published, and how many of the pictures none of them names.

    `lost` are published paths that are absent or damaged. Reads the JSONs whole, a record at a time.
    """
    records = manifest.read(home.manifest)
    named_by = [
        (artifact, path) for artifact in recipe.artifacts if (path := _json(artifact, recipe, records))
    ]
    lists = {artifact.name for artifact, _ in named_by}
    here = {record.path for record in records if record.artifact in lists} - lost
    unnamed, found = set(here), []
    for artifact, path in named_by:
        compared = _compare(artifact, recipe, home, path, here, unnamed)
        found.append(compared)
    return found, len(unnamed)


def write(recipe: Recipe, home: Home, compared: Sequence[Compared]) -> list[str]:
    """Write each JSON without the records of `without`, durably, and put it into the manifest; the paths written.

    Raises BadList for a JSON that is no map. May be called again: the same is written once more.
    """
    keys = dict(_depths(recipe, home))
    made = [_write(home, each, keys[each.path]) for each in compared]
    if made:
        paths = {record.path for record in made}
        kept = (record for record in manifest.read(home.manifest) if record.path not in paths)
        manifest.write(home.manifest, [*kept, *made])
        remember(home, made)
    return [record.path for record in made]


def _json(artifact: Artifact, recipe: Recipe, records: Sequence[FileRecord]) -> str:
    """Where the JSON map of a list stands in the tree; empty for lists of another kind, or not built."""
    source = artifact.source
    if not isinstance(source, UrlList) or source.read != "map" or "<" in source.file:
        return ""
    if not any(record.artifact == artifact.name for record in records):
        return ""
    owner = holder(source.file, recipe.artifacts)
    inside = source.file.removeprefix(owner.name).strip("/") if owner else ""
    for record in records:
        name = f"/{record.member or record.path}"
        if owner and record.artifact == owner.name and (not inside or name.endswith(f"/{inside}")):
            return record.path
    return ""


def _depths(recipe: Recipe, home: Home) -> Iterator[tuple[str, int]]:
    records = manifest.read(home.manifest)
    for artifact in recipe.artifacts:
        if isinstance(artifact.source, UrlList) and (path := _json(artifact, recipe, records)):
            yield path, len(artifact.source.keys)


def _compare(
    artifact: Artifact, recipe: Recipe, home: Home, path: str, here: set[str], unnamed: set[str]
) -> Compared:
    """Takes what this JSON names out of `unnamed`."""
    source = artifact.source
    assert isinstance(source, UrlList)
    place = placer(artifact, recipe.layout)
    rows, again = tee(read(home.root / path, source.read, source.keys))  # in step: one row is held
    named, without = 0, set[Key]()
    for row, item in zip(rows, items(source, again), strict=True):
        named += 1
        picture = place(item.path) if isinstance(item, Item) else ""
        if picture in here:
            unnamed.discard(picture)
        elif isinstance(row, Row):
            without.add(tuple(row.fields[key] for key in source.keys))
    return Compared(path, named, frozenset(without))


def _write(home: Home, compared: Compared, depth: int) -> FileRecord:
    source = home.root / compared.path
    stem, dot, extension = compared.path.rpartition(".")
    path = f"{stem}.available.{extension}" if dot else f"{compared.path}.available"
    digest, size = hashlib.sha256(), 0
    with user_errors(source), open(source, "rb") as file:
        # Mapped, and each record left as it is spelled: the whole as objects would take gigabytes.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            with atomic_file(home.root / path) as out:
                for piece in chain(_kept(data, (), depth, compared.without), (b"\n",)):
                    out.write(piece)
                    digest.update(piece)
                    size += len(piece)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadList(f"{compared.path}: expected a JSON map of records: {error}") from error
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return FileRecord(path, size, digest.hexdigest(), f"made from {compared.path}", at)


def _kept(node: Buffer, above: Key, depth: int, without: frozenset[Key]) -> Iterator[bytes]:
    """The map below `node`, a record a line, without those named; `depth` levels of keys are left."""
    between = b"{\n"
    for key, child in msgspec.json.decode(node, type=dict[str, msgspec.Raw]).items():
        here = (*above, key)
        record = bytes(child)
        if depth == 1 and (here in without or not record.startswith(b"{")):
            continue
        yield between + msgspec.json.encode(key) + b": "
        between = b",\n"
        if depth == 1:
            yield record
        else:
            yield from _kept(record, here, depth - 1, without)
    yield b"\n}" if between == b",\n" else b"{}"
