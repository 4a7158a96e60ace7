"""The published tree against its manifest: what is missing, damaged, or not ours."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import msgspec

from datafetch.errors import NoRoom
from datafetch.layout.digests import Digests
from datafetch.model import Event, Why
from datafetch.store import files as store
from datafetch.store.home import Home
from datafetch.store.inventory import Entry, walk
from datafetch.store.lines import salvaged

BATCH = 500  # files hashed per task: enough to hide the cost of handing one over
SPREAD_FROM = 4 * BATCH  # starting processes costs about as much as hashing this many small files
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")


class Level(StrEnum):
    """How closely to look; each level includes those before it."""

    PRESENCE = "presence"
    SIZE = "size"
    HASH = "hash"
    DECODE = "decode"


class Sight(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A file as it stood when its bytes were last known to be right; the same sight again means the same bytes.

    ctime is what a program cannot set back, so an edit that restores size and mtime still shows.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Finding:
    path: str
    why: str  # missing, size, damaged, undecodable or extra
    text: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What one verification found. `ok` counts files that passed; `hashed` those whose content was read."""

    level: Level
    ok: int
    hashed: int
    findings: tuple[Finding, ...]

    @property
    def damaged(self) -> frozenset[str]:
        """Published paths that need repair."""
        return frozenset(f.path for f in self.findings if f.why != "extra")


def verify(
    home: Home, records: Sequence[Entry], level: Level, *, full: bool, emit: Callable[[Event], None]
) -> Verified:
    """Compares the tree with the manifest's records. Writes only, when hashes were checked, what it saw.

    A file whose sight is unchanged since its hash was last right costs a stat only, unless `full`.
    """
    sights, extra = _look(home, records)
    findings = [_extra(path) for path in extra]
    to_hash, good = [], []
    known = {} if full else read_sights(home.seen)
    hashes = level in (Level.HASH, Level.DECODE)
    for record in records:
        sight = sights.get(record.path)
        if sight is None:
            findings.append(Finding(record.path, "missing", "not there"))
        elif level is not Level.PRESENCE and sight.size != record.size:
            text = f"{sight.size} bytes, expected {record.size}"
            findings.append(Finding(record.path, "size", text))
        elif hashes and known.get(record.path) != sight:
            to_hash.append(record)
        else:
            good.append(record)
    for record, digest in _hash_all(home.root, to_hash, emit):
        if digest == record.sha256:
            good.append(record)
        else:
            findings.append(Finding(record.path, "damaged", _difference(record.sha256, digest)))
    if level is Level.DECODE:
        bad = list(_undecodable(home.root, good))
        findings += bad
        good = [r for r in good if r.path not in {f.path for f in bad}]
    findings.sort(key=lambda f: os.fsencode(f.path))
    found = Verified(level, len(good), len(to_hash), tuple(findings))
    if hashes:
        with suppress(NoRoom):  # a dataset that may only be read can be verified all the same
            if to_hash or len(known) != len(good):
                write_sights(home.seen, [sights[r.path] for r in good])
            write_damaged(home, found.damaged)
    return found


def sight_of(path: str, stat: os.stat_result) -> Sight:
    return Sight(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def read_sights(path: Path) -> dict[str, Sight]:
    """What was seen last, by path; empty when the list is absent or damaged, which only costs time."""
    try:
        sights = msgspec.json.Decoder(Sight).decode_lines(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
    return {sight.path: sight for sight in sights}


def write_sights(path: Path, sights: Sequence[Sight]) -> None:
    store.write_atomic(path, msgspec.json.Encoder().encode_lines(sights))


def remember(home: Home, paths: Iterable[str]) -> None:
    """Add the sights of files that have just been published with verified bytes. Holds eight bytes for each."""
    root, fresh, encode = f"{home.root}/", Digests(), msgspec.json.Encoder().encode_lines
    before = home.seen.exists()

    def sights() -> Iterator[Sight]:
        for path in paths:
            with suppress(FileNotFoundError):
                yield sight_of(path, os.lstat(root + path))
                if before:
                    fresh.add(path)
        yield from (sight for sight in salvaged(home.seen, Sight) if sight.path not in fresh)

    each = sights()
    with store.atomic_file(home.seen) as file:
        while some := list(islice(each, BATCH)):
            file.write(encode(some))


def write_damaged(home: Home, paths: frozenset[str]) -> None:
    """Remember what is wrong, so that the next `get` mends it too."""
    if paths:
        store.write_atomic(home.damaged, msgspec.json.encode(sorted(paths)))
    else:
        store.remove_tree(home.damaged)


def _look(home: Home, records: Sequence[Entry]) -> tuple[dict[str, Sight], list[str]]:
    wanted = {record.path for record in records}
    sights, extra = {}, []
    for folder in dict.fromkeys(record.path.partition("/")[0] for record in records):
        if os.path.islink(home.root / folder):
            extra.append(folder)
            continue
        for path, stat in walk(str(home.root), folder):
            if path in wanted:
                sights[path] = sight_of(path, stat)
            else:
                extra.append(path)
    return sights, extra


def _extra(path: str) -> Finding:
    return Finding(path, "extra", "not in the manifest; loaders may take it for data")


def _difference(expected: str, found: str | None) -> str:
    return "cannot be read" if found is None else f"sha256 {found[:12]}…, expected {expected[:12]}…"


def _hash_all(
    root: Path, records: list[Entry], emit: Callable[[Event], None]
) -> Iterator[tuple[Entry, str | None]]:
    """Each record with the digest of what lies there now; None when it cannot be read."""
    batches = (records[at : at + BATCH] for at in range(0, len(records), BATCH))
    spread = len(records) >= SPREAD_FROM
    done = 0
    with ProcessPoolExecutor(mp_context=get_context("spawn")) if spread else nullcontext() as pool:
        for batch, digests in _map(pool, str(root), batches):
            yield from zip(batch, digests, strict=True)
            done += len(batch)
            emit(Event("verifying", "", done=done, total=len(records)))


def _map(
    pool: Executor | None, root: str, batches: Iterator[list[Entry]]
) -> Iterator[tuple[list[Entry], list[str | None]]]:
    if pool is None:
        for batch in batches:
            yield batch, digests_of(root, [r.path for r in batch])
        return
    ahead = []
    for batch in batches:
        ahead.append((batch, pool.submit(digests_of, root, [r.path for r in batch])))
        if len(ahead) > 8:  # enough to keep every core busy, few enough to keep memory flat
            first, future = ahead.pop(0)
            yield first, future.result()
    for first, future in ahead:
        yield first, future.result()


def digests_of(root: str, paths: Sequence[str]) -> list[str | None]:
    """SHA-256 of each file below root, None for one that cannot be read or is a link."""
    return [_digest(f"{root}/{path}") for path in paths]


def _digest(path: str) -> str | None:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _undecodable(root: Path, records: Sequence[Entry]) -> Iterator[Finding]:
    from datafetch.images.check import Limits, check_file

    for record in records:
        if record.path.lower().endswith(IMAGES):
            result = check_file(root / record.path, Limits())
            if isinstance(result, Why):
                yield Finding(record.path, "undecodable", result)
