"""What `status` shows: state by artifact, what is missing and why, and what the next run would ask for.

Rows of a list are read as they are printed and never held, however many there are.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import msgspec

from datafetch.console.text import cut, fields, number, size, table
from datafetch.images.again import NEVER, due_at
from datafetch.images.lacking import lacking
from datafetch.model import Artifact, Http, Outcome, Recipe, Seen, State, UrlList, Why
from datafetch.report import add_up
from datafetch.store import journal
from datafetch.store.home import Home
from datafetch.store.stock import observe, take_stock
from datafetch.store.subsets import subsets, words

SHOWN = 20  # of what is missing, unless --urls or --json asks for all


@dataclass(frozen=True, slots=True)
class Missing:
    """Something of a dataset that is not in the tree. `url` is upstream's, never a mirror's."""

    name: str
    why: str
    url: str = ""

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "why": self.why, "url": self.url}


@dataclass(slots=True)
class Tally:
    """Rows of lists without a file, by outcome and reason, and when they are asked for again."""

    now: float  # seconds since 1970
    rows: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    due: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    first: dict[tuple[Outcome, str], float] = field(default_factory=dict)  # of those that rest: the earliest

    def add(self, outcome: Outcome, why: str, at: str) -> None:
        key = (outcome, why)
        self.rows[key] += 1
        when = due_at(outcome, why, at, self.now)
        if when <= self.now:
            self.due[key] += 1
        elif when < NEVER:
            self.first[key] = min(when, self.first.get(key, NEVER))

    def as_json(self) -> list[dict[str, object]]:
        return [
            {
                "outcome": str(key[0]),
                "why": key[1],
                "rows": rows,
                "next_run": self.due[key],
                "later_from": _time(self.first[key]) if key in self.first else None,
            }
            for key, rows in self._ordered()
        ]

    def lines(self) -> list[str]:
        """A line for each reason; none when no row lacks its file."""
        rows = [(f"  {key[1]}", key[0], number(count), self._again(key)) for key, count in self._ordered()]
        return ["", *table([("rows", "OUTCOME", "ROWS", "ASKED AGAIN"), *rows], right=(2,))] if rows else []

    def _ordered(self) -> list[tuple[tuple[Outcome, str], int]]:
        return sorted(self.rows.items(), key=lambda each: (-each[1], each[0]))

    def _again(self, key: tuple[Outcome, str]) -> str:
        due = self.due[key]
        said = (
            [f"{number(due)} by the next run" if due < self.rows[key] else "by the next run"] if due else []
        )
        if key in self.first:
            said.append(f"from {_time(self.first[key])} on")
        return ", ".join(said) or ("-" if key[0] is Outcome.SKIPPED else "with --retry-gone")


class Look:
    """One look at a dataset, at its published files only when `files`; `missing` comes before `tally` and `counts`."""

    def __init__(self, recipe: Recipe, home: Home, why: str, *, files: bool = True) -> None:
        self._recipe, self._home, self._why = recipe, home, why
        self.tally = Tally(time.time())
        self.seen: dict[str, Seen] = {}
        self.subsets = subsets(home, recipe)
        if files:
            self.seen = observe(home, recipe.artifacts, take_stock(home))

    def missing(self) -> Iterator[Missing]:
        """Everything that is not in the tree, for the one reason or for any; read as it is asked for."""
        lost = (Missing(path, "lost") for now in self.seen.values() for path in sorted(now.lost))
        each = chain(lost, self._of_last_run(), self._of_lists())
        return (one for one in each if not self._why or one.why == self._why)

    def _of_lists(self) -> Iterator[Missing]:
        for artifact in self._recipe.artifacts:
            if isinstance(artifact.source, UrlList):
                for row in lacking(self._home.batches(artifact.name)):
                    why = row.why or str(row.outcome)
                    self.tally.add(row.outcome, why, row.at)
                    if why == Why.NOT_CHOSEN and not self._why:
                        continue  # counted; nobody misses it
                    yield Missing(f"{artifact.name} row {row.row}", why, row.url)

    def _of_last_run(self) -> Iterator[Missing]:
        try:
            last = msgspec.json.decode(self._home.report.read_bytes(), type=_Problems)
        except (OSError, msgspec.DecodeError):
            return
        origins = {a.name: a.source.urls[0] for a in self._recipe.artifacts if isinstance(a.source, Http)}
        for problem in last.problems:
            name = problem["name"]
            yield Missing(name, problem["why"], origins.get(name, "") if problem["url"] else "")

    def artifacts(self) -> list[dict[str, object]]:
        """What is here of each artifact; none when the files were not looked at."""
        return [
            {
                "name": artifact.name,
                "state": str(_state(self.seen[artifact.name])),
                "files": self.seen[artifact.name].files,
                "bytes": self.seen[artifact.name].tree_bytes,
                "dropped": self._dropped(artifact),
            }
            for artifact in self._recipe.artifacts
            if artifact.name in self.seen
        ]

    def lines(self, width: int | None) -> Iterator[str]:
        """For people: a table of artifacts, one of reasons, and the first of what is missing."""
        rows = [
            (
                a.name,
                str(_state(self.seen[a.name])),
                number(self.seen[a.name].files),
                size(self.seen[a.name].tree_bytes),
                _dropped_text(self._dropped(a)),
            )
            for a in self._recipe.artifacts
            if a.name in self.seen
        ]
        if rows:
            header = ("FILE", "STATE", "FILES", "SIZE", "LEFT OUT")
            yield from (cut(line, width) for line in table([header, *rows], right=(2, 3)))
        yield from (cut(line, width) for line in words(self.subsets))
        missing = self.missing()
        first = list(islice(missing, SHOWN))
        more = sum(1 for _ in missing)
        yield from (cut(line, width) for line in self.tally.lines())
        if first:
            yield from ("", "missing")
            yield from fields([(f"  {one.why}", f"{one.name} {one.url}".strip()) for one in first])
        if more:
            yield f"  … and {number(more)} more: --urls or --json lists all of them"

    def json(self) -> Iterator[str]:
        """One JSON document, in pieces."""
        head = {"dataset": self._recipe.name, "root": str(self._home.root), "artifacts": self.artifacts()}
        head["subset"] = [each.as_json() for each in self.subsets]
        yield json.dumps(head, ensure_ascii=False)[:-1] + ', "missing": ['
        between = ""
        for one in self.missing():
            yield between + json.dumps(one.as_json(), ensure_ascii=False)
            between = ", "
        yield f'], "rows": {json.dumps(self.tally.as_json())}, "counts": {json.dumps(self.counts())}}}\n'

    def counts(self) -> dict[str, int]:
        """Items by outcome, as in a report: files of the tree, rows of lists, members left out."""
        here = Counter({Outcome.OK: 0, Outcome.MISSING: 0})
        for now in self.seen.values():
            here += Counter({Outcome.OK: now.files - len(now.lost), Outcome.MISSING: len(now.lost)})
        for (outcome, _), rows in self.tally.rows.items():
            here[outcome] += rows
        for artifact in self._recipe.artifacts:
            if not isinstance(artifact.source, UrlList):
                here.update({o: sum(whys.values()) for o, whys in self._dropped(artifact).items()})
        return add_up([here])

    def urls(self) -> Iterator[str]:
        """The addresses of what is missing, a line each."""
        return (f"{one.url}\n" for one in self.missing() if one.url)

    def _dropped(self, artifact: Artifact) -> Mapping[Outcome, Mapping[str, int]]:
        staged = journal.known(self._home.journal(artifact.name)).staged
        return staged.dropped if staged else {}


class _Problems(msgspec.Struct):
    problems: Sequence[dict[str, str]] = ()


def _state(now: Seen) -> State:
    """As a person sees it: a built artifact of which a few files were lost is not absent."""
    return State.PARTIAL if now.state is State.ABSENT and len(now.lost) < now.files else now.state


def _dropped_text(dropped: Mapping[Outcome, Mapping[str, int]]) -> str:
    return ", ".join(f"{number(n)} {why}" for whys in dropped.values() for why, n in whys.items())


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
