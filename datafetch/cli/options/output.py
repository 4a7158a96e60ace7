"""The options of the panel "Output": what is said while a command runs, and in which form at its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from datafetch.cli.options.declare import OUTPUT, option


class Progress(StrEnum):
    AUTO = "auto"
    BARS = "bars"
    LINES = "lines"
    NONE = "none"


Json = Annotated[bool, option("--json", help="one JSON document on stdout", panel=OUTPUT)]
Quiet = Annotated[bool, option("-q", "--quiet", help="say nothing unless something is wrong", panel=OUTPUT)]
Verbose = Annotated[bool, option("-v", "--verbose", help="also each retry and each step", panel=OUTPUT)]


@dataclass(frozen=True, slots=True)
class Telling:
    """How a command tells what it does."""

    progress: Annotated[
        Progress,
        option(
            "--progress",
            help="bars on a terminal, else a line every 30 s",
            panel=OUTPUT,
            metavar="auto|bars|lines|none",
        ),
    ] = Progress.AUTO
    as_json: Json = False
    quiet: Quiet = False

    @property
    def silent(self) -> bool:
        """Whether nothing is said but the result."""
        return self.quiet or self.as_json
