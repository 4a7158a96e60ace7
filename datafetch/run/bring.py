"""One run from choice to report: look, settle the difference, say what the dataset is now.

Nothing here touches the network or imports asyncio until a plan has a step: a second run of a complete dataset
is an inventory and a report.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from datafetch import __version__
from datafetch.errors import DatafetchError, Locked, NoRoom
from datafetch.model import (
    Artifact,
    Choice,
    Event,
    Recipe,
    Seen,
    Settings,
    Standing,
    State,
    Why,
)
from datafetch.plan.budget import Budget
from datafetch.plan.choose import choose, ways_given_up
from datafetch.plan.difference import difference, with_holders
from datafetch.plan.documents import documents, with_documents
from datafetch.report import Report, Tally, unexpected, why_of
from datafetch.run import early, refuse
from datafetch.run.again import asked_again, derived_again, made_again
from datafetch.run.cost import fitted
from datafetch.run.drift import drift_of
from datafetch.run.ending import report_of, tidy
from datafetch.store import files as store
from datafetch.store import history, inventory, journal
from datafetch.store.held import Held
from datafetch.store.history import Past
from datafetch.store.home import Home
from datafetch.store.lease import Lease
from datafetch.store.stock import Stock, observe, take_stock
from datafetch.store.subsets import subsets, words
from datafetch.store.terms import BY_OPTION, accept
from datafetch.task import Task

STOPPED = frozenset({8, 10, 11, 12, 130, 143})  # exit codes of runs that ended before their work did
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})  # nothing here may be written

if TYPE_CHECKING:
    from datafetch.lock.document import Entry

Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An emit for callers who only want the report."""


def home_of(settings: Settings, dataset: str) -> Home:
    """The dataset's paths below the output directory; a link given as the directory itself is followed, once."""
    return Home(Path(os.path.realpath(settings.root)), dataset)


def plan(recipe: Recipe, choice: Choice, settings: Settings) -> Budget:
    """What `get` would do now and what it would cost. Writes nothing, asks nobody."""
    home = home_of(settings, recipe.name)
    wanted = with_holders(choose(recipe, choice), recipe.artifacts)
    if settings.frozen:
        from datafetch.run.frozen import held_to

        recipe, wanted, _ = held_to(recipe, choice, settings, wanted)
    refuse.no_rows(recipe, wanted, settings)
    task = Task(recipe, tuple(wanted), home, settings)
    stock = take_stock(home)
    seen = observe(home, wanted, stock, _short(task))
    return fitted(task, seen, stock)[1]


def _short(task: Task) -> set[str]:
    """The artifacts of which more is wanted than was built."""
    return {artifact.name for artifact in task.wanted if task.falls_short(artifact)}


def get(
    recipe: Recipe,
    choice: Choice,
    settings: Settings,
    emit: Emit = ignore,
    show: Callable[[Budget], None] = lambda budget: None,
) -> Report:
    """Fetch, check and build what was chosen; safe to repeat after any end.

    `show` is given the plan, if there is anything to do, before the first byte. The report tells of every failure of
    a single artifact. Raised are only errors that stop a run before it has begun: a choice that does not exist, terms
    that were not accepted, a lease that another run holds, a folder that cannot be written; with `settings.frozen` a
    lock file that has nothing of this choice, or of another recipe.
    """
    wanted = with_holders(choose(recipe, choice), recipe.artifacts)
    if not settings.frozen:
        return bring(recipe, wanted, settings, emit, show)
    from datafetch.run.frozen import held_to

    held, wanted, entry = held_to(recipe, choice, settings, wanted)
    return bring(held, wanted, settings, emit, show, locked=entry)


def repair(recipe: Recipe, damaged: Collection[str], settings: Settings, emit: Emit = ignore) -> Report:
    """Bring back the published paths in `damaged`, and any that are absent; nothing that is intact is written."""
    home = home_of(settings, recipe.name)
    built = {entry.artifact for entry in inventory.published(home)}
    wanted = tuple(artifact for artifact in recipe.artifacts if artifact.name in built)
    known = (journal.known(home.journal(artifact.name)).built for artifact in wanted)
    names = next((row.names for row in known if row is not None), settings.names)
    as_before = replace(settings, names=names, window=None, subset=None, absolute_paths=None)
    return bring(recipe, wanted, as_before, emit, damaged=frozenset(damaged))


