"""settle(): act on the plan, look again, stop when nothing is left. The only module that knows all stations.

Nothing here touches the network or imports asyncio until a plan has a step: a second run of a complete dataset
is an inventory and a report.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from datafetch import refuse
from datafetch.errors import DatafetchError
from datafetch.layout import manifest
from datafetch.model import (
    Artifact,
    Choice,
    Event,
    Http,
    Outcome,
    Own,
    Plan,
    Recipe,
    Seen,
    Settings,
    Shards,
    State,
    Step,
    UrlList,
    Verb,
    Why,
)
from datafetch.plan.budget import Budget, estimate
from datafetch.plan.choose import choose, ways_given_up
from datafetch.plan.difference import difference, holder, with_holders
from datafetch.plan.documents import documents, outdated, with_documents
from datafetch.plan.window import covers
from datafetch.report import Report, Tally, add_up, unexpected, verdict
from datafetch.store import files as store
from datafetch.store import history, inventory, journal
from datafetch.store.history import Past
from datafetch.store.home import Home
from datafetch.store.lease import Lease
from datafetch.subsets import subsets, words
from datafetch.task import Task

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

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
    refuse.no_rows(recipe, wanted, settings)
    files = inventory.published(home)
    task = Task(recipe, tuple(wanted), home, settings)
    seen = inventory.observe(home, wanted, files, inventory.lost(home.root, files), _short(task))
    return estimate(wanted, _forecast(task, seen), _at_once(task))


def _at_once(task: Task) -> dict[str, int]:
    """How many shards are on disk at a time, of the artifacts that are unpacked while they arrive."""
    from datafetch.layout.onepass import AT_ONCE, streams  # a complete dataset needs no layout

    layout, settings = task.recipe.layout, task.settings
    return {a.name: AT_ONCE for a in task.wanted if streams(a, layout, settings, task.picks(a))}


def _short(task: Task) -> set[str]:
    """The artifacts of which more is wanted than was built."""
    return {artifact.name for artifact in task.wanted if task.falls_short(artifact)}


def _forecast(task: Task, seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """The same, with what members cost of which alone is to be asked."""
    found = dict(seen)
    for artifact in task.wanted:
        now = seen[artifact.name]
        if now.state not in (State.ABSENT, State.PARTIAL) or not isinstance(artifact.source, Http):
            continue
        from datafetch.partly import forecast, partly  # what is complete needs neither archives nor layout

        if partly(task, artifact, now.lost):
            found[artifact.name] = replace(now, members=forecast(task, artifact, now.lost))
    return found


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
    that were not accepted, a lease that another run holds, a folder that cannot be written.
    """
    wanted = with_holders(choose(recipe, choice), recipe.artifacts)
    return bring(recipe, wanted, settings, emit, show)


def repair(recipe: Recipe, damaged: Collection[str], settings: Settings, emit: Emit = ignore) -> Report:
    """Bring back the published paths in `damaged`, and any that are absent; nothing that is intact is written."""
    home = home_of(settings, recipe.name)
    built = {entry.artifact for entry in inventory.published(home)}
    wanted = tuple(artifact for artifact in recipe.artifacts if artifact.name in built)
    known = (journal.known(home.journal(artifact.name)).built for artifact in wanted)
    names = next((row.names for row in known if row is not None), settings.names)
    as_before = replace(settings, names=names, window=None, subset=None)
    return bring(recipe, wanted, as_before, emit, damaged=frozenset(damaged))


