"""The options of the panels "Where to" and "Where from": folders, files of one's own, mirrors, recipes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from datafetch.cli.options.declare import WHERE_FROM, WHERE_TO, option
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.model import Settings

DEFAULT_DIR = Path("data")
_DATA = "where datasets are built (default ./data, or $DATAFETCH_DIR)"


class Names(StrEnum):
    KEEP = "keep"
    SEQUENTIAL = "sequential"


OutputDir = Annotated[
    Path,
    option("-o", "--output-dir", help=_DATA, panel=WHERE_TO, env="DATAFETCH_DIR", metavar="DIR"),
]
DataDir = Annotated[  # of a command whose -o is a file
    Path, option("--output-dir", help=_DATA, panel=WHERE_TO, env="DATAFETCH_DIR", metavar="DIR")
]


@dataclass(frozen=True, slots=True)
class Form:
    """What files are called, here and in records."""

    names: Annotated[
        Names,
        option(
            "--names", help="upstream's names, or 0.jpg, 1.jpg, …", panel=WHERE_TO, metavar="keep|sequential"
        ),
    ] = Names.KEEP
    absolute_paths: Annotated[
        bool,
        option(
            "--absolute-paths", help="in records that are made here, whole paths of pictures", panel=WHERE_TO
        ),
    ] = False

    def onto(self, settings: Settings) -> Settings:
        return replace(settings, names=self.names.value, absolute_paths=self.absolute_paths)


@dataclass(frozen=True, slots=True)
class Archives:
    """What becomes of archives."""

    keep_archives: Annotated[
        bool, option("--keep-archives", help="keep archives after the build", panel=WHERE_TO)
    ] = False
    stream: Annotated[
        bool,
        option("--stream", help="unpack zips and tars while they arrive: no archive on disk", panel=WHERE_TO),
    ] = False

    def onto(self, settings: Settings) -> Settings:
        """UsageError for both."""
        if self.stream and self.keep_archives:
            raise UsageError(
                "--stream leaves no archive to keep", hint="give either --stream or --keep-archives, not both"
            )
        return replace(settings, keep_archives=self.keep_archives, stream=self.stream)


@dataclass(frozen=True, slots=True)
class Brought:
    """Files that a person fetched."""

    from_dir: Annotated[
        Path | None,
        option("--from", help="where files lie that you fetched by hand", panel=WHERE_FROM, metavar="DIR"),
    ] = None

    def onto(self, settings: Settings) -> Settings:
        """UsageError at once for what would fail later, file by file."""
        if self.from_dir is not None and not self.from_dir.is_dir():
            raise UsageError(
                f"--from {self.from_dir} is not a folder", "name the folder that holds the files"
            )
        return replace(settings, from_dir=str(self.from_dir) if self.from_dir else "")


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Whom to ask."""

    mirror: Annotated[
        list[str],
        option(
            "--mirror",
            help="ask URL/host/path before the origin (repeatable)",
            panel=WHERE_FROM,
            metavar="URL",
        ),
    ] = field(default_factory=list)
    mirror_only: Annotated[bool, option("--mirror-only", help="never ask the origin", panel=WHERE_FROM)] = (
        False
    )
    allow_private: Annotated[
        bool, option("--allow-private", help="permit loopback and private addresses", panel=WHERE_FROM)
    ] = False

    def onto(self, settings: Settings) -> Settings:
        """UsageError at once for what would fail later, file by file."""
        if self.mirror_only and not self.mirror:
            raise UsageError(
                "--mirror-only without a mirror leaves nobody to ask", "name one with --mirror URL"
            )
        for mirror in self.mirror:
            if not mirror.startswith(("http://", "https://")) or not mirror.partition("://")[2].strip("/"):
                raise UsageError(
                    f"--mirror {mirror} is no http or https address", "write it like http://host:port"
                )
        return replace(
            settings,
            mirrors=tuple(self.mirror),
            mirror_only=self.mirror_only,
            allow_private=self.allow_private,
        )


@dataclass(frozen=True, slots=True)
class Asking:
    """Whether anybody is asked at all, and whether for what is here as well."""

    offline: Annotated[
        bool, option("--offline", help="use what is here, ask no server", panel=WHERE_FROM)
    ] = False
    check_upstream: Annotated[
        bool,
        option(
            "--check-upstream",
            help="ask whether what is here is still what upstream has",
            panel=WHERE_FROM,
        ),
    ] = False

    def onto(self, settings: Settings) -> Settings:
        """UsageError for both."""
        if self.check_upstream and self.offline:
            raise UsageError(
                "--check-upstream asks servers, and --offline asks none", hint="give one of them"
            )
        return replace(settings, offline=self.offline, check_upstream=self.check_upstream)


AcceptTerms = Annotated[
    bool, option("--accept-terms", help="you have read and accept the terms", panel=WHERE_FROM)
]
Registry = Annotated[
    list[Path],
    option("--registry", help="look here first for recipes (repeatable)", panel=WHERE_FROM, metavar="DIR"),
]
