"""settle(): act on the plan, look again, stop when nothing is left. The only module that knows all stations.

Nothing here touches the network or imports asyncio until a plan has a step: a second run of a complete dataset
is an inventory and a report.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from datafetch.errors import DatafetchError, NeedsPerson, UsageError
from datafetch.layout import manifest
from datafetch.model import (
    Artifact,
    Choice,
    Event,
    Outcome,
    Plan,
    Recipe,
    Seen,
    Settings,
    Step,
    Verb,
)
from datafetch.plan.budget import Budget, estimate
from datafetch.plan.choose import choose
from datafetch.plan.difference import difference
from datafetch.report import Report, Tally, add_up, verdict
from datafetch.store import files as store
from datafetch.store import inventory, journal
from datafetch.store.home import Home
from datafetch.store.lease import Lease

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An emit for callers who only want the report."""


def home_of(settings: Settings, dataset: str) -> Home:
    """The dataset's paths below the output directory; a link given as the directory itself is followed, once."""
    return Home(Path(os.path.realpath(settings.root)), dataset)


def plan(recipe: Recipe, choice: Choice, settings: Settings) -> tuple[Budget, dict[str, Seen]]:
    """What `get` would do now and what it would cost. Writes nothing, asks nobody."""
    home = home_of(settings, recipe.name)
    wanted = choose(recipe, choice)
    seen = inventory.observe(home, wanted, inventory.published(home))
    return estimate(wanted, seen), seen


def get(recipe: Recipe, choice: Choice, settings: Settings, emit: Emit = ignore) -> Report:
    """Fetch, check and build what was chosen; safe to repeat after any end.

    The report tells of every failure of a single artifact. Raised are only errors that stop a run before it has
    begun: a choice that does not exist, terms that were not accepted, a lease that another run holds.
    """
    return bring(recipe, choose(recipe, choice), settings, emit)


def repair(recipe: Recipe, damaged: Collection[str], settings: Settings, emit: Emit = ignore) -> Report:
    """Bring back the published paths in `damaged`, and any that are absent; nothing that is intact is written."""
    home = home_of(settings, recipe.name)
    built = {entry.artifact for entry in inventory.published(home)}
    return bring(recipe, tuple(a for a in recipe.artifacts if a.name in built), settings, emit, damaged)


def bring(
    recipe: Recipe, wanted: Sequence[Artifact], settings: Settings, emit: Emit, damaged: Collection[str] = ()
) -> Report:
    """Settle the difference between `wanted` and what is there, and report. See `get` for what is raised."""
    home = home_of(settings, recipe.name)
    _ask_terms(recipe, settings, home)
    store.refuse_links(home.root, f"{home.state.relative_to(home.root)}")
    with Lease(home.lease):
        files = inventory.published(home)
        seen = inventory.observe(home, wanted, files, damaged)
        _keep_names(home, wanted, settings)
        tally = Tally(on_disk=sum(file.size for file in files))

        def tell(event: Event) -> None:
            tally(event)
            emit(event)

        for artifact in wanted:
            now = seen[artifact.name]
            tell(Event("planned", artifact.name, done=now.bytes_here, total=now.size, why=now.state))
        if difference(wanted, seen):
            _settle_all(recipe, wanted, home, settings, seen, tell)
        return _conclude(recipe, wanted, home, settings, tally)


def _settle_all(
    recipe: Recipe, wanted: Sequence[Artifact], home: Home, settings: Settings, seen: dict[str, Seen], tell: Emit
) -> None:
    """Run the loop, and turn what stopped it early into an event: the report is written whatever happens."""
    import asyncio

    from datafetch.act import Run

    try:
        asyncio.run(Run(recipe, wanted, home, settings, seen, tell).settle(settle))
    except DatafetchError as error:
        tell(Event("failed", recipe.name, text=str(error), why=str(error), hint=error.hint, code=error.exit_code))


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
                if step in running.values() or tried[step] >= TRIES or busy.count(step.verb) >= at_once(step.verb):
                    continue
                tried[step] += 1
                running[asyncio.ensure_future(act(step))] = step
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del running[task]
            for task in done:
                task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


TRIES = 3  # an archive that proves damaged only when it is opened is fetched again, twice


def _ask_terms(recipe: Recipe, settings: Settings, home: Home) -> None:
    terms = recipe.terms
    if terms and terms.accept and not settings.accept_terms and not home.manifest.exists():
        raise NeedsPerson(
            f"{recipe.name}: its terms must be accepted first: {terms.text} {terms.link}".strip(),
            hint="read them, then add --accept-terms",
        )


def _keep_names(home: Home, wanted: Sequence[Artifact], settings: Settings) -> None:
    for artifact in wanted:
        built = journal.known(home.journal(artifact.name)).built
        if built is not None and built.names != settings.names:
            raise UsageError(
                f"{artifact.folder}/ was built with --names {built.names}",
                hint=f"keep to --names {built.names}, or build into another folder with -o",
            )


def _conclude(
    recipe: Recipe, wanted: Sequence[Artifact], home: Home, settings: Settings, tally: Tally
) -> Report:
    """The report of what is there now; written to the state folder as well."""
    records = manifest.read(home.manifest)
    absent = inventory.lost(home.root, inventory.published(home))
    parts = [{Outcome.OK: len(records) - len(absent), Outcome.MISSING: len(absent)}]
    parts += [dropped(home, artifact) for artifact in recipe.artifacts]
    failed_new = {p.name for p in tally.problems} - {entry.artifact for entry in absent} - {recipe.name}
    by_name = {p.name: p for p in tally.problems if p.name in failed_new}
    parts.append(Counter(p.outcome for p in by_name.values()))
    counts = add_up(parts)
    least = recipe.min_complete if settings.min_complete is None else settings.min_complete
    status, code = verdict(counts, tally.problems, least)
    report = Report(
        dataset=recipe.name,
        root=str(home.root),
        status=status,
        exit_code=code,
        counts=counts,
        transferred=tally.transferred,
        on_disk=sum(record.size for record in records),
        peak=tally.peak,
        seconds=tally.seconds,
        tree_digest=manifest.tree_digest(records) if records else "",
        problems=tuple(tally.problems),
        notes=tuple(tally.notes),
        finished_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    store.write_atomic(home.report, msgspec.json.format(msgspec.json.encode(report.as_json())) + b"\n")
    return report


def dropped(home: Home, artifact: Artifact) -> Counter[Outcome]:
    """How many of an artifact's items are not in the tree, by outcome, once all of it has been looked at."""
    staged = journal.known(home.journal(artifact.name)).staged
    if staged is None:
        return Counter()
    return Counter({outcome: sum(why.values()) for outcome, why in staged.dropped.items()})
