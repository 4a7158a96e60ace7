"""A group of datasets: its members fetched one after the other, each as if asked for by itself, and one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from datafetch.errors import DatafetchError, RecipeError, UnknownName, UsageError, worst
from datafetch.model import Choice, Outcome, Recipe, Settings
from datafetch.plan.budget import Budget
from datafetch.recipe import registry
from datafetch.report import Problem, Report, add_up
from datafetch.run.bring import Emit, get, home_of, ignore
from datafetch.store.files import make_folder, write_apart

NOT_BEGUN = "not begun"  # why a member has no report
STOPS = (130, 143, 10, 8)  # exit codes after which no other member is begun


def members(group: Recipe, folders: Sequence[Path] = (), only: Sequence[str] = ()) -> tuple[Recipe, ...]:
    """The recipes of a group, or those that `only` names. Raises UnknownName, UsageError for a group in a group."""
    strange = [name for name in only if name not in group.members]
    if strange:
        raise UnknownName(f'{group.name} has no member "{strange[0]}"; expected {", ".join(group.members)}')
    found = [registry.load(name, tuple(folders)) for name in group.members if not only or name in only]
    for one in found:
        if one.members:
            raise UsageError(f"{group.name} has {one.name} as a member, which is a group itself")
    return tuple(found)


def get_group(
    group: Recipe,
    choice: Choice,
    settings: Settings,
    emit: Emit = ignore,
    show: Callable[[Recipe, Budget], None] = lambda recipe, budget: None,
    folders: Sequence[Path] = (),
) -> Report:
    """Get each member, whatever became of those before it, unless the user or a limit ended the run. See `run.get`.

    `--max-duration` and `--max-transfer` hold for all of them together.
    """
    wanted = members(group, folders, choice.only)
    if choice.picked:
        raise UsageError(f"{group.name} is a group and has no --{choice.picked[0][0]}", _alone(group))
    started, reports, problems = time.monotonic(), dict[str, Report](), list[Problem]()
    whole = Choice(everything=choice.everything)
    for recipe in wanted:
        left = _what_is_left(
            settings, time.monotonic() - started, sum(r.transferred for r in reports.values())
        )
        try:
            report = get(recipe, whole, left, emit, partial(show, recipe))
        except RecipeError:
            raise
        except DatafetchError as error:
            text = f"{recipe.name}: {error}"
            problems.append(Problem(recipe.name, NOT_BEGUN, "", error.hint, text, error.exit_code))
            continue
        reports[recipe.name] = report
        problems += [replace(one, name=f"{recipe.name}: {one.name}") for one in report.problems]
        if report.exit_code in STOPS:
            break
    report = summed(group.name, len(wanted), settings, reports, problems, time.monotonic() - started)
    home = home_of(settings, group.name)
    with suppress(DatafetchError):  # what cannot be written there was told by the members, too
        make_folder(home.state)
        write_apart(home.report, report.as_file())
    return report


def _what_is_left(settings: Settings, seconds: float, transferred: int) -> Settings:
    duration, transfer = settings.max_duration, settings.max_transfer
    return replace(
        settings,
        max_duration=None if duration is None else max(duration - seconds, 0.001),
        max_transfer=None if transfer is None else max(transfer - transferred, 0),
    )


def summed(
    name: str,
    wanted: int,
    settings: Settings,
    reports: Mapping[str, Report],
    problems: Sequence[Problem],
    seconds: float,
) -> Report:
    """One report of several datasets, of which so many were wanted: those without a report were not begun."""
    parts = [{each: report.counts[each] for each in Outcome} for report in reports.values()]
    # A member that was never begun is one item that failed.
    parts.append({Outcome.FAILED: wanted - len(reports)})
    counts = add_up(parts)
    code = worst([*(report.exit_code for report in reports.values()), *(one.code for one in problems)])
    return Report(
        dataset=name,
        root=str(home_of(settings, name).root),
        status="complete" if code == 0 else "partial" if counts["ok"] else "failed",
        exit_code=code,
        counts=counts,
        transferred=sum(report.transferred for report in reports.values()),
        on_disk=sum(report.on_disk for report in reports.values()),
        peak=max((report.peak for report in reports.values()), default=0),
        seconds=seconds,
        tree_digest="",
        problems=tuple(problems),
        notes=tuple(f"{name}: {note}" for name, report in reports.items() for note in report.notes),
        finished_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        members=dict(reports),
    )


def _alone(group: Recipe) -> str:
    return f"name one of its members, as in: datafetch info {group.members[0]}"
