"""Documents that hang on what stands in the tree, made to fit it once the loop is over."""

from __future__ import annotations

from collections.abc import Callable

from datafetch.errors import DatafetchError
from datafetch.model import Event
from datafetch.report import Tally, failure
from datafetch.store import files as store
from datafetch.store import inventory
from datafetch.store.stock import Stock, take_stock
from datafetch.task import Task

Emit = Callable[[Event], None]


def fit_documents(task: Task, stock: Stock, tally: Tally, tell: Emit, *, changed: bool) -> Stock:
    """What --prepro and --write-available made is made anew where the tree is another now, or it is gone; the stock
    after that. A failure is told like that of an artifact. A run that was stopped leaves it to the next.
    """
    home, gone = task.home, stock.gone
    if (task.settings.prepro or changed or gone) and not tally.cut_off and _prepare(task, stock, tell, tally):
        stock = take_stock(home)
    if (changed or stock.gone) and not tally.cut_off and _has_available(task):
        _renew(task, stock, tell)
        stock = take_stock(home)
    if stock.gone and not tally.cut_off:
        from datafetch.documents import available

        for text in available.outlived(task.recipe, home, stock.gone):
            tell(Event("note", task.recipe.name, text=text))
    store.remove_tree(home.prepro)  # of a run that was killed
    return stock


def _prepare(task: Task, stock: Stock, tell: Emit, tally: Tally) -> bool:
    """What --prepro makes, or made once and is gone. Whether there is such a thing, so that the tree may be another
    now.

    It ends as the loop does, at a signal or once the run has taken its time.
    """
    home, recipe, settings = task.home, task.recipe, task.settings
    if not any(finish.prepro for finish in recipe.finish):
        return False
    from datafetch.documents import prepared

    try:
        if rules := settings.prepro or prepared.rules_of(home, stock.gone):
            from datafetch.stops import stoppable

            wanted, most = rules, settings.max_duration
            stoppable(
                lambda go_on: prepared.prepare_all(home, recipe, wanted, stock.gone, tell, go_on),
                None if most is None else max(0.0, most - tally.seconds),
            )
        for text in prepared.outdated(home, recipe):
            tell(Event("note", recipe.name, text=text))
    except DatafetchError as error:
        tell(failure("--prepro", error))
    return True


def _has_available(task: Task) -> bool:
    return any(".available" in entry.path for entry in inventory.published(task.home))


def _renew(task: Task, stock: Stock, tell: Emit) -> None:
    """What --write-available once made is made to fit the pictures that are here now, and is made anew if lost."""
    from datafetch.documents import available

    try:
        available.renew(task.recipe, task.home, stock.gone)
    except DatafetchError as error:
        tell(failure("--write-available", error))
