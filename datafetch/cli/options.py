"""The options that commands share, and those that a recipe's own choices become."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from datafetch.cli.values import convert_plainly
from datafetch.errors import DatafetchError, RecipeError, UnknownName, UsageError

if TYPE_CHECKING:
    from datafetch.model import Recipe

PICKED = "datafetch.picked"  # where the values of a recipe's own options wait in the context

SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
DURATIONS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Progress(StrEnum):
    AUTO = "auto"
    BARS = "bars"
    LINES = "lines"
    NONE = "none"


class Names(StrEnum):
    KEEP = "keep"
    SEQUENTIAL = "sequential"


def parse_size(text: str) -> int:
    """Bytes of "50G", "4.2M" or "1048576"; K, M, G and T are powers of 1000. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f"{text!r} is not a size", hint="write it like 500M or 1.5G")
    return int(float(match[1]) * SIZES[match[2].upper()])


def parse_rate(text: str) -> int:
    """Bytes per second of "4.2M", "500K" or "4.2M/s". Raises UsageError; at least 1K is asked for."""
    words = text.strip()
    rate = parse_size(words[:-2] if words.lower().endswith("/s") else words)
    if rate < 1000:
        raise UsageError(f"{text!r} is too slow to end", hint="write a rate of 1K or more, like 4.2M")
    return rate


def parse_duration(text: str) -> float:
    """Seconds of "90", "90s", "15m", "2h", "1h30m" or "1d". Raises UsageError."""
    said = text.strip().lower()
    if re.fullmatch(r"(?:\d+(?:\.\d+)?\s*[smhd]\s*)+|\d+(?:\.\d+)?", said) is None:
        raise UsageError(f"{text!r} is not a duration", hint="write it like 90s, 15m or 1h30m")
    return sum(float(n) * DURATIONS[unit] for n, unit in re.findall(r"(\d+(?:\.\d+)?)\s*([smhd]?)", said))


