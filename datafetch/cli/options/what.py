"""The options of the panel "What": which dataset, and which part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datafetch.cli.choices import PICKED
from datafetch.cli.options.declare import WHAT, option
from datafetch.errors import DatafetchError

if TYPE_CHECKING:
    from datafetch.model import Choice, Settings

LOCK_FILE = Path("datafetch.lock")


def complete_names(incomplete: str) -> Iterator[str]:
    """Recipe names for the shell; a broken registry completes to nothing."""
    from datafetch.recipe import registry

    try:
        yield from (name for name in registry.names(()) if name.startswith(incomplete))
    except DatafetchError:
        return


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="a dataset, see: datafetch list", autocompletion=complete_names)
]
LockPath = Annotated[
    Path,
    option("--lock-file", help="the lock file (default ./datafetch.lock)", panel=WHAT, metavar="FILE"),
]


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a dataset."""

    only: Annotated[
        list[str],
        option("--only", help="restrict to these groups (repeatable)", panel=WHAT, metavar="GROUP,…"),
    ] = field(default_factory=list)
    everything: Annotated[bool, option("--all", help="everything the recipe has", panel=WHAT)] = False
    first: Annotated[
        int | None,
        option("--first", help="of a list of addresses, begin at row N", panel=WHAT, min=1, metavar="N"),
    ] = None
    count: Annotated[
        int | None, option("--count", help="and take M rows of it", panel=WHAT, min=1, metavar="M")
    ] = None
    split: Annotated[
        list[str],
        option("--split", help="only these splits, masks with them: train,test …", panel=WHAT, metavar="A,B"),
    ] = field(default_factory=list)
    classes: Annotated[
        list[str], option("--classes", help="only these classes; globs", panel=WHAT, metavar="A,B")
    ] = field(default_factory=list)
    max_per_class: Annotated[
        int | None,
        option("--max-per-class", help="of each class folder, the first N", panel=WHAT, min=1, metavar="N"),
    ] = None
    include: Annotated[
        list[str],
        option(
            "--include",
            help="of class folders, only these files: '0.jpg', 'train/*/*.png'",
            panel=WHAT,
            metavar="GLOB,…",
        ),
    ] = field(default_factory=list)
    exclude: Annotated[
        list[str], option("--exclude", help="none of these files", panel=WHAT, metavar="GLOB,…")
    ] = field(default_factory=list)

    def choice(self, ctx: typer.Context) -> Choice:
        """What the options of a recipe's own, --only and --all pick."""
        from datafetch.model import Choice

        return Choice(tuple(ctx.meta.get(PICKED, ())), words(self.only), self.everything)

    def onto(self, settings: Settings) -> Settings:
        """The rows of --first and --count, and the files that --split, --classes and their like choose."""
        from datafetch.model import Subset, Window

        start = self.first or 1
        globs = (_sorted(self.include), _sorted(self.exclude))
        return replace(
            settings,
            window=Window(start, None if self.count is None else start + self.count - 1),
            subset=Subset(_sorted(self.split), _sorted(self.classes), self.max_per_class, *globs),
        )


@dataclass(frozen=True, slots=True)
class Held:
    """Whether to hold to a lock file."""

    frozen: Annotated[
        bool, option("--frozen", help="take what the lock file says and nothing else", panel=WHAT)
    ] = False
    lock_file: LockPath = LOCK_FILE

    def onto(self, settings: Settings) -> Settings:
        return replace(settings, frozen=str(self.lock_file) if self.frozen else "")


def words(given: Sequence[str]) -> tuple[str, ...]:
    """The words of an option that takes A,B and may be repeated."""
    return tuple(word.strip() for each in given for word in each.split(",") if word.strip())


def _sorted(given: Sequence[str]) -> tuple[str, ...]:
    """The words in one order, so that one choice is one value."""
    return tuple(sorted(set(words(given))))
