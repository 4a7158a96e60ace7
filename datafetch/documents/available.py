"""JSONs held against the pictures they name, both ways, and written anew without those that are not here.

Training code that opens whatever its JSON names stops at the first picture that is missing. `x.json` of the tree gets
an `x.available.json` beside it, with the records as they are spelled and in their order; upstream's own stays.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee

import msgspec

from datafetch.documents import preferred
from datafetch.documents.forms import Columns, Form, Key, Lines, Map, Records, mapped
from datafetch.errors import BadList, DatafetchError
from datafetch.images.items import Item, items
from datafetch.images.rows import Row, read
from datafetch.layout import manifest
from datafetch.layout.digests import Digests
from datafetch.lists.placing import extensions, placing
from datafetch.model import Artifact, FileRecord, Recipe, UrlList
from datafetch.plan.difference import holder
from datafetch.store import inventory
from datafetch.store.faults import user_errors
from datafetch.store.files import atomic_file
from datafetch.store.home import Home
from datafetch.verify.damage import write_damaged
from datafetch.verify.sights import remember

_LISTS = ("map", "columns", "jsonl")  # those in JSON
MADE = "made from "  # in the manifest, before the path of the JSON


@dataclass(frozen=True, slots=True)
class Compared:
    """One JSON against the tree."""

    path: str  # of the JSON, below the output directory
    named: int  # records
    lacking: int  # of them those that lack a picture
    form: Form  # without those

    @property
    def words(self) -> str:
        return f"{self.path}: {self.named:,} records, {self.lacking:,} without a picture here"


class _Tree:
    """The published pictures, and what of them has been named: sixteen bytes each."""

    def __init__(self, paths: Iterable[str], lost: Container[str]) -> None:
        self.here = Digests.of(path for path in paths if path not in lost)
        self._named = Digests()
        self._folders: set[str] = set()  # of what was named

    def has(self, path: str) -> bool:
        """Whether a picture that a record names is here."""
        self._folders.add(path.rpartition("/")[0])
        self._named.add(path)
        return path in self.here

    def unnamed(self, paths: Iterable[str]) -> int:
        """How many of these are here, stand among the pictures, and are none that anything names."""
        among = (path for path in paths if path.rpartition("/")[0] in self._folders)
        return sum(path in self.here and path not in self._named for path in among)


def compare(
    recipe: Recipe, home: Home, lost: Container[str], only: Collection[str] | None = None
) -> tuple[list[Compared], int]:
    """Each published JSON that names pictures of which some are here, and how many of the pictures none of them
    names: lists of addresses that are JSON, and documents that were made of pictures, or derived of them.

    `lost` are published paths that are absent or damaged; `only` these JSONs are looked at. Reads the JSONs
    whole, a record at a time, and the manifest as it comes.
    """
    lists = [each for each in _lists(recipe, home) if only is None or each[1] in only]
    documents = [each for each in _documents(recipe, home) if only is None or each[0] in only]
    derived = preferred.documents(recipe, _published(home))
    preferences = [each for each in derived if only is None or each[0] in only]
    if not lists and not documents and not preferences:
        return [], 0
    tree, found = _Tree((record.path for record in _published(home)), lost), []
    brought = {record.artifact for record in _published(home)}
    for artifact, path in lists:
        compared = _compare_list(artifact, recipe, home, path, tree)
        if compared.lacking < compared.named or artifact.name in brought:
            found.append(compared)
    found += [_compare_records(home, path, folder, tree) for path, folder in documents]
    found += [_compare_preferred(home, path, folder, tree) for path, folder in preferences]
    told = {compared.path for compared in found}
    return found, tree.unnamed(record.path for record in _published(home) if record.path not in told)


def _published(home: Home) -> Iterator[FileRecord]:
    """The manifest, but for what `write` made."""
    return (record for record in manifest.salvage(home.manifest) if ".available." not in record.path)


def write(home: Home, compared: Sequence[Compared]) -> list[str]:
    """Write each JSON without the records that lack their picture, durably, and put it into the manifest; the paths
    written.

    Raises BadList for a JSON that is none. May be called again: the same is written once more.
    """
    made = [_write(home, each) for each in compared]
    if made:
        paths = {record.path for record in made}
        kept = (record for record in manifest.read(home.manifest) if record.path not in paths)
        manifest.write(home.manifest, [*kept, *made])
        remember(home, [record.path for record in made])
    return [record.path for record in made]


def outlived(recipe: Recipe, home: Home, lost: frozenset[str]) -> list[str]:
    """What to say of derived JSONs with records whose picture was here once and is among the `lost` now.

    A JSON that cannot be read is passed over: it is told of as damaged.
    """
    said = []
    documents = list(preferred.documents(recipe, _published(home)))
    if not documents:
        return []
    tree = _Tree((record.path for record in _published(home)), lost)
    for path, folder in documents:
        if path in lost:
            continue
        try:
            found = _compare_preferred(home, path, folder, tree)
        except DatafetchError:
            continue
        if found.lacking:
            way = f"datafetch verify {recipe.name} --write-available writes it without them"
            said.append(f"{path}: {found.lacking:,} of {found.named:,} records lack a picture; {way}")
    return said


def written(home: Home) -> dict[str, str]:
    """The published paths that `write` made, with that of the JSON they were made from."""
    records = manifest.salvage(home.manifest)
    return {r.path: r.url.removeprefix(MADE) for r in records if r.url.startswith(MADE)}


def renew(recipe: Recipe, home: Home, lost: Container[str]) -> None:
    """Write once more what `write` made here, to fit the pictures as they are now. Raises what `write` does.

    One whose JSON is among `lost` is left as it is.
    """
    made = written(home)
    if sources := {source for source in made.values() if source not in lost}:
        compared, _ = compare(recipe, home, lost, sources)
        paths = write(home, compared)
        write_damaged(home, sorted(inventory.damaged(home).difference(paths)))


def _lists(recipe: Recipe, home: Home) -> Iterator[tuple[Artifact, str]]:
    """The lists of addresses that are JSON, and where each stands in the tree."""
    for artifact in recipe.artifacts:
        source = artifact.source
        if not isinstance(source, UrlList) or source.read not in _LISTS or "<" in source.file:
            continue
        owner = holder(source.file, recipe.artifacts)
        inside = source.file.removeprefix(owner.name).strip("/") if owner else ""
        for record in _published(home):
            name = f"/{record.member or record.path}"
            if owner and record.artifact == owner.name and (not inside or name.endswith(f"/{inside}")):
                yield artifact, record.path
                break


def _documents(recipe: Recipe, home: Home) -> Iterator[tuple[str, str]]:
    """The documents that were made of pictures, and the folder that their paths begin in."""
    makers = [(finish.list, finish.to) for finish in recipe.finish if finish.list]
    for (
        rule
    ) in recipe.layout:  # a document that is made from one of an archive stands where that one is placed
        if any(finish.to == rule.to and not finish.list for finish in recipe.finish):
            owners = (holder(source, recipe.artifacts) for source in rule.sources)
            makers += [(owner.name, rule.to) for owner in owners if owner is not None]
    folders = {artifact.name: artifact.folder for artifact in recipe.artifacts}
    for name, to in makers:
        pieces = re.split(r"<[^<>]+>", f"{folders[name]}/{to}")
        fits = re.compile("[^/]+".join(map(re.escape, pieces))).fullmatch
        for record in _published(home):
            if record.artifact == name and fits(record.path):
                yield record.path, folders[name]


def _compare_list(artifact: Artifact, recipe: Recipe, home: Home, path: str, tree: _Tree) -> Compared:
    source = artifact.source
    assert isinstance(source, UrlList)
    place = placing(artifact, recipe.layout, extensions(home, artifact))
    rows, again = tee(read(home.root / path, source.read, source.keys))  # in step: one row is held
    named, lacking, without, gone = 0, 0, set[Key](), bytearray()
    for row, item in zip(rows, items(source, again), strict=True):
        named += 1
        is_here = isinstance(item, Item) and tree.has(place(item.path))
        lacking += not is_here
        if source.read != "map":
            gone.extend(b"\1" * (row.number - 1 - len(gone)))  # lines that are no rows
            gone.append(not is_here)
        elif not is_here and isinstance(row, Row):
            without.add(tuple(row.fields[key] for key in source.keys))
    forms: dict[str, Form] = {
        "map": Map(len(source.keys), frozenset(without)),
        "columns": Columns(bytes(gone)),
        "jsonl": Lines(bytes(gone)),
    }
    return Compared(path, named, lacking, forms[source.read])


class _Named(msgspec.Struct):
    file_path: str = ""


def _compare_records(home: Home, path: str, folder: str, tree: _Tree) -> Compared:
    gone, decode = bytearray(), msgspec.json.Decoder(_Named).decode
    with _readable(home, path), mapped(home.root / path) as data:
        for record in msgspec.json.decode(data, type=list[msgspec.Raw]):
            gone.append(not tree.has(f"{folder}/{decode(record).file_path}"))
    return Compared(path, len(gone), sum(gone), Records(bytes(gone)))


def _compare_preferred(home: Home, path: str, folder: str, tree: _Tree) -> Compared:
    # Pictures that no record names are no fault here: most of a person's sequence may be too short, or disliked.
    with _readable(home, path), mapped(home.root / path) as data:
        gone = preferred.lacking(data, folder, str(home.root), tree.here.__contains__)
    return Compared(path, len(gone), sum(gone), Records(gone))


@contextmanager
def _readable(home: Home, path: str) -> Iterator[None]:
    """BadList for a document that is no JSON of its form."""
    with user_errors(home.root / path):
        try:
            yield
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadList(f"{path}: expected a JSON of records: {error}") from error


def _write(home: Home, compared: Compared) -> FileRecord:
    stem, dot, extension = compared.path.rpartition(".")
    path = f"{stem}.available.{extension}" if dot else f"{compared.path}.available"
    digest, size = hashlib.sha256(), 0
    with _readable(home, compared.path), atomic_file(home.root / path) as out:
        for piece in compared.form.kept(home.root / compared.path):
            out.write(piece)
            digest.update(piece)
            size += len(piece)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return FileRecord(path, size, digest.hexdigest(), f"{MADE}{compared.path}", at)
