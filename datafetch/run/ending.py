"""The end of a run: what is left over is removed, what is left to tell is told, and it all becomes a Report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress

from datafetch.errors import DatafetchError
from datafetch.layout.build import forget_assembly
from datafetch.model import (
    Artifact,
    Derived,
    Event,
    Manual,
    Outcome,
    Settings,
    Shards,
    Standing,
    UrlList,
    Why,
)
from datafetch.plan.choose import ways_given_up
from datafetch.plan.documents import documents
from datafetch.report import Report, Tally, add_up, failure, verdict
from datafetch.run.drift import drift_of
from datafetch.store import files as store
from datafetch.store import history, journal
from datafetch.store.history import Past
from datafetch.store.home import Home
from datafetch.store.stock import Stock
from datafetch.store.subsets import subsets, words
from datafetch.store.told import told
from datafetch.task import Task

Emit = Callable[[Event], None]


def tidy(home: Home, artifact: Artifact, settings: Settings, *, keep: bool = False) -> None:
    """Remove what a run that was killed after publishing could not: nothing of it is needed any more, but for an
    archive to keep.
    """
    store.remove_tree(home.staging(artifact.name))
    store.remove_tree(home.part(artifact.name))
    for shard in artifact.source.shards if isinstance(artifact.source, Shards) else ():
        store.remove_tree(home.part(home.shard_key(artifact.name, shard.name)))
    if not settings.keep_archives and not keep:
        store.remove_tree(home.archive(artifact.name))
        store.remove_tree(home.shard_folder(artifact.name))
    forget_assembly(home.state, artifact.folder)
    for folder in ("staging", "assembling", "archives", "parts"):
        with suppress(OSError):  # absent, or still in use by another artifact
            (home.state / folder).rmdir()


def tidy_all(task: Task, built: Iterable[Artifact]) -> None:
    """`tidy` what is built, and the other ways to the same files that were given up for it."""
    home, recipe, settings = task.home, task.recipe, task.settings
    built = list(built)
    for artifact in built:
        tidy(home, artifact, settings, keep=bool(documents(recipe, artifact)))
    for _, artifact in ways_given_up(recipe, built):
        store.remove_tree(home.seal(artifact.name))
        tidy(home, artifact, settings)


def tell_the_rest(
    task: Task, built: Container[Artifact], tally: Tally, tell: Emit, noted: Iterable[str]
) -> None:
    """What nobody has told yet: what is lacking without a word why, drift from the lock file, and what to note."""
    recipe, home = task.recipe, task.home
    for artifact in task.wanted:
        if artifact not in built and not tally.problems:
            text = "it could not be built, and nothing said why"
            tell(Event("failed", artifact.name, why=Why.UNKNOWN, text=text, code=1))
    if not tally.problems and (drift := drift_of(home, recipe, task.locked)):
        tell(failure(recipe.name, drift))
    for text in (*noted, *words(subsets(home, recipe))):
        tell(Event("note", recipe.name, text=text))


def look_upstream(task: Task, here: Sequence[Artifact], tally: Tally, tell: Emit) -> tuple[Standing, ...]:
    """How upstream stands to what was here before this run, if that was asked for; what stops the question is told as
    that of a run is.
    """
    if not task.settings.check_upstream or tally.cut_off:
        return ()
    from datafetch.run import standing

    most = task.settings.max_duration
    try:
        seconds = None if most is None else max(0.0, most - tally.seconds)
        return standing.look_upstream(task.home, here, task.settings, tell, seconds)
    except DatafetchError as error:
        tell(failure("--check-upstream", error))
        return ()


def write_report(report: Report, home: Home) -> Report:
    """The report, which stands in report.json now and is one more line of the history."""
    store.write_atomic(home.report, report.as_file())
    counts, spent = report.counts, round(report.seconds, 1)
    history.add(home.history, Past(report.finished_at, report.status, counts, report.transferred, spent))
    return report


def report_of(task: Task, tally: Tally, stock: Stock, upstream: tuple[Standing, ...] = ()) -> Report:
    """What the dataset is now: the files of the manifest, less those that are gone, and what never came to be one."""
    recipe, home, settings = task.recipe, task.home, task.settings
    files, gone = sum(stock.files.values()), len(stock.gone)
    with_files = set(stock.files) | _worked_off(task)
    parts: list[Mapping[Outcome, int]] = [{Outcome.OK: files - gone, Outcome.MISSING: gone}]
    parts += [dropped(home, artifact) for artifact in recipe.artifacts if artifact.name in with_files]
    why = {problem.name: problem.outcome for problem in tally.problems}
    absent = [a for a in task.wanted if a.name not in with_files and not _is_optional(a)]
    # A wanted artifact without published files counts as a single item.
    parts.append(Counter(why.get(a.name, Outcome.FAILED) for a in absent))
    counts = add_up(parts)
    least = recipe.min_complete if settings.min_complete is None else settings.min_complete
    hollow = bool(absent) or any(_is_hollow(home, a) for a in task.wanted if a.name not in stock.files)
    status, code = verdict(counts, tally.problems, least, hollow=hollow)
    return Report(
        dataset=recipe.name,
        root=str(home.root),
        status=status,
        exit_code=code,
        counts=counts,
        transferred=tally.transferred,
        on_disk=sum(stock.bytes.values()),
        peak=tally.peak,
        seconds=tally.seconds,
        tree_digest="" if gone else stock.tree_digest,
        problems=tuple(tally.problems),
        notes=tuple(tally.notes),
        subset=subsets(home, recipe),
        upstream=upstream,
        finished_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        derived=_summaries(home, [artifact for artifact in task.wanted if artifact.name in with_files]),
    )


def _summaries(home: Home, artifacts: Iterable[Artifact]) -> dict[str, Mapping[str, object]]:
    """What there is to tell of those that are made here."""
    found = {a.name: told(home, a.name) for a in artifacts if isinstance(a.source, Derived)}
    return {name: one.summary for name, one in found.items() if one is not None}


def _is_optional(artifact: Artifact) -> bool:
    return isinstance(artifact.source, Manual) and artifact.source.optional


def _is_hollow(home: Home, artifact: Artifact) -> bool:
    """Whether it is a list that had rows and gave nothing. One that mends others is no set of its own."""
    if not isinstance(artifact.source, UrlList) or artifact.source.mending:
        return False
    return any(count for outcome, count in dropped(home, artifact).items() if outcome is not Outcome.SKIPPED)


def _worked_off(task: Task) -> set[str]:
    """The lists that were gone through to their end, also those that brought nothing: what became of their rows is
    known row by row, and there may be none.
    """
    lists = (a for a in task.recipe.artifacts if isinstance(a.source, UrlList))
    return {a.name for a in lists if journal.known(task.home.journal(a.name)).staged is not None}


def dropped(home: Home, artifact: Artifact) -> Counter[Outcome]:
    """How many of an artifact's items are not in the tree, by outcome, once all of it has been looked at."""
    staged = journal.known(home.journal(artifact.name)).staged
    if staged is None:
        return Counter()
    return Counter({outcome: sum(why.values()) for outcome, why in staged.dropped.items()})