def bring(
    recipe: Recipe,
    wanted: Sequence[Artifact],
    settings: Settings,
    emit: Emit,
    show: Callable[[Budget], None] = lambda budget: None,
    damaged: frozenset[str] = frozenset(),
) -> Report:
    """Settle the difference between `wanted` and what is there, and report. See `get` for what is raised."""
    home = home_of(settings, recipe.name)
    refuse.unaccepted(home, recipe, settings)
    refuse.prepro(recipe, settings)
    with Lease(home.lease) as lease:
        refuse.other_names(home, recipe, settings)
        refuse.no_rows(recipe, wanted, settings)
        refuse.other_ways(home, recipe, wanted)
        files = inventory.published(home)
        gone = inventory.lost(home.root, files) | inventory.damaged(home) | damaged
        wanted = with_documents(recipe, wanted, list({file.artifact for file in files}))
        task = Task(recipe, tuple(wanted), home, settings)
        seen = inventory.observe(home, wanted, files, gone, _short(task))
        seen |= _asked_again(wanted, seen, home, settings)
        seen |= _made_again(recipe, wanted, seen, home)
        tally = Tally(on_disk=sum(file.size for file in files))

        def tell(event: Event) -> None:
            tally(event)
            emit(event)

        noted: list[str] = []
        changed = bool(difference(wanted, seen))
        if changed:
            refuse.lacking_extras(wanted, seen)
            show(estimate(wanted, _forecast(task, seen), _at_once(task)))
            _settle_all(task, seen, tell, lease)
            files = inventory.published(home)
            gone = inventory.lost(home.root, files) | inventory.damaged(home)
            noted = [] if subsets(home, recipe) else unexpected(recipe.counts, [file.path for file in files])
        if (settings.prepro or changed or gone) and not _cut_off(tally):
            _prepare(home, recipe, settings, gone, tell)
            files = inventory.published(home)
            gone = inventory.lost(home.root, files) | inventory.damaged(home)
        store.remove_tree(home.prepro)  # of a run that was killed
        built = [artifact for artifact in wanted if seen[artifact.name].state is State.BUILT]
        for artifact in built:
            _tidy(home, artifact, settings, keep=bool(documents(recipe, artifact)))
        for _, artifact in ways_given_up(recipe, built):
            store.remove_tree(home.seal(artifact.name))
            _tidy(home, artifact, settings)
        for artifact in wanted:
            if artifact not in built and not tally.problems:
                text = "it could not be built, and nothing said why"
                tell(Event("failed", artifact.name, why=Why.UNKNOWN, text=text, code=1))
        for text in (*noted, *words(subsets(home, recipe))):
            tell(Event("note", recipe.name, text=text))
        report = _report(task, tally, files, gone)
        store.write_atomic(home.report, msgspec.json.format(msgspec.json.encode(report.as_json())) + b"\n")
        counts, spent = report.counts, round(report.seconds, 1)
        history.add(home.history, Past(report.finished_at, report.status, counts, report.transferred, spent))
        return report


def _settle_all(task: Task, seen: dict[str, Seen], tell: Emit, lease: Lease) -> None:
    """Run the loop, and turn what stopped it early into an event: the report is written whatever happens."""
    import asyncio

    from datafetch.act import Run, why_of

    try:
        asyncio.run(Run(task, seen, tell, lease.still_mine).settle(settle))
    except DatafetchError as error:
        text, code = str(error), error.exit_code
        tell(Event("failed", task.recipe.name, why=why_of(error), text=text, hint=error.hint, code=code))


def _prepare(home: Home, recipe: Recipe, settings: Settings, gone: Collection[str], tell: Emit) -> None:
    """What --prepro makes, or made once and is gone; a failure of it is told like that of an artifact."""
    if not any(finish.prepro for finish in recipe.finish):
        return
    from datafetch import prepared
    from datafetch.act import why_of

    try:
        if rules := settings.prepro or prepared.rules_of(home, gone):
            prepared.prepare_all(home, recipe, rules, gone, tell)
        for text in prepared.outdated(home, recipe):
            tell(Event("note", recipe.name, text=text))
    except DatafetchError as error:
        text, code = str(error), error.exit_code
        tell(Event("failed", "--prepro", why=why_of(error), text=text, hint=error.hint, code=code))


def _cut_off(tally: Tally) -> bool:
    """Whether the run was stopped, so that another will go on."""
    return any(problem.code in STOPPED for problem in tally.problems)


async def settle(
    look: Callable[[], Plan], act: Callable[[Step], Awaitable[None]], at_once: Callable[[Verb], int]
) -> None:
    """Act on the plan, look again, stop when nothing is left or nothing changed.

    `look` returns the plan as things stand. Steps run side by side, `at_once` of each verb. A step that is still in
    the plan after it ran `TRIES` times changes nothing any more and is left alone. What `act` raises stops the loop
    after the steps under way have been cancelled and have come to rest.
    """
    import asyncio

    tried: Counter[Step] = Counter()
    running: dict[asyncio.Task[None], Step] = {}
    try:
        while True:
            for step in look().steps:
                busy = [other.verb for other in running.values()]
                if (
                    step in running.values()
                    or tried[step] >= TRIES
                    or busy.count(step.verb) >= at_once(step.verb)
                ):
                    continue
                tried[step] += 1
                running[asyncio.ensure_future(act(step))] = step
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # when several raise at once, the others are looked at below
            for task in done:
                del running[task]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


STOPPED = frozenset({8, 10, 11, 12, 130, 143})  # exit codes of runs that ended before their work did
TRIES = 3  # an archive that proves damaged only when it is opened is fetched again, twice


def _any_due(home: Home, artifact: Artifact, settings: Settings) -> bool:
    from datafetch.images.lacking import any_due

    return any_due(home.batches(artifact.name), time.time(), retry_gone=settings.retry_gone)


