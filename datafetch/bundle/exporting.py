"""Export: an ordinary `get` into a folder of the bundle's own, whose bodies then take their places.

The bundle itself is the first mirror that is asked, so what an earlier export put there is not fetched again; so is
what an output directory of the user's already has. A dataset stands in bundle.json when all of it is in its place,
and the tree that it was proved by is removed: what is left is what came over the network.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from datafetch import __version__, run
from datafetch.bundle import document as documents
from datafetch.bundle.alone import without_proxy
from datafetch.bundle.answers import Answers
from datafetch.bundle.bodies import Body, Nothing, all_of
from datafetch.bundle.document import Ask, Dataset, Document, Part
from datafetch.bundle.hand import given, in_place_of
from datafetch.bundle.names import DOCUMENT, RECIPES, SUMS
from datafetch.bundle.server import serving
from datafetch.bundle.shelf import Shelf
from datafetch.bundle.sums import Sums
from datafetch.errors import Damaged, UsageError
from datafetch.model import Artifact, Choice, Event, Http, Manual, Own, Recipe, Settings, Shards
from datafetch.plan.budget import Budget
from datafetch.plan.choose import choose
from datafetch.plan.difference import with_holders
from datafetch.recipe.files import with_beside
from datafetch.report import Report
from datafetch.run import group
from datafetch.store.files import remove_tree
from datafetch.store.home import Home
from datafetch.store.lease import Lease

Emit = Callable[[Event], None]
Show = Callable[[Recipe, Budget], None]

_EVERY = 1_000  # files between two events
WHOLE = (0, 6)  # exit codes of a run that has all there is: rows of a list may be gone


@dataclass(frozen=True, slots=True)
class Export:
    """What one export is asked for."""

    recipe: Recipe
    choice: Choice
    settings: Settings  # but for its root, and for what a bundle needs
    where: Path
    have: Path | None = None  # an output directory of the user's, whose files need not be fetched
    group: Recipe | None = None  # by which it was named


def export_all(asked: Export, folders: Sequence[Path], emit: Emit, show: Show) -> Report:
    """`export` of a dataset, or of each member of a group until one cannot be had."""
    if not asked.recipe.members:
        return export(asked, emit, show)
    recipe, choice = asked.recipe, asked.choice
    wanted = group.members(recipe, folders, choice.only)
    if choice.picked:
        raise UsageError(f"{recipe.name} is a group and has no --{choice.picked[0][0]}", "export its members")
    whole = replace(asked, choice=Choice(everything=choice.everything), group=recipe)
    started, reports = time.monotonic(), dict[str, Report]()
    for one in wanted:
        report = reports[one.name] = export(replace(whole, recipe=one), emit, show)
        if report.exit_code not in WHOLE:
            break
    problems = [
        replace(problem, name=f"{name}: {problem.name}")
        for name, report in reports.items()
        for problem in report.problems
    ]
    settings, spent = replace(asked.settings, root=str(asked.where)), time.monotonic() - started
    return group.summed(recipe.name, len(wanted), settings, reports, problems, spent)


def export(asked: Export, emit: Emit, show: Show) -> Report:
    """Put a dataset into a bundle. Safe to repeat after any end; of one that is there nothing is asked again.

    The report is that of the `get`; with an exit code that is not of `WHOLE` the bundle is as it was, and what was
    fetched is kept for the next try. Raises what `run.get` does, UsageError for what no bundle can hold, and Damaged
    when a file is not what was fetched.
    """
    refuse(asked.recipe, asked.choice)
    own = Home(asked.where, "bundle").state  # of the exports into this folder, one at a time
    kept = own / "work" / asked.recipe.name
    with Lease(Home(asked.where, "bundle").lease):
        ask = Ask.of(asked.choice, asked.settings)
        known = documents.read(asked.where).dataset(asked.recipe.name)
        if known is not None and _is_there(asked, known, ask):
            report = _as_it_stands(asked, known)
        else:
            with without_proxy(), Shelf(asked.where, own / "shelf") as shelf:
                report = _export(asked, kept, known, ask, shelf, emit, show)
        if report.exit_code in WHOLE:
            remove_tree(kept)
        remove_tree(own / "shelf")
    for folder in (own / "work", own, own.parent):
        with suppress(OSError):  # absent, or something of another export is kept
            folder.rmdir()
    return replace(report, root=str(asked.where))


def _as_it_stands(asked: Export, known: Dataset) -> Report:
    """The report of a dataset that is in the bundle."""
    return Report(
        dataset=known.name,
        root=str(asked.where),
        status="complete" if known.exit_code == 0 else "partial",
        exit_code=known.exit_code,
        counts=known.counts,
        transferred=0,
        on_disk=sum(part.bytes for part in known.artifacts),
        peak=0,
        seconds=0.0,
        tree_digest=known.tree_digest,
        finished_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def refuse(recipe: Recipe, choice: Choice) -> None:
    """UsageError for what no bundle can hold, before anything is fetched."""
    for artifact in choose(recipe, choice):
        source = artifact.source
        if isinstance(source, Own):
            raise UsageError(
                f"{recipe.name} is made of files of your own: a bundle holds what recipes fetch",
                "copy its folder, or build it there with: datafetch build",
            )
        urls = (
            [url for shard in source.shards for url in shard.urls[:1]] if isinstance(source, Shards) else []
        )
        if any(url.startswith("gdrive://folders/") for url in urls):
            raise UsageError(
                f"{artifact.name} cannot be exported: no mirror can stand for names in a folder of Google Drive",
                "name its parts by id in the recipe, as gdrive://ID",
            )


def _is_there(asked: Export, known: Dataset, ask: Ask) -> bool:
    """Whether the bundle holds what is asked for, as the recipe has it now, and nothing of it may come later."""
    if ask not in known.asks or known.counts.get("failed", 0):
        return False
    with Sums(asked.where / SUMS) as sums:
        told = sums.find(DOCUMENT) == _digest(asked.where / DOCUMENT)
        now = with_beside(Path(asked.recipe.file))
        same = (sums.find(f"{RECIPES}/{name}") == _digest_of(data) for name, data in now.items())
        return told and all(same)


def _export(
    asked: Export,
    kept: Path,
    known: Dataset | None,
    ask: Ask,
    shelf: Shelf,
    emit: Emit,
    show: Show,
) -> Report:
    recipe, where = asked.recipe, asked.where
    if asked.have is not None:
        theirs = run.home_of(Settings(root=str(asked.have)), recipe.name)
        if _take_over(shelf, all_of(theirs, recipe, _wanted(recipe, (ask,)), ask.window), emit):
            shelf.commit()
    asks = tuple(dict.fromkeys((*(known.asks if known else ()), ask)))
    with ExitStack() as stack:
        mirrors = asked.settings.mirrors
        if (where / SUMS).exists():
            held = stack.enter_context(Answers(where, missing=""))  # what was not there may be there now
            mirrors = (stack.enter_context(serving(held)), *mirrors)
        for each in asks:  # the tree that is compared on import is that of all of them
            settings = each.settings(asked.settings)
            settings = replace(settings, root=str(kept), mirrors=mirrors, keep_archives=True, stream=False)
            report = run.get(recipe, each.choice, settings, emit, partial(show, recipe))
            if report.exit_code not in WHOLE:
                return report
    parts = _put_all(asked, kept, asks, shelf, emit)
    digest = _put_recipes(shelf, recipe, asked.group)
    dataset = Dataset(
        name=recipe.name,
        recipe=f"{RECIPES}/{Path(recipe.file).name}",
        recipe_sha256=digest,
        asks=asks,
        tree_digest=report.tree_digest,
        exit_code=report.exit_code,
        counts=report.counts,
        artifacts=parts,
    )
    shelf.commit(lambda: documents.write(where, _with(documents.read(where), dataset, asked.group)))
    return report


def _with(document: Document, dataset: Dataset, group: Recipe | None) -> Document:
    others = [one for one in document.datasets if one.name != dataset.name]
    groups = (*document.groups, *([group.name] if group else []))
    return Document(
        made_by=f"datafetch {__version__}",
        groups=tuple(sorted(set(groups))),
        datasets=tuple(sorted((*others, dataset), key=lambda one: one.name)),
    )


def _take_over(shelf: Shelf, found: Iterable[Body | Nothing], emit: Emit) -> int:
    """Put what the user has already in its place; how many files. What is not as it was fetched is left."""
    count = 0
    for one in found:
        if isinstance(one, Body) and one.target:
            try:
                shelf.put(one.file, one.target, one.sha256)
                count += 1
            except FileNotFoundError:
                continue
            except Damaged as error:
                emit(Event("note", one.artifact, text=f"{error}; it is fetched"))
    return count


def _put_all(asked: Export, kept: Path, asks: Sequence[Ask], shelf: Shelf, emit: Emit) -> tuple[Part, ...]:
    """Put everything that the dataset is made of in its place. UsageError for what has no place."""
    recipe = asked.recipe
    home = run.home_of(Settings(root=str(kept)), recipe.name)
    wanted = _wanted(recipe, asks)
    files, sizes, missing = Counter[str](), Counter[str](), Counter[str]()
    for one in all_of(home, recipe, wanted):
        if isinstance(one, Nothing):
            shelf.lacks(one.target, one.why)
            missing[one.artifact] += 1
            continue
        if one.target:
            sizes[one.artifact] += shelf.put(one.file, one.target, one.sha256)
        else:
            artifact = next(a for a in wanted if a.name == one.artifact)
            brought = in_place_of(recipe.name, artifact, one.file)
            sizes[one.artifact] += shelf.put_at(brought.file, brought.path)[0]
        files[one.artifact] += 1
        if sum(files.values()) % _EVERY == 0:
            emit(Event("verifying", recipe.name, done=sum(files.values())))
    folders = [home.inbox, *([Path(asked.settings.from_dir)] if asked.settings.from_dir else [])]
    for artifact in wanted:
        if not files[artifact.name]:
            for brought in given(recipe.name, artifact, folders):
                sizes[artifact.name] += shelf.put_at(brought.file, brought.path)[0]
                files[artifact.name] += 1
        if not files[artifact.name] and _is_needed(artifact):
            raise UsageError(
                f"{artifact.name} cannot be exported: nothing is left of what it was made of",
                "bring its files with --from DIR" if isinstance(artifact.source, Manual) else "",
            )
    return tuple(
        Part(name=a.name, bytes=sizes[a.name], files=files[a.name], missing=missing[a.name]) for a in wanted
    )


def _wanted(recipe: Recipe, asks: Sequence[Ask]) -> tuple[Artifact, ...]:
    """The artifacts that these ask for, and those that hold their lists."""
    names = {a.name for ask in asks for a in with_holders(choose(recipe, ask.choice), recipe.artifacts)}
    return tuple(artifact for artifact in recipe.artifacts if artifact.name in names)


def _is_needed(artifact: Artifact) -> bool:
    source = artifact.source
    return isinstance(source, Http | Shards) or (isinstance(source, Manual) and not source.optional)


def _put_recipes(shelf: Shelf, recipe: Recipe, group: Recipe | None) -> str:
    """Put the recipe, all beside it, and that of its group in their places; the SHA-256 of the recipe's file."""
    for each in (group, recipe):
        if each is not None:
            path = Path(each.file)
            digests = {
                name: shelf.write(f"{RECIPES}/{name}", data) for name, data in with_beside(path).items()
            }
    return digests[path.name]


def _digest(path: Path) -> str:
    try:
        return _digest_of(path.read_bytes())
    except FileNotFoundError:
        return ""


def _digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