def bring(
    recipe: Recipe,
    wanted: Sequence[Artifact],
    settings: Settings,
    emit: Emit,
    show: Callable[[Budget], None] = lambda budget: None,
    damaged: frozenset[str] = frozenset(),
    locked: Entry | None = None,
) -> Report:
    """Settle the difference between `wanted` and what is there, and report. See `get` for what is raised."""
    home = home_of(settings, recipe.name)
    refuse.prepro(recipe, settings)
    lease = Lease(home.lease)
    try:
        lease.acquire()
    except Locked as error:
        early.locked(home, error)
        raise
    except NoRoom as error:
        if (report := _as_it_stands(recipe, wanted, settings, damaged, error)) is None:
            error.report = early.nothing(home, error)
            raise
        if drift := drift_of(home, recipe, locked):
            raise drift from error
        return report
    with lease, early.reported(recipe, wanted, home, settings):
        if not home.manifest.exists():  # else only once something of it is to be fetched
            refuse.unaccepted(home, recipe, settings)
        task, stock, seen = _look(recipe, wanted, settings, damaged)
        wanted = task.wanted
        here = [artifact for artifact in wanted if seen[artifact.name].state is State.BUILT]
        if locked is not None:
            from datafetch.lock.hold import refuse_built

            refuse_built(home, recipe, wanted, locked)
            task = replace(task, locked=locked)
        changed = bool(difference(wanted, seen))
        if changed:
            refuse.unaccepted(home, recipe, settings)
            if settings.accept_terms:
                accept(home, recipe, settings.accepted_how or BY_OPTION, __version__)
            refuse.lacking_extras(wanted, seen)
            task, budget, disk, held = fitted(task, seen, stock)
            show(budget)
            refuse.no_room(home, recipe, budget, disk)
            task = replace(task, held=held)
        else:
            task = replace(task, held=Held(stock.blocks))
        tally = Tally(task.held)

        def tell(event: Event) -> None:
            tally(event)
            emit(event)

        noted: list[str] = []
        if task.settings.stream and not settings.stream:
            text = "room is short: zips and tars are unpacked while they arrive"
            tell(Event("note", recipe.name, text=text))
        if changed:
            _settle_all(task, seen, tell, lease, budget.ranks)
            stock = take_stock(home)
            if recipe.counts and not subsets(home, recipe):
                noted = unexpected(recipe.counts, (entry.path for entry in inventory.published(home)))
        may_prepare = (settings.prepro or changed or stock.gone) and not _cut_off(tally)
        if may_prepare and _prepare(home, recipe, settings, stock.gone, tell, tally.seconds):
            stock = take_stock(home)
        if (changed or stock.gone) and not _cut_off(tally) and _has_available(home):
            _renew(home, recipe, stock.gone, tell)
            stock = take_stock(home)
        if stock.gone and not _cut_off(tally):
            for text in _outlived(home, recipe, stock.gone):
                tell(Event("note", recipe.name, text=text))
        store.remove_tree(home.prepro)  # of a run that was killed
        built = [artifact for artifact in wanted if seen[artifact.name].state is State.BUILT]
        for artifact in built:
            tidy(home, artifact, settings, keep=bool(documents(recipe, artifact)))
        for _, artifact in ways_given_up(recipe, built):
            store.remove_tree(home.seal(artifact.name))
            tidy(home, artifact, settings)
        for artifact in wanted:
            if artifact not in built and not tally.problems:
                text = "it could not be built, and nothing said why"
                tell(Event("failed", artifact.name, why=Why.UNKNOWN, text=text, code=1))
        if not tally.problems and (drift := drift_of(home, recipe, locked)):
            text, code = str(drift), drift.exit_code
            tell(Event("failed", recipe.name, why=Why.DRIFT, text=text, hint=drift.hint, code=code))
        for text in (*noted, *words(subsets(home, recipe))):
            tell(Event("note", recipe.name, text=text))
        upstream: tuple[Standing, ...] = ()
        if settings.check_upstream and not _cut_off(tally):
            upstream = _look_upstream(task, here, tell, tally.seconds)
        report = report_of(task, tally, stock, upstream)
        store.write_atomic(home.report, report.as_file())
        counts, spent = report.counts, round(report.seconds, 1)
        history.add(home.history, Past(report.finished_at, report.status, counts, report.transferred, spent))
        return report


