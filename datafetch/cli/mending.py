"""What `verify` does: looks at a dataset, mends what is damaged, and looks again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from datafetch import run
from datafetch.cli.answers.verify import Checked, report_of
from datafetch.cli.app import to_have
from datafetch.console.text import plural
from datafetch.errors import Damaged, NoRoom, UnknownName
from datafetch.layout.digests import Digests
from datafetch.model import Event, Recipe, Settings, UrlList
from datafetch.report import Report
from datafetch.stops import stoppable
from datafetch.store.home import Home
from datafetch.store.lease import Lease
from datafetch.store.subsets import subsets
from datafetch.verify.portion import Level
from datafetch.verify.whole import Verified, verify

MANY = 20  # JSONs, beyond which they are not told one by one


@dataclass(frozen=True, slots=True)
class Wish:
    """How a dataset is to be verified."""

    level: str
    full: bool = False
    repair: bool = False
    write_available: bool = False


def verify_and_repair(
    recipe: Recipe, settings: Settings, wish: Wish, emit: Callable[[Event], None]
) -> Checked:
    """What was found, and mended if that is wished; its report is written, and it is to be closed.

    Raises UnknownName for a level, Damaged when nothing was ever published here, TimeLimit and Interrupted when it
    ended before anything was looked at. JSONs that name pictures are held against them when `full`, or when they are
    to be written anew.
    """
    level = _level(wish.level)
    home = run.home_of(settings, recipe.name)
    with ExitStack() as unless_done:
        look = _Look(home, recipe, level, settings.max_duration, emit)
        unless_done.callback(look.close)
        found = look.again(full=wish.full)
        mended: Report | None = None
        if (
            wish.repair
            and not found.stopped
            and (found.is_damaged or _unfinished(home) or _gaps(recipe, home))
        ):
            left = replace(settings, max_duration=look.left())
            mended = run.repair(recipe, frozenset(found.findings.hidden()), left, emit)
            found = look.again()
        if wish.repair and not found.stopped and not wish.write_available and _renew(recipe, home, found):
            found = look.again()
        notes: tuple[str, ...] = ()
        if (wish.full or wish.write_available) and not found.stopped:
            notes = _compare(recipe, home, found, write=wish.write_available)
            if wish.write_available:
                found = look.again()
        report = replace(report_of(recipe.name, home, found, mended, look.seconds()), notes=notes)
        checked = Checked(replace(report, subset=subsets(home, recipe)), home, found, mended)
        checked.keep()
        unless_done.pop_all()
        return checked


class _Look:
    """Verifies one dataset as often as is needed, all together in the time that is allowed."""

    def __init__(
        self,
        home: Home,
        recipe: Recipe,
        level: Level,
        most: float | None,
        emit: Callable[[Event], None],
    ) -> None:
        self._home, self._recipe, self._level = home, recipe, level
        self._most, self._emit = most, emit
        self._started = time.monotonic()
        self._found: Verified | None = None

    def again(self, *, full: bool = False) -> Verified:
        """What is found now; what was found before is let go."""
        self.close()
        if not self._home.manifest.exists():
            raise self._nothing()
        self._found = found = stoppable(lambda go_on: self._verify(full, go_on), self.left())
        if not found.files:
            self.close()
            raise self._nothing()
        return found

    def _verify(self, full: bool, go_on: Callable[[], None]) -> Verified:
        with ExitStack() as stack:
            with suppress(NoRoom):  # where nothing can be written, nobody else writes either
                stack.enter_context(Lease(self._home.lease))
            return verify(self._home, self._level, full=full, emit=self._emit, go_on=go_on)

    def left(self) -> float | None:
        """Seconds of the time that is allowed."""
        return None if self._most is None else max(0.001, self._most - self.seconds())

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def close(self) -> None:
        if self._found is not None:
            self._found.findings.close()
        self._found = None

    def _nothing(self) -> Damaged:
        return Damaged(f"{self._recipe.name} is not in {self._home.root}", hint=to_have(self._recipe))


def _compare(recipe: Recipe, home: Home, found: Verified, *, write: bool) -> tuple[str, ...]:
    """What JSONs and pictures lack of each other, and what was written of it."""
    from datafetch.documents import available

    compared, unnamed = available.compare(recipe, home, Digests.of(found.findings.damaged()))
    told = compared if len(compared) <= MANY else [each for each in compared if each.lacking]
    said = [each.words for each in told]
    if len(told) < len(compared):
        said.append(f"{len(compared) - len(told):,} further JSONs name no picture that is not here")
    if unnamed:
        said.append(f"{plural(unnamed, 'picture')} here that no JSON names")
    if write:
        with Lease(home.lease):
            written = available.write(home, compared)
        if len(written) > MANY:
            said.append(f"{len(written):,} JSONs are written, such as {written[0]}")
        else:
            said += [f"{path} is written" for path in written]
        if not compared:
            said.append("no JSON here names pictures one by one: nothing to write")
    return tuple(said)


def _renew(recipe: Recipe, home: Home, found: Verified) -> bool:
    """Whether there was something that --write-available once made: it fits the pictures now."""
    from datafetch.documents import available

    if not available.written(home):
        return False
    with Lease(home.lease):
        available.renew(recipe, home, Digests.of(found.findings.damaged()))
    return True


def _gaps(recipe: Recipe, home: Home) -> bool:
    """Whether a list has rows without a file that are due to be asked for again."""
    from datafetch.images.lacking import any_due

    lists = [artifact.name for artifact in recipe.artifacts if isinstance(artifact.source, UrlList)]
    return any(any_due(home.batches(name), time.time(), retry_gone=False) for name in lists)


def _unfinished(home: Home) -> bool:
    """Whether a repair was killed after it had mended everything and before it had tidied up."""
    scaffolding = (home.state / folder for folder in ("staging", "assembling", "parts", "prepro"))
    return any(folder.exists() for folder in scaffolding) or any(home.state.glob(".*.tmp"))


def _level(word: str) -> Level:
    try:
        return Level(word)
    except ValueError:
        raise UnknownName(f"no such level: {word}", hint="levels are " + ", ".join(Level)) from None
