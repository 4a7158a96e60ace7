"""Outcomes: events, what they say, and what is written down of files."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from datafetch.model.sources import Checksum


class Why(StrEnum):
    """Why a transfer did not end well; `transfer.retry` says what follows from each."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    SERVER_ERROR = "server error"
    THROTTLED = "throttled"
    TOO_SLOW = "too slow"
    RANGE_IGNORED = "range ignored"
    CHANGED = "changed"  # other offset, validator or size than the part we hold
    SHORT = "short body"
    CHECKSUM = "checksum"
    HTML = "html"  # a page where a file was expected
    QUOTA = "quota"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    OPTED_OUT = "opted out"  # its host wants no training with it, or no robots
    BAD_URL = "bad url"
    REFUSED = "refused"  # by our own policy: address, scheme, redirect
    BAD_ANSWER = "bad answer"
    PLACEHOLDER = "placeholder"
    NOT_AN_IMAGE = "not an image"
    TOO_SMALL = "too small"
    TOO_LARGE = "too large"
    NO_SPACE = "no space"
    CANNOT_WRITE = "cannot write"
    MANUAL = "manual"
    OFFLINE = "offline"
    UNSAFE = "unsafe archive"
    LAYOUT = "layout"  # the archive holds nothing that the recipe's layout knows
    BAD_LIST = "bad list"
    LOCKED = "locked"
    NOT_CHOSEN = "not chosen"  # left out by --split, --classes and their like
    NOT_LOCKED = "not locked"  # a row that gave no file when the lock file was written
    DRIFT = "drift"  # not what the lock file says
    LIMIT = "limit"  # of time or bytes, by the user
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """The one recorded state an item ends in."""

    OK = "ok"
    MISSING = "missing"
    FAILED = "failed"
    REJECTED = "rejected"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `run` hands each to the report and the console; `--json` prints it.

    kind        name        meaning
    started     artifact    a transfer begins at byte `done` of `total`
    received    artifact    `done` more body bytes came over the network
    progress    artifact    the file holds `done` of `total` bytes
    retry       artifact    `why`, `text` says how long until the next try
    fetched     artifact    the file is whole and verified; `done` is its size
    extract     artifact    extraction of `total` members begins; None: it is still arriving
    extracting  artifact    `done` of `total` members are written
    grown       artifact    `done` bytes of its files are written
    staged      artifact    its files are durable: `count` files, `done` bytes
    built       folder      published: `count` files, `done` bytes
    freed       artifact    `done` bytes of archive deleted
    item        artifact    `count` items of a URL list ended as `outcome`, with `why`
    verifying   -           `done` of `total` files are checked
    failed      artifact    `why`, `text`, `hint`, `code`
    note        any         something a person should know; nothing failed
    """

    kind: str
    name: str
    done: int = 0
    total: int | None = None
    count: int = 0
    why: str = ""
    outcome: Outcome | None = None
    url: str = ""
    text: str = ""
    hint: str = ""
    code: int = 0


BY_HAND = "by hand"  # a record's `url`, of what a person brought


@dataclass(frozen=True, slots=True)
class Standing:
    """How upstream stands to a file that was got from it."""

    name: str
    state: str  # unchanged, changed, gone, or unknown
    url: str  # who was asked; free of secrets
    text: str = ""  # in what it changed, or why that is not known
    was: tuple[tuple[str, str], ...] = ()  # size, ETag and Last-Modified, as far as they were said
    now: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One line of the manifest. `path` is relative to the output directory, with `/`."""

    path: str
    size: int
    sha256: str
    url: str
    fetched_at: str  # UTC, ISO 8601, seconds
    artifact: str = ""
    member: str = ""  # name inside the archive, as upstream has it
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is known of a verified file in the state folder; the journal's last word on an artifact."""

    path: str
    size: int
    sha256: str
    url: str  # the recipe's origin address, not a mirror's
    fetched_at: str
    digests: tuple[tuple[str, str], ...] = field(default=())  # other algorithms that a recipe names
    address: str = ""  # the `identity` of that origin address, of which `url` may hide a part
    etag: str = ""  # as the origin said when it gave these bytes; empty: it said none, or a mirror gave them
    last_modified: str = ""

    def satisfies(self, size: int | None, checksums: tuple[Checksum, ...]) -> bool:
        """Whether it is the file that a recipe speaks of now, as far as the recipe says."""
        known = {**dict(self.digests), "sha256": self.sha256}
        right = all(known.get(checksum.algorithm) == checksum.digest for checksum in checksums)
        return right and size in (None, self.size)
