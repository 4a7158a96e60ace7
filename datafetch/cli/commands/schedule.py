"""`schedule`: what cron or systemd needs to run `get` by itself."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datafetch.cli.app import GET, app, recipe_of, to_have
from datafetch.cli.choices import PICKED, RecipeCommand
from datafetch.cli.options.declare import onto, taken
from datafetch.cli.options.limits import Budget
from datafetch.cli.options.unattended import Unattended
from datafetch.cli.options.units import parse_duration
from datafetch.cli.options.what import Name, Part
from datafetch.cli.options.where import Brought, Mirrors
from datafetch.cli.output import say, write
from datafetch.errors import UsageError

if TYPE_CHECKING:
    from datafetch.model import Recipe
    from datafetch.unattended.schedule import Job

WHEN = "When"
_GIVEN = "datafetch.given"  # where the values of get's options wait in the context
# Of get's options, those that make no sense in a timer, and those that are said in another way there.
_LEFT_OUT = frozenset(("dry_run", "as_json", "quiet", "verbose", "progress", "name"))
_SECRET = "heartbeat"
_PATHS = frozenset(("output_dir", "registry", "from_dir", "metrics_file"))
DELAY = "15m"  # so that a crowd of machines does not ask in the same second
# What of today's environment a run depends on.
_CARRIED = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "HF_ENDPOINT", "NETRC", "PYTHONPATH"),
    *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
)
_SECRETS = (
    *("DATAFETCH_HEARTBEAT", "HF_TOKEN"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)


class ScheduleCommand(RecipeCommand):
    """A command that takes what `get` takes, besides its own options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {flag for param in self.params for flag in getattr(param, "opts", ())}
        command = typer.main.get_command(app).commands["get"]  # type: ignore[attr-defined]
        for param in command.params:
            if param.name not in _LEFT_OUT and own.isdisjoint(param.opts):
                param.expose_value, param.callback = False, _keep
                self.params = [*self.params, param]
        return super().parse_args(ctx, args)


def _keep(ctx: typer.Context, param: Any, value: Any) -> Any:
    ctx.meta.setdefault(_GIVEN, {})[param.name] = (param, value)
    return value


@app.command("schedule", cls=ScheduleCommand, rich_help_panel=GET)
def schedule_command(
    ctx: typer.Context,
    name: Name,
    cron: Annotated[bool, typer.Option("--cron", help="a line for crontab -e", rich_help_panel=WHEN)] = False,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="a service and its timer", rich_help_panel=WHEN)
    ] = False,
    hourly: Annotated[bool, typer.Option("--hourly", help="every hour", rich_help_panel=WHEN)] = False,
    daily: Annotated[bool, typer.Option("--daily", help="every day, as usual", rich_help_panel=WHEN)] = False,
    weekly: Annotated[bool, typer.Option("--weekly", help="on Sundays", rich_help_panel=WHEN)] = False,
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="HH:MM", help="when, by the local clock (default 03:00)", rich_help_panel=WHEN
        ),
    ] = "03:00",
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON document on stdout", rich_help_panel=WHEN)
    ] = False,
) -> int:
    """What cron or systemd needs to run `get` by itself."""
    from datafetch.unattended.schedule import Every, crontab, parse_time, units

    if cron == systemd:
        raise UsageError("--cron or --systemd: who is to start it?", "give one of them")
    if hourly + daily + weekly > 1:
        raise UsageError("--hourly, --daily and --weekly do not go together", "give one of them")
    every = Every.HOUR if hourly else Every.WEEK if weekly else Every.DAY
    given = {key: value for key, (_, value) in ctx.meta.get(_GIVEN, {}).items()}
    recipe = recipe_of(name, given["registry"], given["output_dir"])
    _check(ctx, recipe, given)
    job = _job(ctx, recipe, given, every, parse_time(at), systemd=systemd)
    files = units(job) if systemd else {"crontab": crontab(job)}
    if as_json:
        say(json.dumps({"dataset": recipe.name, "command": job.command, "files": files}, ensure_ascii=False))
    elif systemd:
        write(_with_paths(job, files))
    else:
        write(files["crontab"])
    return 0


def _check(ctx: typer.Context, recipe: Recipe, given: Mapping[str, Any]) -> None:
    """What `get` would refuse, better now than at night. Raises UsageError, UnknownName."""
    from datafetch.model import Own, Settings
    from datafetch.plan.choose import choose

    if any(isinstance(artifact.source, Own) for artifact in recipe.artifacts):
        raise UsageError(f"{recipe.name} is made of files of your own, not fetched", to_have(recipe))
    if not recipe.members:
        choose(recipe, taken(Part, given).choice(ctx))
    groups = taken(Mirrors, given), taken(Brought, given), taken(Budget, given)
    settings = onto(Settings(root=""), *groups)
    taken(Unattended, given).wishes(recipe.name, settings)


def _job(
    ctx: typer.Context,
    recipe: Recipe,
    given: Mapping[str, Any],
    every: Any,
    when: tuple[int, int],
    *,
    systemd: bool,
) -> Job:
    from datafetch.unattended.schedule import Job, bare

    environment, with_login = bare(os.environ, _CARRIED)
    if "PYTHONPATH" in environment:
        environment["PYTHONPATH"] = os.pathsep.join(
            map(os.path.abspath, environment["PYTHONPATH"].split(os.pathsep))
        )
    secrets = [key for key in _SECRETS if os.environ.get(key) or (given[_SECRET] and "HEARTBEAT" in key)]
    # Nothing is imported from the folder that it is started in.
    command = [sys.executable, "-P", "-m", "datafetch", "get", recipe.name, *_choices(ctx), *_options(ctx)]
    return Job(
        recipe.name,
        f"get {recipe.name}",
        (*command, "-q"),
        every,
        *when,
        parse_duration(given["start_delay"] or DELAY),
        environment,
        (*secrets, *with_login),
    )


def _choices(ctx: typer.Context) -> Iterator[str]:
    for name, value in ctx.meta.get(PICKED, ()):
        yield f"--{name}"
        if value != "true":
            yield value


def _options(ctx: typer.Context) -> Iterator[str]:
    """The options that were given, here or in the environment, which a timer has not; paths absolute."""
    for key, (param, value) in ctx.meta[_GIVEN].items():
        if key in (_SECRET, "start_delay") or value in (None, "", False, []):
            continue
        if value == param.default and key != "output_dir":
            continue
        for one in value if isinstance(value, list) else [value]:
            yield param.opts[-1]
            if isinstance(one, StrEnum):
                yield one.value
            elif key in _PATHS:
                yield os.path.abspath(one)
            elif one is not True:
                yield str(one)


def _with_paths(job: Job, files: Mapping[str, str]) -> str:
    """Both units as one text, each below the name of its file."""
    folder = Path("~/.config/systemd/user")
    parts = [f"# {folder / name}\n{text}" for name, text in files.items()]
    end = (
        f"# then: systemctl --user daemon-reload && systemctl --user enable --now datafetch-{job.name}.timer\n"
        "# and, to have it run while you are logged out: loginctl enable-linger\n"
    )
    return "\n".join([*parts, end])
