"""One run from choice to report: look, settle the difference, say what the dataset is now.

Nothing here touches the network or imports asyncio until a plan has a step: a second run of a complete dataset
is an inventory and a report.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Mapping, Sequence
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
    State,
)
from datafetch.plan.budget import Budget
from datafetch.plan.choose import choose
from datafetch.plan.difference import difference, with_holders
from datafetch.plan.documents import with_documents
from datafetch.report import Report, Tally, failure, unexpected
from datafetch.run import early, refuse
from datafetch.run.again import asked_again, derived_again, made_again
from datafetch.run.cost import fitted
from datafetch.run.drift import drift_of
from datafetch.run.ending import look_upstream, report_of, tell_the_rest, tidy_all, write_report
from datafetch.run.fitting import fit_documents
from datafetch.store import inventory, journal
from datafetch.store.held import Held
from datafetch.store.home import Home
from datafetch.store.lease import Lease
from datafetch.store.stock import Stock, observe, take_stock
from datafetch.store.subsets import subsets
from datafetch.store.terms import BY_OPTION, accept
from datafetch.task import Task

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
        here = _built(task, seen)
        if locked is not None:
            from datafetch.lock.hold import refuse_built

            refuse_built(home, recipe, task.wanted, locked)
            task = replace(task, locked=locked)
        changed = bool(difference(task.wanted, seen))
        if changed:
            task, ranks = _ready(task, seen, stock, show)
        else:
            task = replace(task, held=Held(stock.blocks))
        tally = Tally(task.held)

        def tell(event: Event) -> None:
            tally(event)
            emit(event)

        if task.settings.stream and not settings.stream:
            text = "room is short: zips and tars are unpacked while they arrive"
            tell(Event("note", recipe.name, text=text))
        noted: list[str] = []
        if changed:
            _settle_all(task, seen, tell, lease, ranks)
            stock = take_stock(home)
            if recipe.counts and not subsets(home, recipe):
                noted = unexpected(recipe.counts, (entry.path for entry in inventory.published(home)))
        stock = fit_documents(task, stock, tally, tell, changed=changed)
        tidy_all(task, _built(task, seen))
        tell_the_rest(task, _built(task, seen), tally, tell, noted)
        upstream = look_upstream(task, here, tally, tell)
        return write_report(report_of(task, tally, stock, upstream), home)


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


def _built(task: Task, seen: Mapping[str, Seen]) -> list[Artifact]:
    return [artifact for artifact in task.wanted if seen[artifact.name].state is State.BUILT]


def _ready(
    task: Task, seen: Mapping[str, Seen], stock: Stock, show: Callable[[Budget], None]
) -> tuple[Task, Sequence[str]]:
    """The task as it can be done in the room that there is, and the order of its artifacts; raises what forbids it."""
    home, recipe, settings = task.home, task.recipe, task.settings
    refuse.unaccepted(home, recipe, settings)
    if settings.accept_terms:
        accept(home, recipe, settings.accepted_how or BY_OPTION, __version__)
    refuse.lacking_extras(task.wanted, seen)
    task, budget, disk, held = fitted(task, seen, stock)
    show(budget)
    refuse.no_room(home, recipe, budget, disk)
    return replace(task, held=held), budget.ranks


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
        tell(failure(task.recipe.name, error))
