"""What a verification found, as lines, as one JSON document and as the report file: written as it is read back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice

from datafetch.console.screens import report_line
from datafetch.console.text import number, plural
from datafetch.errors import NoRoom, worst
from datafetch.model import Outcome
from datafetch.report import Problem, Report, add_up
from datafetch.store.files import atomic_file
from datafetch.store.home import Home
from datafetch.store.subsets import words
from datafetch.verify.findings import EXTRA, MISSING, Finding
from datafetch.verify.strays import shown
from datafetch.verify.whole import Verified

SHOWN = 20  # findings printed, unless all are asked for


@dataclass(frozen=True, slots=True)
class Checked:
    """A report, whose problems do not hold the findings: there may be a million of those."""

    report: Report
    home: Home
    found: Verified
    mended: Report | None = None

    def close(self) -> None:
        """Let go of what was found."""
        self.found.findings.close()

    def keep(self) -> None:
        """Write the report file, where that is possible."""
        with suppress(NoRoom), atomic_file(self.home.verified) as file:
            for piece in self.json():
                file.write(piece.encode())

    def json(self) -> Iterator[str]:
        """One JSON document and the end of its line, in pieces: the report with every finding among its problems."""
        document = self.report.as_json()
        at = list(document).index("problems")
        parts = [dict(islice(document.items(), at)), dict(islice(document.items(), at + 1, None))]
        head, tail = (json.dumps(part, ensure_ascii=False) for part in parts)
        yield f'{head[:-1]}, "problems": ['
        between = ""
        for problem in chain(map(_problem, self.found.findings), self.report.problems):
            yield between + json.dumps(problem.as_json(), ensure_ascii=False)
            between = ", "
        yield f"], {tail[1:]}\n"

    def lines(self, *, everything: bool) -> Iterator[str]:
        """One line for each finding, the first of them unless `everything`, then the sum; after a repair, what it
        brought back.
        """
        report, found, counts = self.report, self.found, self.found.findings.counts
        yield from (*report.notes, *words(report.subset))
        first = islice(found.findings, None if everything else SHOWN)
        yield from (f"{one.why}: {shown(one.path)}: {one.text}" for one in first)
        if not everything and len(found.findings) > SHOWN:
            rest = number(len(found.findings) - SHOWN)
            yield f"… and {rest} more; --all lists all of them, as does {self.home.verified}"
        if self.mended is not None:
            yield f"repair: {report_line(self.mended)}"
        said = [plural(found.ok, "file") + " ok", *(f"{number(n)} {why}" for why, n in counts.items())]
        if found.stopped is not None:
            said.append(f"{number(_left(found))} not looked at")
        said.append(f"level {found.level}, {plural(found.read, 'file')} read")
        if report.tree_digest:
            said.append(f"tree {report.tree_digest[:16]}")
        yield f"{report.dataset}: {', '.join(said)}"
        if found.stopped is not None:
            yield f"stopped: {found.stopped}"
            yield f"hint: {found.stopped.hint}"
        elif found.is_damaged and self.mended is None:
            yield f"hint: datafetch verify {report.dataset} --repair fetches what is damaged"
        elif counts[EXTRA]:
            yield "hint: extra files are not ours, and never deleted: move them away"


def report_of(name: str, home: Home, found: Verified, mended: Report | None, seconds: float) -> Report:
    """The report, but for the findings."""
    parts = Counter({Outcome.OK: found.ok, Outcome.SKIPPED: _left(found)})
    for why, count in found.findings.counts.items():
        parts[_outcome(why)] += count
    codes = [13] if found.findings else []
    codes += [found.stopped.exit_code] if found.stopped else []
    problems: tuple[Problem, ...] = ()
    if found.stopped is not None:
        text, hint, code = str(found.stopped), found.stopped.hint, found.stopped.exit_code
        problems += (
            Problem(name, "limit" if code == 10 else "interrupted", hint=hint, text=text, code=code),
        )
    if mended is not None and codes:
        problems += mended.problems
    return Report(
        dataset=name,
        root=str(home.root),
        status="partial" if codes else "complete",
        exit_code=worst(codes),
        counts=add_up([parts]),
        transferred=mended.transferred if mended else 0,
        on_disk=found.bytes,
        peak=mended.peak if mended else 0,
        seconds=seconds,
        tree_digest="" if found.is_damaged or found.stopped else found.tree_digest,
        problems=problems,
    )


def _left(found: Verified) -> int:
    """Files that were not looked at."""
    return found.files - found.ok - len(found.findings) + found.findings.counts[EXTRA]


def _problem(found: Finding) -> Problem:
    return Problem(found.path, found.why, hint=found.text, code=13)


def _outcome(why: str) -> Outcome:
    return {MISSING: Outcome.MISSING, EXTRA: Outcome.REJECTED}.get(why, Outcome.FAILED)
