"""The report of a run that ends before it has begun: who looks for last night's must see that there was a run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from datafetch import __version__
from datafetch.errors import DatafetchError, Locked, RecipeError, UnknownName, UsageError
from datafetch.model import Artifact, Recipe, Settings, Why
from datafetch.report import Problem, Report, Tally, add_up, why_of
from datafetch.run.ending import report_of
from datafetch.store.files import as_user_error, remove_tree, write_apart, write_atomic
from datafetch.store.held import Held
from datafetch.store.home import Home
from datafetch.store.stock import take_stock
from datafetch.task import Task


@contextmanager
def reported(recipe: Recipe, wanted: Sequence[Artifact], home: Home, settings: Settings) -> Iterator[None]:
    """Under the lease: what ends the block early is written to report.json, with what of the dataset is here, and
    raised with that report; a bug too. A mistake on the command line is not: it says nothing of the dataset.
    """
    started = time.monotonic()
    try:
        remove_tree(home.locked)
        yield
    except (UsageError, RecipeError, UnknownName):
        raise
    except Exception as error:
        known = _known(error, home)
        with suppress(Exception):  # the disk may be what is wrong, or what it holds; the error is told anyway
            known.report = _as_it_is(Task(recipe, tuple(wanted), home, settings), known, started)
            write_atomic(home.report, known.report.as_file())
        if known is error or not isinstance(error, OSError):  # a bug is told as such where all errors end
            raise
        raise known from error


def locked(home: Home, error: Locked) -> None:
    """The same for a run without the lease: report.json belongs to the one that has it, so a file beside it tells."""
    error.report = nothing(home, error)
    with suppress(DatafetchError):
        write_apart(home.locked, error.report.as_file())


def nothing(home: Home, error: DatafetchError) -> Report:
    """That of a run that may not even look, or write: for who gets it on stdout, and for the metrics."""
    return Report(
        dataset=home.dataset,
        root=str(home.root),
        status="failed",
        exit_code=error.exit_code,
        counts=add_up(()),
        transferred=0,
        on_disk=0,
        peak=0,
        seconds=0.0,
        tree_digest="",
        problems=(_problem(home.dataset, error),),
        finished_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def _known(error: Exception, home: Home) -> DatafetchError:
    match error:
        case DatafetchError():
            return error
        case OSError():
            return as_user_error(error, error.filename or home.state)
        case _:
            # What it says may quote anything, and reports are passed on.
            return DatafetchError(f"{type(error).__name__}: this is a bug in datafetch {__version__}")


def _as_it_is(task: Task, error: DatafetchError, started: float) -> Report:
    stock = take_stock(task.home)
    tally = Tally(Held(stock.blocks), started)
    tally.problems.append(_problem(task.recipe.name, error))
    return report_of(task, tally, stock)


def _problem(name: str, error: DatafetchError) -> Problem:
    why = why_of(error)
    return Problem(
        name, why if why is not Why.UNKNOWN else "not begun", "", error.hint, str(error), error.exit_code
    )
