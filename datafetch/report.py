"""Events folded into a Report: what a run did, what the dataset is now, and the exit code."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import msgspec

from datafetch.errors import (
    BadList,
    DatafetchError,
    Drifted,
    Interrupted,
    LayoutMismatch,
    Locked,
    NeedsPerson,
    NoRoom,
    Offline,
    TimeLimit,
    TransferFailed,
    TransferLimit,
    UnsafeArchive,
    worst,
)
from datafetch.model import Event, Outcome, Standing, Why
from datafetch.store.held import Held
from datafetch.store.subsets import Partial

WHYS = {
    UnsafeArchive: Why.UNSAFE,
    LayoutMismatch: Why.LAYOUT,
    BadList: Why.BAD_LIST,
    Drifted: Why.DRIFT,
    NeedsPerson: Why.MANUAL,
    Offline: Why.OFFLINE,
    NoRoom: Why.CANNOT_WRITE,
    Locked: Why.LOCKED,
    TimeLimit: Why.LIMIT,
    TransferLimit: Why.LIMIT,
    Interrupted: Why.INTERRUPTED,
}
STOPPED = frozenset({8, 10, 11, 12, 130, 143})  # exit codes of runs that ended before their work did


def why_of(error: DatafetchError) -> Why:
    """The class of an error, for those who filter by it."""
    if isinstance(error, TransferFailed):
        return error.why
    return next((why for kind, why in WHYS.items() if isinstance(error, kind)), Why.UNKNOWN)


def failure(name: str, error: DatafetchError) -> Event:
    """What tells that something of a run failed, when the rest of it goes on."""
    code = error.exit_code
    return Event("failed", name, why=why_of(error), text=str(error), hint=error.hint, code=code)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing a person may want to act on."""

    name: str
    why: str  # a Why, or what a verification found
    url: str = ""
    hint: str = ""
    text: str = ""  # the whole sentence
    code: int = field(default=0, compare=False)

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "why": self.why, "url": self.url, "hint": self.hint, "text": self.text}

    @property
    def outcome(self) -> Outcome:
        """The state in which an artifact with this problem ends."""
        return Outcome.MISSING if self.why == Why.GONE else Outcome.FAILED


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one command; `as_json` is the object that contract.md fixes."""

    dataset: str
    root: str
    status: str  # complete, partial or failed
    exit_code: int
    counts: Mapping[str, int]  # by Outcome, and their sum as `total`
    transferred: int  # body bytes received by this run
    on_disk: int  # bytes of published files
    peak: int  # most bytes that archives, parts and trees took together during this run
    seconds: float
    tree_digest: str
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    finished_at: str = ""
    derived: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # artifact -> its summary
    members: Mapping[str, Report] = field(default_factory=dict)  # of a group
    subset: tuple[Partial, ...] = ()  # of what only a part is here, by choice
    upstream: tuple[Standing, ...] = ()  # of what was here before, when that was asked

    def as_json(self) -> dict[str, object]:
        document: dict[str, object] = {
            "dataset": self.dataset,
            "root": self.root,
            "status": self.status,
            "exit_code": self.exit_code,
            "counts": dict(self.counts),
            "bytes": {"transferred": self.transferred, "on_disk": self.on_disk, "peak": self.peak},
            "seconds": round(self.seconds, 3),
            "tree_digest": self.tree_digest,
            "problems": [problem.as_json() for problem in self.problems],
            "notes": list(self.notes),
            "subset": [each.as_json() for each in self.subset],
            "finished_at": self.finished_at,
        }
        if self.upstream:
            document["upstream"] = [
                {**asdict(each), "was": dict(each.was), "now": dict(each.now)} for each in self.upstream
            ]
        if self.derived:
            document["derived"] = {name: dict(told) for name, told in self.derived.items()}
        if self.members:
            document["members"] = {name: report.as_json() for name, report in self.members.items()}
        return document

    def as_file(self) -> bytes:
        """As it is written down: the same document, for people too."""
        return msgspec.json.format(msgspec.json.encode(self.as_json())) + b"\n"


class Tally:
    """Folds the events of one run. Safe to call from several threads: extraction reports from its own."""

    def __init__(self, held: Held | None = None, started: float | None = None) -> None:
        """`started` is when the run began, by the monotonic clock; None: now."""
        self._lock = threading.Lock()
        self._started = time.monotonic() if started is None else started
        self._held = held or Held()
        self.transferred = 0
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def __call__(self, event: Event) -> None:
        self._held(event)
        with self._lock:
            match event.kind:
                case "received":
                    self.transferred += event.done
                case "failed":
                    problem = Problem(event.name, event.why, event.url, event.hint, event.text, event.code)
                    self.problems.append(problem)
                case "note":
                    self.notes.append(event.text)

    @property
    def cut_off(self) -> bool:
        """Whether the run was stopped, so that another will go on."""
        return any(problem.code in STOPPED for problem in self.problems)

    @property
    def peak(self) -> int:
        return self._held.peak

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


def add_up(parts: Iterable[Mapping[Outcome, int]]) -> dict[str, int]:
    """Counts by outcome, each of them named, and `total`, which is always their sum."""
    total: Counter[Outcome] = Counter()
    for part in parts:
        total.update(part)
    counts = {str(outcome): total[outcome] for outcome in Outcome}
    return counts | {"total": sum(counts.values())}


def verdict(
    counts: Mapping[str, int], problems: Iterable[Problem], min_complete: float, *, hollow: bool = False
) -> tuple[str, int]:
    """(status, exit code) of a dataset with these counts.

    Items that were skipped on purpose do not count against `min_complete` (percent). A dataset without a single good
    item is failed, never complete; nor is one complete that is `hollow`: nothing came of an artifact that was wanted,
    however much the others, such as the list of its rows, make up.
    """
    codes = [p.code or 1 for p in problems]
    items = counts["total"] - counts["skipped"]
    few = items and 100 * counts["ok"] < min_complete * items
    if few or hollow or (not counts["ok"] and not codes):
        codes.append(6)
    code = worst(codes)
    if code == 0:
        return "complete", 0
    return ("partial" if counts["ok"] else "failed"), code


def unexpected(counts: Sequence[tuple[str, str]], paths: Iterable[str]) -> list[str]:
    """What of the recipe's expected counts the tree does not hold; only of folders that are there: a set that was not
    asked for is not missed.

    A glob names files below the output directory: `*` is within one folder, `**` any depth.
    """
    matches = [
        (re.match(r"(?:[^*?/]+/)*", glob), re.compile(_as_regex(glob)).fullmatch) for glob, _ in counts
    ]
    begins = [(match[0] if match else "", fits) for match, fits in matches]
    there, found = [False] * len(begins), [0] * len(begins)
    for path in paths:
        for at, (folder, fits) in enumerate(begins):
            if path.startswith(folder):
                there[at] = True
                found[at] += fits(path) is not None
    return [
        f"{glob}: {number:,} files, upstream speaks of {expected}"
        for (glob, expected), number, here in zip(counts, found, there, strict=True)
        if here and not _within(number, expected)
    ]


def _as_regex(glob: str) -> str:
    special = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(special.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*|\?)", glob))


def _within(found: int, expected: str) -> bool:
    """Whether a number fits "300", ">=71" or "71..201"."""
    if expected.startswith(">="):
        return found >= int(expected[2:])
    low, _, high = expected.partition("..")
    return int(low) <= found <= int(high or low)