def _look(
    recipe: Recipe, wanted: Sequence[Artifact], settings: Settings, damaged: frozenset[str]
) -> tuple[Task, Stock, dict[str, Seen]]:
    """What is to be brought, what is published, and what is here. Writes nothing."""
    home = home_of(settings, recipe.name)
    refuse.other_names(home, recipe, settings)
    refuse.no_rows(recipe, wanted, settings)
    refuse.other_ways(home, recipe, wanted)
    stock = take_stock(home, damaged)
    wanted = with_documents(recipe, wanted, list(stock.files))
    task = Task(recipe, tuple(wanted), home, settings)
    seen = observe(home, wanted, stock, _short(task))
    seen |= asked_again(wanted, seen, home, settings)
    seen |= made_again(recipe, wanted, seen, home)
    seen |= derived_again(recipe, wanted, seen, home, settings)
    return task, stock, seen


def _as_it_stands(
    recipe: Recipe,
    wanted: Sequence[Artifact],
    settings: Settings,
    damaged: frozenset[str],
    error: NoRoom,
) -> Report | None:
    """The report of a dataset that may only be read and of which nothing is to be done; else None."""
    cause = error.__cause__
    if not isinstance(cause, OSError) or cause.errno not in READ_ONLY or settings.prepro is not None:
        return None
    task, stock, seen = _look(recipe, wanted, settings, damaged)
    if stock.gone or difference(task.wanted, seen):
        return None
    return report_of(task, Tally(Held(stock.blocks)), stock)


def _settle_all(task: Task, seen: dict[str, Seen], tell: Emit, lease: Lease, ranks: Sequence[str]) -> None:
    """Run the loop, and turn what stopped it early into an event: the report is written whatever happens."""
    import asyncio

    from datafetch.run.act import Run
    from datafetch.run.settle import settle

    try:
        asyncio.run(Run(task, seen, tell, lease.still_mine, ranks).settle(settle))
    except DatafetchError as error:
        text, code = str(error), error.exit_code
        tell(Event("failed", task.recipe.name, why=why_of(error), text=text, hint=error.hint, code=code))


def _prepare(
    home: Home, recipe: Recipe, settings: Settings, gone: Collection[str], tell: Emit, spent: float
) -> bool:
    """What --prepro makes, or made once and is gone; a failure of it is told like that of an artifact. Whether there
    is such a thing, so that the tree may be another now.

    It ends as the loop does, at a signal or once the run has taken its time, of which so many seconds are spent.
    """
    if not any(finish.prepro for finish in recipe.finish):
        return False
    from datafetch.documents import prepared

    try:
        if rules := settings.prepro or prepared.rules_of(home, gone):
            from datafetch.stops import stoppable

            wanted, most = rules, settings.max_duration
            stoppable(
                lambda go_on: prepared.prepare_all(home, recipe, wanted, gone, tell, go_on),
                None if most is None else max(0.0, most - spent),
            )
        for text in prepared.outdated(home, recipe):
            tell(Event("note", recipe.name, text=text))
    except DatafetchError as error:
        text, code = str(error), error.exit_code
        tell(Event("failed", "--prepro", why=why_of(error), text=text, hint=error.hint, code=code))
    return True


def _look_upstream(task: Task, here: Sequence[Artifact], tell: Emit, spent: float) -> tuple[Standing, ...]:
    """How upstream stands to what was here before this run; what stops the question is told as that of a run is."""
    from datafetch.run.standing import look_upstream

    most = task.settings.max_duration
    try:
        seconds = None if most is None else max(0.0, most - spent)
        return look_upstream(task.home, here, task.settings, tell, seconds)
    except DatafetchError as error:
        text, code = str(error), error.exit_code
        name = "--check-upstream"
        tell(Event("failed", name, why=why_of(error), text=text, hint=error.hint, code=code))
        return ()


def _has_available(home: Home) -> bool:
    return any(".available" in entry.path for entry in inventory.published(home))


def _renew(home: Home, recipe: Recipe, gone: frozenset[str], tell: Emit) -> None:
    """What --write-available once made is made to fit the pictures that are here now, and is made anew if lost."""
    from datafetch.documents import available

    try:
        available.renew(recipe, home, gone)
    except DatafetchError as error:
        text, code = str(error), error.exit_code
        tell(Event("failed", "--write-available", why=why_of(error), text=text, hint=error.hint, code=code))


def _outlived(home: Home, recipe: Recipe, gone: frozenset[str]) -> list[str]:
    from datafetch.documents import available

    return available.outlived(recipe, home, gone)


def _cut_off(tally: Tally) -> bool:
    """Whether the run was stopped, so that another will go on."""
    return any(problem.code in STOPPED for problem in tally.problems)
