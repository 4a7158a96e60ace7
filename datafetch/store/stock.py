"""What the manifest says is in the tree, and what of that is gone: added up as it is read, never held."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Protocol

from datafetch.model import Artifact, Seen
from datafetch.store import inventory
from datafetch.store.held import on_disk
from datafetch.store.home import Home
from datafetch.store.lines import merged

_TOGETHER = 2000  # files that are looked at before others are read


@dataclass(frozen=True, slots=True)
class Stock:
    files: Mapping[str, int]  # published, by artifact
    bytes: Mapping[str, int]  # by artifact
    blocks: int  # bytes of disk that they take
    gone: frozenset[str]  # paths to bring back: lost, or known to be damaged
    missing: Mapping[str, frozenset[str]]  # those of them that are published, by artifact
    tree_digest: str  # empty when nothing is published


def take_stock(home: Home, damaged: frozenset[str] = frozenset()) -> Stock:
    """Reads the manifest once, with one lstat a file. `damaged` are published paths to bring back in any case."""
    files, sizes, digest = Counter[str](), Counter[str](), Digest()
    bad = inventory.damaged(home) | damaged
    gone, missing = set(bad), dict[str, set[str]]()
    entries, blocks = inventory.published(home), 0
    while some := list(islice(entries, _TOGETHER)):
        files.update(map(attrgetter("artifact"), some))
        for entry in some:
            sizes[entry.artifact] += entry.size
        blocks += on_disk(map(attrgetter("size"), some))
        if lost := inventory.lost(home.root, some):
            gone |= lost
        for entry in some if lost or bad else ():
            if entry.path in gone:
                missing.setdefault(entry.artifact, set()).add(entry.path)
        digest.add(some)
    return Stock(
        files,
        sizes,
        blocks,
        frozenset(gone),
        {artifact: frozenset(paths) for artifact, paths in missing.items()},
        _tree_digest(home, digest) if files else "",
    )


def tree_digest(home: Home) -> str:
    """That of the manifest."""
    digest = Digest()
    digest.add(inventory.published(home))
    return _tree_digest(home, digest)


def _tree_digest(home: Home, digest: Digest) -> str:
    if not digest.in_order:  # somebody has edited it
        digest = Digest()
        digest.add(merged((home.manifest,), inventory.Entry))
    return digest.hexdigest()


def observe(
    home: Home, artifacts: Sequence[Artifact], stock: Stock, short: Collection[str] = ()
) -> dict[str, Seen]:
    """One Seen for each artifact; `short` names those of which more is wanted than was built."""
    return {
        artifact.name: inventory.look(
            home,
            artifact,
            stock.files.get(artifact.name, 0),
            stock.bytes.get(artifact.name, 0),
            stock.missing.get(artifact.name, frozenset()),
            artifact.name in short,
        )
        for artifact in artifacts
    }


class Named(Protocol):
    """What a tree digest needs to know of a file."""

    @property
    def path(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class Digest:
    """SHA-256 of the lines `<sha256>  <path>` of files that come sorted by path bytes; paths are never escaped."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._last = ""
        self.in_order = True  # so they came

    def add(self, files: Iterable[Named]) -> None:
        rest = iter(files)
        while some := list(islice(rest, _TOGETHER)):
            paths = [self._last, *map(attrgetter("path"), some)]
            self.in_order = self.in_order and all(map(str.__le__, paths, islice(paths, 1, None)))
            self._last = paths[-1]
            text = "".join([f"{file.sha256}  {file.path}\n" for file in some])
            self._digest.update(text.encode("utf-8", "surrogateescape"))

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
