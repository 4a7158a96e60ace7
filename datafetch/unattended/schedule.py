"""A command as cron and systemd start it by themselves: lines of a crontab, and a service with its timer; pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from datafetch.errors import UsageError

LONGEST = 998  # characters of a line that every cron takes
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")  # what systemd reads as it is written
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\r": r"\r", "%": "%%"}


class Every(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"  # on Sundays


_WHEN = {  # as cron is told, and as systemd is
    Every.HOUR: ("{minute} * * * *", "*-*-* *:{minute:02}:00"),
    Every.DAY: ("{minute} {hour} * * *", "*-*-* {hour:02}:{minute:02}:00"),
    Every.WEEK: ("{minute} {hour} * * 0", "Sun *-*-* {hour:02}:{minute:02}:00"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, and when, by the clock on the wall. Paths in `command` are absolute."""

    name: str
    title: str
    command: tuple[str, ...]
    every: Every
    hour: int
    minute: int
    delay: float  # seconds; each start is by chance up to that later
    environment: Mapping[str, str]  # what of today's the command needs, no secrets
    secrets: tuple[str, ...]  # names of variables that it needs and that are not written here

    @property
    def for_cron(self) -> str:
        return _WHEN[self.every][0].format(hour=self.hour, minute=self.minute)

    @property
    def for_systemd(self) -> str:
        return _WHEN[self.every][1].format(hour=self.hour, minute=self.minute)


def parse_time(text: str) -> tuple[int, int]:
    """(hour, minute) of "3:00" or "23:59". Raises UsageError."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise UsageError(f"--at {text!r} is no time of day", "write it like 03:30")
    return int(match[1]), int(match[2])


def crontab(job: Job) -> str:
    """Lines for `crontab -e`. UsageError for an argument that crons read in different ways."""
    words = [f"{name}={value}" for name, value in job.environment.items()]
    words = [*(["/usr/bin/env", *words] if words else []), *job.command]
    if job.delay:
        words += ["--start-delay", f"{job.delay:.0f}s"]
    for word in words:
        if "\n" in word or "\r" in word or "\\" in word:
            raise UsageError(
                f"{word!r} holds a line end or a backslash, which not every cron hands on",
                "--systemd can write it",
            )
    # To cron a percent sign ends the command, in quotes too, unless a backslash stands before it.
    line = f"{job.for_cron} {shlex.join(words)}".replace("%", r"\%")
    if len(line) > LONGEST:
        raise UsageError(
            f"the line would have {len(line)} characters, and crons read {LONGEST}", "use --systemd"
        )
    about = [
        f"# {_one_line(job.title)}; datafetch says nothing while all is well, and cron mails what it says"
    ]
    if job.secrets:
        about.append(f"# above it, where only you can read it, set: {', '.join(job.secrets)}")
    return "\n".join([*about, line, ""])


def units(job: Job) -> dict[str, str]:
    """File name -> text of the service and of its timer. UsageError for what no unit file can hold."""
    return {f"datafetch-{job.name}.service": _service(job), f"datafetch-{job.name}.timer": _timer(job)}


def _service(job: Job) -> str:
    environment = [f"Environment={_quoted(f'{name}={value}')}" for name, value in job.environment.items()]
    secrets = f"# secrets go there, mode 0600: {', '.join(job.secrets)}" if job.secrets else ""
    # Where a dollar sign is meant as one, nothing is filled in.
    plain = ":" if any("$" in word for word in job.command) else ""
    lines = [
        "[Unit]",
        f"Description=datafetch: {_title(job.title)}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        *environment,
        *([secrets] if secrets else []),
        f"EnvironmentFile=-%h/.config/datafetch/{job.name}.env",
        f"ExecStart={plain}{' '.join(map(_quoted, job.command))}",
        "# SIGTERM lets it end in good order, and the next start goes on from there",
        "KillMode=mixed",
        "TimeoutStopSec=90",
        "Nice=10",
        "NoNewPrivileges=yes",
    ]
    return "\n".join([*lines, ""])


def _timer(job: Job) -> str:
    lines = [
        "[Unit]",
        f"Description=datafetch: {_title(job.title)}, every {job.every}",
        "",
        "[Timer]",
        f"OnCalendar={job.for_systemd}",
        *([f"RandomizedDelaySec={job.delay:.0f}"] if job.delay else []),
        "# what was due while the machine was off is done when it is on again",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join([*lines, ""])


def _quoted(word: str) -> str:
    """One word as systemd splits a line, with nothing in it filled in but dollar signs."""
    if _PLAIN.fullmatch(word):
        return word
    if any(not ch.isprintable() and ch not in _ESCAPES for ch in word):
        raise UsageError(f"{word!r} holds what no unit file can", "use paths and values in plain text")
    return '"' + "".join(_ESCAPES.get(ch, ch) for ch in word) + '"'


def _one_line(text: str) -> str:
    return "".join(ch if ch.isprintable() else " " for ch in text)


def _title(text: str) -> str:
    """Words that systemd shows: specifiers in them would be filled in, and a backslash at the end goes on."""
    return _one_line(text).replace("%", "%%").replace("\\", "/")


def bare(environment: Mapping[str, str], carried: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Of the variables in `carried`, those that are set and may be written down, and the names of those that may not:
    an address with a login in it is a secret.
    """
    found = {name: environment[name] for name in carried if environment.get(name)}
    secret = tuple(name for name, value in found.items() if "@" in value)
    return {name: value for name, value in found.items() if name not in secret}, secret
