"""What `verify` and `lint` do, and how they say it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from datafetch import run
from datafetch.cli.app import to_have
from datafetch.console.screens import report_line
from datafetch.console.text import number, plural
from datafetch.errors import Damaged, Issue, NoRoom, UnknownName
from datafetch.layout import manifest
from datafetch.model import Event, Outcome, Recipe, Settings, UrlList
from datafetch.report import Problem, Report, add_up
from datafetch.store import inventory
from datafetch.store.home import Home
from datafetch.store.lease import Lease
from datafetch.store.stock import tree_digest
from datafetch.store.subsets import subsets, words
from datafetch.verify import Level, Verified, verify

SHOWN = 20  # findings printed; --json holds all of them


MANY = 20  # JSONs, beyond which they are not told one by one


def verify_and_repair(
    recipe: Recipe,
    settings: Settings,
    level: str,
    *,
    full: bool,
    repair: bool,
    write_available: bool,
    emit: Callable[[Event], None],
) -> tuple[Report, list[str]]:
    """The report and its lines. Raises UnknownName for a level, Damaged when nothing was ever published here.

    JSONs that name pictures are held against them when `full`, or when they are to be written anew.
    """
    started = time.monotonic()
    wanted = _level(level)
    home = run.home_of(settings, recipe.name)
    found = _verify(home, recipe, wanted, full=full, emit=emit)
    mended: Report | None = None
    if repair and (found.damaged or _unfinished(home) or _gaps(recipe, home)):
        mended = run.repair(recipe, found.damaged, settings, emit)
        found = _verify(home, recipe, wanted, full=full, emit=emit)
    if repair and not write_available and _renew(recipe, home, found):
        found = _verify(home, recipe, wanted, full=False, emit=emit)
    notes: tuple[str, ...] = ()
    if full or write_available:
        notes = _compare(recipe, home, found, write=write_available)
    if write_available:
        found = _verify(home, recipe, wanted, full=False, emit=emit)
    report = replace(_report(recipe, home, found, mended, time.monotonic() - started), notes=notes)
    report = replace(report, subset=subsets(home, recipe))
    return report, [*notes, *words(report.subset), *verify_lines(report, found, mended)]


def _compare(recipe: Recipe, home: Home, found: Verified, *, write: bool) -> tuple[str, ...]:
    """What JSONs and pictures lack of each other, and what was written of it."""
    from datafetch.documents import available

    compared, unnamed = available.compare(recipe, home, found.damaged)
    told = compared if len(compared) <= MANY else [each for each in compared if each.lacking]
    said = [each.words for each in told]
    if len(told) < len(compared):
        said.append(f"{len(compared) - len(told):,} further JSONs name no picture that is not here")
    if unnamed:
        said.append(f"{plural(unnamed, 'picture')} here that no JSON names")
    if write:
        with Lease(home.lease):
            written = available.write(home, compared)
        if len(written) > MANY:
            said.append(f"{len(written):,} JSONs are written, such as {written[0]}")
        else:
            said += [f"{path} is written" for path in written]
        if not compared:
            said.append("no JSON here names pictures one by one: nothing to write")
    return tuple(said)


def _renew(recipe: Recipe, home: Home, found: Verified) -> bool:
    """Whether there was something that --write-available once made: it fits the pictures now."""
    from datafetch.documents import available

    if not available.written(home):
        return False
    with Lease(home.lease):
        available.renew(recipe, home, found.damaged)
    return True


def _gaps(recipe: Recipe, home: Home) -> bool:
    """Whether a list has rows without a file that are due to be asked for again."""
    from datafetch.images.lacking import any_due

    lists = [artifact.name for artifact in recipe.artifacts if isinstance(artifact.source, UrlList)]
    return any(any_due(home.batches(name), time.time(), retry_gone=False) for name in lists)


def _unfinished(home: Home) -> bool:
    """Whether a repair was killed after it had mended everything and before it had tidied up."""
    scaffolding = (home.state / folder for folder in ("staging", "assembling", "parts", "prepro"))
    return any(folder.exists() for folder in scaffolding) or any(home.state.glob(".*.tmp"))


def _level(word: str) -> Level:
    try:
        return Level(word)
    except ValueError:
        raise UnknownName(f"no such level: {word}", hint="levels are " + ", ".join(Level)) from None


def _verify(
    home: Home, recipe: Recipe, level: Level, *, full: bool, emit: Callable[[Event], None]
) -> Verified:
    records = manifest.entries(home.manifest)
    if not records:
        raise Damaged(f"{recipe.name} is not in {home.root}", hint=to_have(recipe))
    with ExitStack() as stack:
        with suppress(NoRoom):  # where nothing can be written, nobody else writes either
            stack.enter_context(Lease(home.lease))
        return verify(home, records, level, full=full, emit=emit)


def _report(recipe: Recipe, home: Home, found: Verified, mended: Report | None, seconds: float) -> Report:
    parts = Counter({Outcome.OK: found.ok})
    for finding in found.findings:
        parts[_outcome(finding.why)] += 1
    problems = tuple(Problem(f.path, f.why, hint=f.text, code=13) for f in found.findings)
    code = 13 if problems else 0
    if mended is not None and problems:
        problems += mended.problems
    return Report(
        dataset=recipe.name,
        root=str(home.root),
        status="complete" if not problems else "partial",
        exit_code=code,
        counts=add_up([parts]),
        transferred=mended.transferred if mended else 0,
        on_disk=sum(entry.size for entry in inventory.published(home)),
        peak=mended.peak if mended else 0,
        seconds=seconds,
        tree_digest="" if found.damaged else tree_digest(home),
        problems=problems,
    )


def _outcome(why: str) -> Outcome:
    return {"missing": Outcome.MISSING, "extra": Outcome.REJECTED}.get(why, Outcome.FAILED)


def verify_lines(report: Report, found: Verified, mended: Report | None) -> list[str]:
    """One line for each finding, then the sum; after a repair, what it brought back."""
    lines = [f"{f.why}: {f.path}: {f.text}" for f in found.findings[:SHOWN]]
    if len(found.findings) > SHOWN:
        lines.append(f"… and {number(len(found.findings) - SHOWN)} more; --json lists all of them")
    if mended is not None:
        lines.append(f"repair: {report_line(mended)}")
    by_why = Counter(f.why for f in found.findings)
    said = [plural(found.ok, "file") + " ok", *(f"{number(n)} {why}" for why, n in by_why.items())]
    said.append(f"level {found.level}, {plural(found.hashed, 'file')} read")
    if report.tree_digest:
        said.append(f"tree {report.tree_digest[:16]}")
    lines.append(f"{report.dataset}: {', '.join(said)}")
    if found.damaged and mended is None:
        lines.append(f"hint: datafetch verify {report.dataset} --repair fetches what is damaged")
    elif "extra" in by_why:
        lines.append("hint: extra files are not ours, and never deleted: move them away")
    return lines


def lint_paths(paths: Sequence[Path], folders: tuple[Path, ...]) -> tuple[tuple[Issue, ...], int]:
    """Every issue of these recipe files (folders: all in them; none: all that are known), and how many were read."""
    from datafetch.recipe.files import builtin
    from datafetch.recipe.lint import files_of, lint

    wanted = paths or (*folders, builtin())
    return lint(wanted), len(files_of(wanted))


def lint_lines(issues: Sequence[Issue], checked: int) -> list[str]:
    lines = [f"error: {issue}" for issue in issues]
    lines.append(f"{plural(checked, 'recipe file')} checked, {plural(len(issues), 'issue')}")
    return lines