def _changed(home: Home, artifact: Artifact) -> bool:
    from datafetch.own.bring import changed

    return changed(home, artifact)


def _asked_again(
    wanted: Sequence[Artifact], seen: Mapping[str, Seen], home: Home, settings: Settings
) -> dict[str, Seen]:
    """The re-check pass, once a run: lists with rows that are due, or with --retry-gone any lost row; a person's own
    files that have changed.
    """
    again: dict[str, Seen] = {}
    for artifact in wanted:
        now, source = seen[artifact.name], artifact.source
        if isinstance(source, Own) and now.state is State.BUILT and _changed(home, artifact):
            again[artifact.name] = replace(now, state=State.PARTIAL)
        if not isinstance(source, UrlList) or now.state not in (State.BUILT, State.STAGED):
            continue
        due = bool(dropped(home, artifact)) and _any_due(home, artifact, settings)
        owner = holder(source.file, wanted)  # a list of lists may have more of them by now
        newer = owner is not None and owner.name in again
        if (now.state is State.BUILT and (due or newer)) or _other_rows(home, artifact, source, settings):
            again[artifact.name] = replace(now, state=State.PARTIAL)
    return again


def _made_again(
    recipe: Recipe, wanted: Sequence[Artifact], seen: Mapping[str, Seen], home: Home
) -> dict[str, Seen]:
    """Documents that tell of pictures are made anew when more of those come, from archives that were kept for it."""
    again: dict[str, Seen] = {}
    stale = outdated(recipe, wanted, seen)
    for artifact in wanted:
        if artifact.name in stale:
            now = seen[artifact.name]
            found = inventory.look(home, artifact, now.files, now.tree_bytes, stale[artifact.name])
            # One that would have to be fetched is left as it is: its host may be gone, and the pictures must come.
            if found.state is State.FETCHED:
                again[artifact.name] = found
    return again


def _other_rows(home: Home, artifact: Artifact, source: UrlList, settings: Settings) -> bool:
    """Whether rows are asked for that no run has looked at."""
    if not source.window or settings.window is None:
        return False
    return not covers(journal.known(home.journal(artifact.name)).brought, settings.window)


def _tidy(home: Home, artifact: Artifact, settings: Settings, *, keep: bool = False) -> None:
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
    for folder in ("staging", "assembling", "archives", "parts"):
        with suppress(OSError):  # absent, or still in use by another artifact
            (home.state / folder).rmdir()


def _report(task: Task, tally: Tally, files: Sequence[inventory.Entry], gone: Collection[str]) -> Report:
    """What the dataset is now: the files of the manifest, less those that are gone, and what never came to be one."""
    recipe, home, settings = task.recipe, task.home, task.settings
    with_files = {file.artifact for file in files} | _menders(task)
    parts: list[Mapping[Outcome, int]] = [{Outcome.OK: len(files) - len(gone), Outcome.MISSING: len(gone)}]
    parts += [dropped(home, artifact) for artifact in recipe.artifacts if artifact.name in with_files]
    # A wanted artifact without published files counts as a single item.
    why = {problem.name: problem.outcome for problem in tally.problems}
    absent = [a.name for a in task.wanted if a.name not in with_files]
    parts.append(Counter(why.get(name, Outcome.FAILED) for name in absent))
    counts = add_up(parts)
    least = recipe.min_complete if settings.min_complete is None else settings.min_complete
    status, code = verdict(counts, tally.problems, least)
    return Report(
        dataset=recipe.name,
        root=str(home.root),
        status=status,
        exit_code=code,
        counts=counts,
        transferred=tally.transferred,
        on_disk=sum(file.size for file in files),
        peak=tally.peak,
        seconds=tally.seconds,
        tree_digest="" if gone or not files else manifest.tree_digest(files),
        problems=tuple(tally.problems),
        notes=tuple(tally.notes),
        subset=subsets(home, recipe),
        finished_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def _menders(task: Task) -> set[str]:
    """The lists of what does not decode that have been worked off: as a rule there is nothing on them."""
    lists = (a for a in task.recipe.artifacts if isinstance(a.source, UrlList) and a.source.mending)
    return {a.name for a in lists if journal.known(task.home.journal(a.name)).staged is not None}


def dropped(home: Home, artifact: Artifact) -> Counter[Outcome]:
    """How many of an artifact's items are not in the tree, by outcome, once all of it has been looked at."""
    staged = journal.known(home.journal(artifact.name)).staged
    if staged is None:
        return Counter()
    return Counter({outcome: sum(why.values()) for outcome, why in staged.dropped.items()})