def parse_percent(text: str) -> float:
    """The number of "99.5%" or "99.5". Raises UsageError outside 0 to 100."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%?", text.strip())
    if match is None or float(match[1]) > 100:
        raise UsageError(f"{text!r} is not a percentage", hint="write it like 99.5%")
    return float(match[1])


def complete_names(incomplete: str) -> Iterator[str]:
    """Recipe names for the shell; a broken registry completes to nothing."""
    from datafetch.recipe import registry

    try:
        yield from (name for name in registry.names(()) if name.startswith(incomplete))
    except DatafetchError:
        return


def option(*flags: str, help: str, panel: str = "", env: str = "", **more: Any) -> Any:
    """A typer option that also listens to DATAFETCH_<OPTION>."""
    name = flags[-1].lstrip("-").upper().replace("-", "_")
    variable = [f"DATAFETCH_{name}", *([env] if env else [])]
    more.setdefault("show_default", False)
    return typer.Option(
        *flags, help=help, envvar=variable, show_envvar=False, rich_help_panel=panel or None, **more
    )


WHAT, WHERE_FROM, WHERE_TO, LIMITS, OUTPUT = "What", "Where from", "Where to", "How far, how hard", "Output"
TALK = "For NeuralTalk2"
UNATTENDED = "When nobody watches"

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="a dataset, see: datafetch list", autocompletion=complete_names)
]
Only = Annotated[
    list[str], option("--only", help="restrict to these groups (repeatable)", panel=WHAT, metavar="GROUP,…")
]
First = Annotated[
    int | None,
    option("--first", help="of a list of addresses, begin at row N", panel=WHAT, min=1, metavar="N"),
]
Count = Annotated[int | None, option("--count", help="and take M rows of it", panel=WHAT, min=1, metavar="M")]
Split = Annotated[
    list[str],
    option("--split", help="only these splits, masks with them: train,test …", panel=WHAT, metavar="A,B"),
]
Classes = Annotated[
    list[str], option("--classes", help="only these classes; globs", panel=WHAT, metavar="A,B")
]
MaxPerClass = Annotated[
    int | None,
    option("--max-per-class", help="of each class folder, the first N", panel=WHAT, min=1, metavar="N"),
]
Include = Annotated[
    list[str],
    option(
        "--include",
        help="of class folders, only these files: '0.jpg', 'train/*/*.png'",
        panel=WHAT,
        metavar="GLOB,…",
    ),
]
Exclude = Annotated[list[str], option("--exclude", help="none of these files", panel=WHAT, metavar="GLOB,…")]
Everything = Annotated[bool, option("--all", help="everything the recipe has", panel=WHAT)]
OutputDir = Annotated[
    Path,
    option(
        "-o",
        "--output-dir",
        help="where datasets are built (default ./data, or $DATAFETCH_DIR)",
        panel=WHERE_TO,
        env="DATAFETCH_DIR",
        metavar="DIR",
    ),
]
Stream = Annotated[
    bool,
    option("--stream", help="unpack zips and tars while they arrive: no archive on disk", panel=WHERE_TO),
]
DataDir = Annotated[  # of a command whose -o is a file
    Path,
    option(
        "--output-dir",
        help="where datasets are built (default ./data, or $DATAFETCH_DIR)",
        panel=WHERE_TO,
        env="DATAFETCH_DIR",
        metavar="DIR",
    ),
]
KeepArchives = Annotated[
    bool, option("--keep-archives", help="keep archives after the build", panel=WHERE_TO)
]
MaxDisk = Annotated[
    str,
    option(
        "--max-disk",
        help="most that the dataset may take on disk: 60G …",
        panel=LIMITS,
        metavar="SIZE",
    ),
]
MaxDuration = Annotated[
    str, option("--max-duration", help="stop after 90s, 15m, 2h …", panel=LIMITS, metavar="TIME")
]
Mirror = Annotated[
    list[str],
    option(
        "--mirror", help="ask URL/host/path before the origin (repeatable)", panel=WHERE_FROM, metavar="URL"
    ),
]
MirrorOnly = Annotated[bool, option("--mirror-only", help="never ask the origin", panel=WHERE_FROM)]
AllowPrivate = Annotated[
    bool, option("--allow-private", help="permit loopback and private addresses", panel=WHERE_FROM)
]
FromDir = Annotated[
    Path | None,
    option("--from", help="where files lie that you fetched by hand", panel=WHERE_FROM, metavar="DIR"),
]
Registry = Annotated[
    list[Path],
    option("--registry", help="look here first for recipes (repeatable)", panel=WHERE_FROM, metavar="DIR"),
]
LockPath = Annotated[
    Path,
    option(
        "--lock-file",
        help="the lock file (default ./datafetch.lock)",
        panel=WHAT,
        metavar="FILE",
    ),
]
AcceptTerms = Annotated[
    bool, option("--accept-terms", help="you have read and accept the terms", panel=WHERE_FROM)
]
Jobs = Annotated[
    int | None,
    option(
        "-j",
        "--jobs",
        help="transfers at once (default 4, list rows 64)",
        panel=LIMITS,
        min=1,
        metavar="N",
    ),
]
MaxPerHost = Annotated[
    int | None,
    option(
        "-x",
        "--max-per-host",
        help="of them from one host (default 4, rows 32)",
        panel=LIMITS,
        min=1,
        metavar="N",
    ),
]
LimitRate = Annotated[
    str,
    option("--limit-rate", help="bytes per second in all: 500K, 4.2M …", panel=LIMITS, metavar="RATE"),
]
MaxTransfer = Annotated[
    str, option("--max-transfer", help="stop after 500M, 50G …", panel=LIMITS, metavar="SIZE")
]
MinComplete = Annotated[
    str,
    option("--min-complete", help="share of items that counts as complete", panel=LIMITS, metavar="99.5%"),
]
Json = Annotated[bool, option("--json", help="one JSON document on stdout", panel=OUTPUT)]
Quiet = Annotated[bool, option("-q", "--quiet", help="say nothing unless something is wrong", panel=OUTPUT)]
Verbose = Annotated[bool, option("-v", "--verbose", help="also each retry and each step", panel=OUTPUT)]
ProgressMode = Annotated[
    Progress,
    option(
        "--progress",
        help="bars on a terminal, else a line every 30 s",
        panel=OUTPUT,
        metavar="auto|bars|lines|none",
    ),
]


StartDelay = Annotated[
    str,
    option(
        "--start-delay",
        help="start at some time by chance up to 15m … later",
        panel=UNATTENDED,
        metavar="TIME",
    ),
]
MetricsFile = Annotated[
    Path | None,
    option(
        "--metrics-file",
        help="at the end, a file for Prometheus; in a folder, datafetch_NAME.prom",
        panel=UNATTENDED,
        metavar="PATH",
    ),
]
Heartbeat = Annotated[
    str,
    option(
        "--heartbeat",
        help="ask URL/start, then URL, or URL/<exit code>; best kept in $DATAFETCH_HEARTBEAT",
        panel=UNATTENDED,
        metavar="URL",
    ),
]


Prepro = Annotated[
    bool, option("--prepro", help="also make the .json and .h5 that NeuralTalk2 trains on", panel=TALK)
]
NumVal = Annotated[
    int | None, option("--num-val", help="pictures for val (default 5000)", panel=TALK, min=0, metavar="N")
]
NumTest = Annotated[
    int | None, option("--num-test", help="pictures for test (default 5000)", panel=TALK, min=0, metavar="N")
]
Threshold = Annotated[
    int | None,
    option(
        "--word-count-threshold",
        help="words that occur so often or less become UNK (default 5)",
        panel=TALK,
        min=0,
        metavar="N",
    ),
]
MaxLength = Annotated[
    int | None,
    option("--max-length", help="words a caption keeps (default 16)", panel=TALK, min=1, metavar="N"),
]


class PanelCommand(TyperCommand):
    """A command whose help shows its options in panels, and that starts without importing rich or pydantic."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [convert_plainly(param) for param in super().get_params(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                panels.setdefault(_panel_of(param), []).append(record)
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


