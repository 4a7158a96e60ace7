"""What a page tells of a dataset, gathered from the state folder in one pass over manifest and journals.

Memory depends on how much is shown, not on how many files there are; so does time, once the manifest is read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from datafetch.images.again import NEVER, due_at
from datafetch.images.census import host_of
from datafetch.images.lacking import lacking
from datafetch.images.samples import Samples
from datafetch.images.thumbnail import dimensions, thumbnail
from datafetch.model import Outcome, Own, Recipe, UrlList
from datafetch.show.folders import COUNTED, OTHERS, Folders, Part, parts_of, rank
from datafetch.show.opened import Class, InTime, classes_of, opened
from datafetch.show.sizes import Sample, Size, Sizes
from datafetch.store import history
from datafetch.store.history import Past
from datafetch.store.home import Home

PATIENCE = 40.0  # seconds that opening pictures may take: a quarter of them for sizes

MAGIC = ((b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"RIFF", "WebP"), (b"BM", "BMP"))


@dataclass(frozen=True, slots=True)
class Lost:
    """Rows that ended without a file for one reason."""

    outcome: Outcome
    why: str
    rows: int
    due: int  # of them asked for by the next run
    later: bool  # whether others of them are asked for later


@dataclass(frozen=True, slots=True)
class Turned:
    """A body that was turned away: as a small JPEG if it is a picture, else how it begins."""

    why: str
    jpeg: bytes | None
    begins: str


@dataclass(frozen=True, slots=True)
class Facts:
    name: str
    title: str
    recipe: Recipe  # licence, terms, citation
    made_at: str
    status: str  # of the last run
    counts: dict[str, int]  # by outcome, and their sum as `total`
    bytes: int
    tree_digest: str
    lost: tuple[Lost, ...]
    hosts: tuple[tuple[str, Counter[Outcome]], ...]  # with the most rows first
    parts: tuple[Part, ...]
    classes: tuple[Class, ...]  # all of them, by name
    documents: tuple[tuple[str, int], ...]  # path and size of the first few files that are no pictures
    other_files: int  # that are no pictures
    sizes: Sizes
    unopened: int  # pictures that there was no time to open
    turned: tuple[Turned, ...]
    runs: tuple[Past, ...]


class _Line(msgspec.Struct, gc=False):
    """The part of a manifest line that a page needs."""

    path: str
    size: int
    sha256: str
    url: str = ""
    width: int | None = None
    height: int | None = None


class _Report(msgspec.Struct):
    status: str = "never run"
    counts: dict[str, int] = {}
    tree_digest: str = ""


def gather(recipe: Recipe, home: Home, now: float, patience: float = PATIENCE) -> Facts:
    """Everything a page tells, as it stands `now` (seconds since 1970). Reads only."""
    splits = {a.folder for a in recipe.artifacts if isinstance(a.source, Own) and not a.source.flat}
    folders, sample = Folders(splits), Sample()
    hosts: dict[str, Counter[Outcome]] = {}
    for line in _lines(home):
        order = rank(line.sha256)
        if folders.add(line.path, line.size, order):
            known = (line.width, line.height) if line.width and line.height else None
            sample.add(line.path, order, known)
        if line.url.startswith(("http://", "https://")):
            _host(hosts, line.url)[Outcome.OK] += 1
    lost = tuple(_lost(recipe, home, hosts, now))
    began = time.monotonic()
    sizes = sample.measured(_measure(home, lambda: time.monotonic() - began < patience / 4))
    strips = folders.strips()
    pictures, unopened = opened(home, strips, lambda: time.monotonic() - began < patience)
    report = _report(home)
    return Facts(
        name=recipe.name,
        title=recipe.title,
        recipe=recipe,
        made_at=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now)),
        status=report.status,
        counts=report.counts,
        bytes=folders.bytes,
        tree_digest=report.tree_digest,
        lost=lost,
        hosts=tuple(sorted(hosts.items(), key=lambda each: (-each[1].total(), each[0]))),
        parts=parts_of(strips),
        classes=classes_of(strips, pictures),
        documents=tuple(folders.documents),
        other_files=folders.other_files,
        sizes=sizes,
        unopened=unopened,
        turned=tuple(_turned(recipe, home)),
        runs=history.runs(home.history),
    )


def _measure(home: Home, in_time: InTime) -> Callable[[str], Size | None]:
    return lambda path: dimensions(home.root / path) if in_time() else None


def _known(name: str, table: Mapping[str, object]) -> str:
    """`name`, or the one that stands for all others once too many are told apart."""
    return name if name in table or len(table) < COUNTED else OTHERS


def _host(hosts: dict[str, Counter[Outcome]], url: str) -> Counter[Outcome]:
    name = _known(host_of(url), hosts)
    if name not in hosts:
        hosts[name] = Counter()
    return hosts[name]


def _lost(recipe: Recipe, home: Home, hosts: dict[str, Counter[Outcome]], now: float) -> Iterator[Lost]:
    """By reason, the most rows first; each row is counted for its host as well."""
    rows: Counter[tuple[Outcome, str]] = Counter()
    due: Counter[tuple[Outcome, str]] = Counter()
    later: set[tuple[Outcome, str]] = set()
    for artifact in recipe.artifacts:
        for row in lacking(home.batches(artifact.name)) if isinstance(artifact.source, UrlList) else ():
            key = (row.outcome, row.why or str(row.outcome))
            rows[key] += 1
            when = due_at(row.outcome, row.why, row.at, now)
            due[key] += when <= now
            if now < when < NEVER:
                later.add(key)
            if row.url:
                _host(hosts, row.url)[row.outcome] += 1
    for (outcome, why), count in rows.most_common():
        yield Lost(outcome, why, count, due[outcome, why], (outcome, why) in later)


def _turned(recipe: Recipe, home: Home) -> Iterator[Turned]:
    for artifact in recipe.artifacts:
        for why, body in Samples(home.samples(artifact.name)):
            jpeg = thumbnail(body)
            yield Turned(why, jpeg, "" if jpeg else _begins(body))


def _begins(body: bytes) -> str:
    """How a text begins; of anything else its length and its kind, as far as its first bytes tell."""
    if b"\0" not in body[:400]:
        return " ".join(body[:400].decode("utf-8", "replace").split())[:160]
    kind = next((name for magic, name in MAGIC if body.startswith(magic)), "no kind known here")
    return f"{len(body):,} bytes, {kind}, not whole or damaged"


def _report(home: Home) -> _Report:
    """The last report; one that says nothing when there is none."""
    try:
        return msgspec.json.decode(home.report.read_bytes(), type=_Report)
    except (OSError, msgspec.MsgspecError):
        return _Report()


def _lines(home: Home) -> Iterator[_Line]:
    """The lines of the manifest; none before the first build. Lines that are none are passed over."""
    decode = msgspec.json.Decoder(_Line).decode
    with suppress(FileNotFoundError), open(home.manifest, "rb") as file:
        for line in file:
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield decode(line)
