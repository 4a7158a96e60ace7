"""robots.txt by RFC 9309: what of a host may be asked; pure but for `Robots`, which asks each host once.

Every host of a list is asked before its first row: one small request each, which a host that forbids robots is
owed also by a list that names one picture of it. One that gives no answer, however often it is asked, forbids
nothing: the RFC wants a crawler to stay away then, but these addresses were named one by one.

The library's own parser takes the first rule that fits and knows no `*`; the RFC wants the longest, so this one is
ours.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx2

from datafetch.errors import TransferFailed
from datafetch.transfer.addresses import shown_host
from datafetch.transfer.courtesy import Courtesy
from datafetch.transfer.curl import Limits
from datafetch.transfer.http import open_url
from datafetch.transfer.optout import AGENT
from datafetch.transfer.told import told

LARGEST = 512 << 10  # bytes that are read; the RFC asks for 500 KiB at the least
SECONDS = 20.0  # for one such file
TRIES = 3  # where the host is busy; who asks waits for his turn there
HOSTS = 20_000  # whose rules are remembered at a time
_SAFE = "/%?=&+:;,@!$'()*~-._"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one host for us: pattern and whether it allows."""

    rules: tuple[tuple[str, bool], ...] = ()

    def allow(self, url: str) -> bool:
        """The longest rule that fits decides, the kinder of two as long; without any, all is allowed."""
        if not self.rules:
            return True
        parts = urlsplit(url)
        path = quote(parts.path or "/", _SAFE) + (f"?{quote(parts.query, _SAFE)}" if parts.query else "")
        if path == "/robots.txt":
            return True
        fitting = [(len(pattern), allows) for pattern, allows in self.rules if _fits(pattern, path)]
        return max(fitting, default=(0, True))[1]


def parse(text: str, agent: str = AGENT) -> Rules:
    """The rules of the groups that name us, or else of those for everybody. Lines that make no sense are skipped."""
    groups: dict[str, list[tuple[str, bool]]] = {}
    names: list[str] = []
    heading = False  # whether the line before named a robot, too
    for line in text.removeprefix("\ufeff").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            names = [*(names if heading else ()), value.lower()]
            groups.setdefault(value.lower(), [])
            heading = True
        elif key in ("allow", "disallow"):
            heading = False
            for name in names if value else ():
                groups[name].append((quote(value, _SAFE), key == "allow"))
    return Rules(tuple(groups.get(agent, groups.get("*", ()))))


def _fits(pattern: str, path: str) -> bool:
    """Whether a path begins as the pattern says; `*` is anything, a `$` at the end is the end."""
    ends = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for index, piece in enumerate(rest):
        if ends and index == len(rest) - 1:
            return len(path) - len(piece) >= at and path.endswith(piece)
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return not ends or at == len(path)


# Status and body of GET url, by all the rules of any request. Raises TransferFailed.
Get = Callable[[str], Awaitable[tuple[int, bytes]]]


def asking(http: httpx2.AsyncClient, courtesy: Courtesy) -> Get:
    """A Get that takes its turn at the host."""

    async def get(url: str) -> tuple[int, bytes]:
        limits = Limits(total=SECONDS)
        async with (
            courtesy.turn(shown_host(url)) as turn,
            open_url(http, url, limits=limits) as answer,
        ):
            turn.heard(told(answer.status, answer.headers))
            return answer.status, await answer.start(LARGEST)

    return get


class Robots:
    """One for a run."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._known: OrderedDict[str, asyncio.Task[Rules]] = OrderedDict()

    def rules(self, url: str) -> asyncio.Task[Rules]:
        """The rules for `url`: asked for once, and done when they are known. A host without the file, or that never
        says, forbids nothing.
        """
        end = url.find("/", url.find("://") + 3)
        home = (url if end < 0 else url[:end]).partition("?")[0]
        task = self._known.get(home)
        if task is None:
            parts = urlsplit(url)
            at = f"{parts.scheme}://{parts.netloc}/robots.txt"
            task = self._known[home] = asyncio.create_task(self._rules(at))
            if len(self._known) > HOSTS:
                self._known.popitem(last=False)
        self._known.move_to_end(home)
        return task

    async def _rules(self, url: str) -> Rules:
        for _ in range(TRIES):
            try:
                status, body = await self._get(url)
            except TransferFailed:
                break
            if status == 200:
                return parse(body[:LARGEST].decode("utf-8", "replace"))
            if status not in (420, 429) and status < 500:
                break
        return Rules()