class RecipeCommand(PanelCommand):
    """A command whose options grow by the choices of the recipe named on its command line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        recipe = _named_recipe(args, self.params, strict=not ctx.resilient_parsing)
        if recipe is not None:
            own = {
                f"--{offered.name}" for offered in recipe.options
            }  # a recipe's own --split is the one meant
            self.params = [param for param in self.params if own.isdisjoint(getattr(param, "opts", ()))]
            at = next(i for i, param in enumerate(self.params) if param.param_type_name == "option")
            self.params = [*self.params[:at], *_options_of(recipe), *self.params[at:]]
        return super().parse_args(ctx, args)


class Panels(TyperGroup):
    """Help with the commands grouped by what a person wants to do, in the order of their registration."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [convert_plainly(param) for param in super().get_params(ctx)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            panels.setdefault(str(panel), []).append((name, command.get_short_help_str(100)))
        width = max(len(name) for rows in panels.values() for name, _ in rows)
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])


def _panel_of(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return getattr(param, "rich_help_panel", None) or "Options"


def _named_recipe(args: Sequence[str], params: Iterable[Any], *, strict: bool) -> Recipe | None:
    """The recipe that a command line names; None when it names none, which the command itself will say.

    Raises RecipeError for one that breaks the language, if `strict`: completion must not.
    """
    from datafetch.recipe import registry

    words, folders = _words(args, params)
    for word in words:
        try:
            return registry.load(word, folders)
        except (UnknownName, UsageError):
            continue
        except RecipeError:
            if strict:
                raise
    return None


def _words(args: Sequence[str], params: Iterable[Any]) -> tuple[list[str], tuple[Path, ...]]:
    """The words of a command line that are no options' values, and the folders given with --registry."""
    import os

    takes_value = {
        flag for p in params if not getattr(p, "is_flag", False) for flag in getattr(p, "opts", ())
    }
    folders = [Path(f) for f in os.environ.get("DATAFETCH_REGISTRY", "").split(os.pathsep) if f]
    words, rest = [], iter(args)
    for word in rest:
        if word in takes_value and word.startswith("-"):
            value = next(rest, "")
            if word == "--registry":
                folders.append(Path(value))
        elif word.startswith("--registry="):
            folders.append(Path(word.partition("=")[2]))
        elif not word.startswith("-"):
            words.append(word)
    return words, tuple(folders)


def _options_of(recipe: Recipe) -> list[Any]:
    """The recipe's choices as options, made by typer itself from a signature, so that they behave like all others."""

    def takes(**values: object) -> None:
        """Never called: typer reads its signature."""

    parameters = [
        inspect.Parameter(
            offered.name.replace("-", "_"),
            inspect.Parameter.KEYWORD_ONLY,
            # A list, so that an option given twice is refused by name and not half ignored.
            annotation=list[str] if offered.values else bool,
            default=typer.Option(
                [] if offered.values else False,
                f"--{offered.name}",
                help=offered.help,
                metavar="|".join(offered.values) + (",…" if offered.several else "") or None,
                show_default=False,
                rich_help_panel=f"Choices of {recipe.name}",
                expose_value=False,
                callback=_keep,
                autocompletion=_values(offered.values) if offered.values else None,
                envvar=f"DATAFETCH_{offered.name.upper().replace('-', '_')}",
                show_envvar=False,
            ),
        )
        for offered in recipe.options
    ]
    takes.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    takes.__annotations__ = {p.name: p.annotation for p in parameters}
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(takes)
    return [p for p in typer.main.get_command(app).params if p.name != "help"]


def _keep(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    name = param.opts[0].removeprefix("--")
    picked = ctx.meta.setdefault(PICKED, [])
    if isinstance(value, list):
        picked.extend((name, one) for one in value)
    elif value:
        picked.append((name, "true"))
    return value


def _values(values: tuple[str, ...]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete
