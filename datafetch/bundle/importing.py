"""Import: the ordinary `get`, with a bundle on loopback as its only mirror."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from datafetch import run
from datafetch.bundle import document as documents
from datafetch.bundle.alone import without_endpoints
from datafetch.bundle.answers import Answers
from datafetch.bundle.document import Dataset, Document
from datafetch.bundle.names import BROUGHT, RECIPES
from datafetch.bundle.proof import prove, refuse_unfinished
from datafetch.bundle.server import serving
from datafetch.errors import Damaged, DatafetchError, UnknownName, UsageError, worst
from datafetch.model import Event, Recipe, Settings
from datafetch.plan.budget import Budget
from datafetch.recipe import registry
from datafetch.recipe.files import builtin
from datafetch.report import Problem, Report
from datafetch.run import group

Emit = Callable[[Event], None]
Show = Callable[[Recipe, Budget], None]

OTHER_TREE = "other tree"  # why a dataset that was built is not the one that was exported


def opened(where: Path, emit: Emit, *, whole: bool = True) -> Document:
    """What a bundle holds, once it is `whole`: every file of it was compared with SHA256SUMS. Raises Damaged,
    UsageError.
    """
    if whole:
        prove(where, emit)
    else:
        refuse_unfinished(where)
    return documents.read(where)


def command(where: Path, dataset: Dataset, url: str) -> str:
    """What to type on a machine that builds a dataset from where the bundle is served."""
    said = ["datafetch get", dataset.name, *(str(ask) for ask in dataset.asks[-1:] if str(ask))]
    said.append(f"--mirror {url} --mirror-only")
    if not _ships(where / dataset.recipe):
        said.append(f"--registry {where / RECIPES}")
    if (where / BROUGHT / dataset.name).is_dir():
        said.append(f"--from {where / BROUGHT / dataset.name}")
    return " ".join(said)


def _ships(recipe: Path) -> bool:
    """Whether the recipe of a bundle is the one that comes with datafetch."""
    try:
        return (builtin() / recipe.name).read_bytes() == recipe.read_bytes()
    except OSError:
        return False


def bring(where: Path, names: Sequence[str], settings: Settings, emit: Emit, show: Show) -> Report:
    """Build the datasets of a bundle, or those named, one after the other; one report. Safe to repeat after any end.

    Nothing is asked of anybody but the bundle, and nothing is published of a bundle that is not as it was exported.
    Raises as `run.get` does where there is one dataset; of several, one that could not be begun is a problem.
    """
    document = opened(where, emit)
    wanted = _named(document, names, where)
    started, reports, problems = time.monotonic(), dict[str, Report](), list[Problem]()
    with without_endpoints(), Answers(where) as answers, serving(answers) as url:
        how = replace(settings, mirrors=(url,), mirror_only=True)
        for dataset in wanted:
            try:
                report = _one(where, dataset, how, emit, show)
            except DatafetchError as error:
                if len(wanted) == 1:
                    raise
                text = f"{dataset.name}: {error}"
                problems.append(Problem(dataset.name, group.NOT_BEGUN, "", error.hint, text, error.exit_code))
                continue
            if len(wanted) == 1:
                return report
            reports[dataset.name] = report
            problems += [replace(one, name=f"{dataset.name}: {one.name}") for one in report.problems]
            if report.exit_code in group.STOPS:
                break
    spent = time.monotonic() - started
    return group.summed(where.resolve().name, len(wanted), settings, reports, problems, spent)


def _named(document: Document, names: Sequence[str], where: Path) -> tuple[Dataset, ...]:
    held = {one.name: one for one in document.datasets}
    strange = [name for name in names if name not in held]
    if strange:
        raise UnknownName(f'{where} holds no dataset "{strange[0]}"; it holds {", ".join(held)}')
    return tuple(one for name, one in held.items() if not names or name in names)


def _one(where: Path, dataset: Dataset, how: Settings, emit: Emit, show: Show) -> Report:
    recipe = _recipe(where, dataset)
    brought = where / BROUGHT / dataset.name
    fetched, seconds = 0, 0.0
    for ask in dataset.asks:
        settings = replace(ask.settings(how), from_dir=str(brought) if brought.is_dir() else "")
        report = run.get(recipe, ask.choice, settings, emit, lambda budget: show(recipe, budget))
        fetched, seconds = fetched + report.transferred, seconds + report.seconds
        if report.exit_code not in (0, 6):
            break
    report = replace(report, transferred=fetched, seconds=seconds)
    return report if report.exit_code not in (0, 6) else _compared(dataset, report, emit)


def _recipe(where: Path, dataset: Dataset) -> Recipe:
    """The recipe that the bundle was made by, and no other of that name."""
    folder = where / RECIPES
    recipe = registry.load(dataset.name, (folder,))
    if Path(recipe.file) != where / dataset.recipe or recipe.members:
        raise UsageError(
            f"{where}: {dataset.recipe} holds no recipe of {dataset.name}", "bring the bundle again"
        )
    return recipe


def _compared(dataset: Dataset, report: Report, emit: Emit) -> Report:
    """The report, which is one of damage where the tree is not the one that was exported."""
    if report.tree_digest == dataset.tree_digest:
        return report
    text = (
        f"{dataset.name}: the tree is {report.tree_digest[:16] or 'not whole'},"
        f" and that of the bundle is {dataset.tree_digest[:16]}"
    )
    hint = f"build it into an empty folder with -o; if {report.root} held more of {dataset.name} before, all is well"
    problem = Problem(dataset.name, OTHER_TREE, "", hint, text, Damaged.exit_code)
    code = Damaged.exit_code
    emit(Event("failed", dataset.name, why=OTHER_TREE, text=text, hint=hint, code=code))
    return replace(
        report,
        status="partial",
        exit_code=worst((report.exit_code, code)),
        problems=(*report.problems, problem),
    )
