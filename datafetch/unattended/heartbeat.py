"""A monitor told when a run starts and how it ends, in the manner of healthchecks.io: the address is a secret.

URL/start at the start, URL after success, URL/<exit code> after anything else. A query stays behind the path. Nothing
here fails a run or holds it up for long, and no word that comes back holds more of the address than its host.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from datafetch.errors import DatafetchError, TransferFailed, UsageError
from datafetch.model import Settings
from datafetch.transfer.addresses import clean_url, host_of
from datafetch.transfer.engine import Limits
from datafetch.transfer.http import client, open_url

START = "start"
LIMITS = Limits(connect=3.0, total=5.0, low_speed_time=5, body_bytes=1 << 20)
TRIES = 2
READ = 4096  # bytes of an answer that anybody could want to send


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One for a run. Its address is never shown, nor part of its repr."""

    _url: str
    allow_private: bool = False

    def __repr__(self) -> str:
        return "Heartbeat(***)"

    @classmethod
    def of(cls, url: str, *, allow_private: bool) -> Heartbeat:
        """UsageError, without the address, for one that cannot be asked."""
        try:
            clean_url(url)
        except TransferFailed as error:
            raise UsageError(
                f"--heartbeat is no address that can be asked ({error.why})",
                "write it like https://hc-ping.com/<uuid>, best in DATAFETCH_HEARTBEAT",
            ) from None
        return cls(url, allow_private)

    def started(self) -> str:
        """Says that a run begins. What comes back is why the monitor was not reached; empty when it was."""
        return self._tell(START)

    def ended(self, exit_code: int) -> str:
        """Says how it ended. As `started`."""
        return self._tell(str(exit_code) if exit_code else "")

    def _tell(self, word: str) -> str:
        try:
            return asyncio.run(self._ask(_at(self._url, word)))
        except DatafetchError as error:
            return _plain(error, self._url)

    async def _ask(self, url: str) -> str:
        settings = Settings(root="", allow_private=self.allow_private)
        told = ""
        async with client(settings, LIMITS) as http:
            for _ in range(TRIES):
                try:
                    async with open_url(http, url, limits=LIMITS) as answer:
                        await answer.start(READ)
                        if answer.status < 300:
                            return ""
                        told = f"{host_of(self._url)} answered {answer.status}"
                        if answer.status < 500 and answer.status != 429:
                            return told
                except TransferFailed as error:
                    told = _plain(error, self._url)
        return told


def _at(url: str, word: str) -> str:
    """The address for one word; empty is the address itself."""
    if not word:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{word}", fragment=""))


def _plain(error: DatafetchError, url: str) -> str:
    """What went wrong, in our own words: those of a server or a library may repeat the address."""
    why = error.why if isinstance(error, TransferFailed) else type(error).__name__
    return f"{host_of(url)}: {why}"
