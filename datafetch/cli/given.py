"""What the options of a command line ask for, in the words of the model. UsageError for what cannot be meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from datafetch.cli.options import PICKED, parse_duration
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch import model
    from datafetch.model import Choice, Settings, Subset, Window
    from datafetch.unattended.attend import Wishes


def wishes_of(
    name: str, delay: str, metrics_file: Path | None, heartbeat: str, settings: Settings
) -> Wishes | None:
    """What is to be done around a run; None for nothing. UsageError for what cannot be done."""
    if not (delay or metrics_file or heartbeat):
        return None
    from datafetch.unattended.attend import Wishes
    from datafetch.unattended.heartbeat import Heartbeat
    from datafetch.unattended.metrics import target

    monitor = Heartbeat.of(heartbeat, allow_private=settings.allow_private) if heartbeat else None
    return Wishes(
        parse_duration(delay) if delay else 0.0,
        target(metrics_file, name) if metrics_file else None,
        None if settings.offline else monitor,
    )


def choice_of(ctx: typer.Context, only: Sequence[str], everything: bool) -> Choice:
    """What the options of a recipe's own, --only and --all pick."""
    from datafetch.model import Choice

    groups = tuple(group.strip() for given in only for group in given.split(",") if group.strip())
    return Choice(tuple(ctx.meta.get(PICKED, ())), groups, everything)


def prepro_rules(
    wanted: bool, num_val: int | None, num_test: int | None, threshold: int | None, max_length: int | None
) -> model.Prepro | None:
    """The rules of --prepro, or None without it. UsageError for options that only it reads."""
    from datafetch.model import Prepro

    asked = {
        "num_val": num_val,
        "num_test": num_test,
        "word_count_threshold": threshold,
        "max_length": max_length,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    if wanted:
        return Prepro(**given)
    if given:
        raise UsageError(f"--{next(iter(given)).replace('_', '-')} goes with --prepro", "add --prepro")
    return None


def window_of(first: int | None, count: int | None) -> Window:
    """The rows that --first and --count choose."""
    from datafetch.model import Window

    start = first or 1
    return Window(start, None if count is None else start + count - 1)


def subset_of(
    split: Sequence[str],
    classes: Sequence[str],
    most: int | None,
    include: Sequence[str],
    exclude: Sequence[str],
) -> Subset:
    """The files that --split, --classes and their like choose."""
    from datafetch.model import Subset

    return Subset(_listed(split), _listed(classes), most, _listed(include), _listed(exclude))


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    """The words of an option that takes A,B and may be repeated; one order, so that one choice is one value."""
    return tuple(sorted({word.strip() for each in given for word in each.split(",") if word.strip()}))


def check_places(mirrors: Sequence[str], from_dir: Path | None, *, mirror_only: bool) -> None:
    """Refuse at once what would fail later, file by file."""
    if mirror_only and not mirrors:
        raise UsageError("--mirror-only without a mirror leaves nobody to ask", "name one with --mirror URL")
    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")) or not mirror.partition("://")[2].strip("/"):
            raise UsageError(
                f"--mirror {mirror} is no http or https address", "write it like http://host:port"
            )
    if from_dir is not None and not from_dir.is_dir():
        raise UsageError(f"--from {from_dir} is not a folder", "name the folder that holds the files")
