"""The options of the panel "When nobody watches": when a run starts, and who hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from datafetch.cli.options.declare import UNATTENDED, option
from datafetch.cli.options.units import parse_duration

if TYPE_CHECKING:
    from datafetch.model import Settings
    from datafetch.unattended.attend import Wishes


@dataclass(frozen=True, slots=True)
class Unattended:
    """What is to be done around a run."""

    start_delay: Annotated[
        str,
        option(
            "--start-delay",
            help="start at some time by chance up to 15m … later",
            panel=UNATTENDED,
            metavar="TIME",
        ),
    ] = ""
    metrics_file: Annotated[
        Path | None,
        option(
            "--metrics-file",
            help="at the end, a file for Prometheus; in a folder, datafetch_NAME.prom",
            panel=UNATTENDED,
            metavar="PATH",
        ),
    ] = None
    heartbeat: Annotated[
        str,
        option(
            "--heartbeat",
            help="ask URL/start, then URL, or URL/<exit code>; best kept in $DATAFETCH_HEARTBEAT",
            panel=UNATTENDED,
            metavar="URL",
        ),
    ] = ""

    def wishes(self, name: str, settings: Settings) -> Wishes | None:
        """What is to be done around a run of dataset `name`; None for nothing. UsageError for what cannot be done."""
        if not (self.start_delay or self.metrics_file or self.heartbeat):
            return None
        from datafetch.unattended.attend import Wishes
        from datafetch.unattended.heartbeat import Heartbeat
        from datafetch.unattended.metrics import target

        private = settings.allow_private
        monitor = Heartbeat.of(self.heartbeat, allow_private=private) if self.heartbeat else None
        return Wishes(
            parse_duration(self.start_delay) if self.start_delay else 0.0,
            target(self.metrics_file, name) if self.metrics_file else None,
            None if settings.offline else monitor,
        )
