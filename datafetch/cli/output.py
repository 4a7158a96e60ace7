"""What goes to stdout and stderr, and in which form."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from datafetch.cli.options.output import Progress, Telling

if TYPE_CHECKING:
    from datafetch.model import Event


@contextmanager
def watching(name: str, telling: Telling, *, verbose: bool = False) -> Iterator[Callable[[Event], None]]:
    """Takes the events of a run, from any thread, while the block lasts."""
    from datafetch.console.live import Bars, JsonLines, Lines

    progress, quiet = telling.progress, telling.quiet
    bars = progress is Progress.BARS or (progress is Progress.AUTO and sys.stderr.isatty())
    if telling.as_json:
        yield JsonLines()
    elif bars and not quiet:
        with Bars(name, verbose=verbose) as shown:
            yield shown
    elif progress is Progress.NONE:
        yield Lines(name, quiet=quiet, verbose=verbose, every=None)
    else:
        yield Lines(name, quiet=quiet, verbose=verbose)


def print_lines(lines: Iterable[str]) -> None:
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        from datafetch.console.text import colour

        lines = map(colour, lines)
    stream(f"{line}\n" for line in lines)


def say(text: str) -> None:
    """One line on stdout."""
    write(f"{text}\n")


def write(text: str) -> None:
    """Text on stdout. A reader that has gone away, as `head` does, changes neither the work nor its exit code."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stream(pieces: Iterable[str]) -> None:
    """Text on stdout, in pieces, some hundreds at a time: there may be a million."""
    rest = iter(pieces)
    while together := "".join(islice(rest, 500)):
        write(together)


def width(stream: TextIO = sys.stdout) -> int | None:
    """Columns to stay inside: those of the terminal, 80 at least; None, that is no limit, when output is piped."""
    if not stream.isatty():
        return None
    import shutil

    return max(shutil.get_terminal_size().columns, 80)
