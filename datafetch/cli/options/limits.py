"""The options of the panel "How far, how hard": transfers at once, budgets, what is asked again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from datafetch.cli.options.declare import LIMITS, option
from datafetch.cli.options.units import given, parse_duration, parse_percent, parse_rate, parse_size

if TYPE_CHECKING:
    from datafetch.model import Settings

MaxDuration = Annotated[
    str, option("--max-duration", help="stop after 90s, 15m, 2h …", panel=LIMITS, metavar="TIME")
]
MaxDisk = Annotated[
    str,
    option("--max-disk", help="most that the dataset may take on disk: 60G …", panel=LIMITS, metavar="SIZE"),
]


@dataclass(frozen=True, slots=True)
class Workers:
    """Transfers at once."""

    jobs: Annotated[
        int | None,
        option(
            "-j",
            "--jobs",
            help="transfers at once (default 4, list rows 64)",
            panel=LIMITS,
            min=1,
            metavar="N",
        ),
    ] = None
    max_per_host: Annotated[
        int | None,
        option(
            "-x",
            "--max-per-host",
            help="of them from one host (default 4, rows 32)",
            panel=LIMITS,
            min=1,
            metavar="N",
        ),
    ] = None

    def onto(self, settings: Settings) -> Settings:
        return replace(
            settings,
            jobs=self.jobs or settings.jobs,
            max_per_host=self.max_per_host or settings.max_per_host,
            items=self.jobs or settings.items,
            items_per_host=self.max_per_host or settings.items_per_host,
        )


@dataclass(frozen=True, slots=True)
class OneFile:
    """What one file is worth. To be set before the workers: only an -x that is given is less than its connections."""

    connections: Annotated[
        int | None,
        option(
            "--connections",
            help="of these for one large file (default 4); more raise -x, unless it is given",
            panel=LIMITS,
            min=1,
            metavar="N",
        ),
    ] = None
    retries: Annotated[
        int | None,
        option(
            "--retries", help="tries again without progress (default 5)", panel=LIMITS, min=0, metavar="N"
        ),
    ] = None

    def onto(self, settings: Settings) -> Settings:
        connections = self.connections or settings.connections
        most = max(settings.max_per_host, connections)
        return replace(settings, connections=connections, max_per_host=most, retries=self.retries)


@dataclass(frozen=True, slots=True)
class Budget:
    """Where a run ends, and what counts as its end."""

    limit_rate: Annotated[
        str,
        option("--limit-rate", help="bytes per second in all: 500K, 4.2M …", panel=LIMITS, metavar="RATE"),
    ] = ""
    max_duration: MaxDuration = ""
    max_transfer: Annotated[
        str, option("--max-transfer", help="stop after 500M, 50G …", panel=LIMITS, metavar="SIZE")
    ] = ""
    max_disk: MaxDisk = ""
    min_complete: Annotated[
        str,
        option(
            "--min-complete", help="share of items that counts as complete", panel=LIMITS, metavar="99.5%"
        ),
    ] = ""

    def onto(self, settings: Settings) -> Settings:
        return replace(
            settings,
            limit_rate=given(parse_rate, self.limit_rate),
            min_complete=given(parse_percent, self.min_complete),
            max_duration=given(parse_duration, self.max_duration),
            max_transfer=given(parse_size, self.max_transfer),
            max_disk=given(parse_size, self.max_disk),
        )


@dataclass(frozen=True, slots=True)
class Insisting:
    """What is asked for all the same."""

    retry_gone: Annotated[
        bool, option("--retry-gone", help="ask again for what was gone for good", panel=LIMITS)
    ] = False
    ignore_opt_out: Annotated[
        bool,
        option("--ignore-opt-out", help="of lists, also what robots.txt or headers withhold", panel=LIMITS),
    ] = False

    def onto(self, settings: Settings) -> Settings:
        return replace(settings, retry_gone=self.retry_gone, ignore_opt_out=self.ignore_opt_out)
