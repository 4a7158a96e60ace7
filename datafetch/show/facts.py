"""What a page tells of a dataset, gathered from the state folder in one pass over manifest and journals.

Memory depends on how much is shown, not on how many files there are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappush, heapreplace
from itertools import islice

import msgspec

from datafetch.images.again import NEVER, due_at
from datafetch.images.census import host_of
from datafetch.images.lacking import lacking
from datafetch.images.samples import Samples
from datafetch.images.thumbnail import thumbnail, thumbnail_of
from datafetch.model import Outcome, Recipe, UrlList
from datafetch.store import history
from datafetch.store.history import Past
from datafetch.store.home import Home

CLASSES = 24  # shown with pictures
OF_EACH = 6  # pictures of a class
COUNTED = 20_000  # classes and hosts told apart; all others are counted together
OTHERS = "all others"
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif")


MAGIC = ((b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"RIFF", "WebP"), (b"BM", "BMP"))


@dataclass(slots=True)
class Class:
    """The files of one folder, and a few of them as small JPEGs: the same few each time."""

    name: str
    files: int = 0
    size: int = 0
    pictures: tuple[tuple[str, bytes], ...] = ()  # name and JPEG
    _picks: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, size: int, sha256: str) -> None:
        self.files += 1
        self.size += size
        # By digest, lowest first: as good as chance, but the same on every machine.
        pick = (-int(sha256[:12] or "0", 16), path)
        if len(self._picks) < 2 * OF_EACH:
            heappush(self._picks, pick)
        elif pick > self._picks[0]:
            heapreplace(self._picks, pick)

    def picked(self) -> list[str]:
        return [path for _, path in sorted(self._picks, reverse=True)]


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
    home: str
    licence: str
    made_at: str
    status: str  # of the last run
    counts: dict[str, int]  # by outcome, and their sum as `total`
    bytes: int
    tree_digest: str
    lost: tuple[Lost, ...]
    hosts: tuple[tuple[str, Counter[Outcome]], ...]  # with the most rows first
    classes: tuple[Class, ...]  # those with pictures first
    more_classes: int  # counted, not shown
    turned: tuple[Turned, ...]
    runs: tuple[Past, ...]


class _Line(msgspec.Struct, gc=False):
    """The part of a manifest line that a page needs."""

    path: str
    size: int
    sha256: str
    url: str = ""


class _Report(msgspec.Struct):
    status: str = "never run"
    counts: dict[str, int] = {}
    tree_digest: str = ""


def gather(recipe: Recipe, home: Home, now: float) -> Facts:
    """Everything a page tells, as it stands `now` (seconds since 1970). Reads only."""
    classes: dict[str, Class] = {}
    hosts: dict[str, Counter[Outcome]] = {}
    for line in _lines(home):
        name = _known(line.path.rpartition("/")[0], classes)
        classes.setdefault(name, Class(name)).add(line.path, line.size, line.sha256)
        if line.url.startswith(("http://", "https://")):
            _host(hosts, line.url)[Outcome.OK] += 1
    lost = tuple(_lost(recipe, home, hosts, now))
    shown = sorted(classes.values(), key=lambda each: each.name)[:CLASSES]
    for each in shown:
        each.pictures = tuple(_pictures(home, each))
    report = _report(home)
    return Facts(
        name=recipe.name,
        title=recipe.title,
        home=recipe.home,
        licence=recipe.licence,
        made_at=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now)),
        status=report.status,
        counts=report.counts,
        bytes=sum(each.size for each in classes.values()),
        tree_digest=report.tree_digest,
        lost=lost,
        hosts=tuple(sorted(hosts.items(), key=lambda each: (-each[1].total(), each[0]))),
        classes=tuple(shown),
        more_classes=len(classes) - len(shown),
        turned=tuple(_turned(recipe, home)),
        runs=history.runs(home.history),
    )


def _known(name: str, table: Mapping[str, object]) -> str:
    """`name`, or the one that stands for all others once too many are told apart."""
    return name if name in table or len(table) < COUNTED else OTHERS


def _host(hosts: dict[str, Counter[Outcome]], url: str) -> Counter[Outcome]:
    return hosts.setdefault(_known(host_of(url), hosts), Counter())


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


def _pictures(home: Home, of: Class) -> Iterator[tuple[str, bytes]]:
    """Some of a class, small; files that are no pictures are passed over."""
    made = ((path, thumbnail_of(home.root / path)) for path in of.picked() if path.lower().endswith(IMAGES))
    found = ((path.rpartition("/")[2], jpeg) for path, jpeg in made if jpeg is not None)
    return islice(found, OF_EACH)


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
