"""What one transfer is asked to bring, and what all transfers of a run share."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from datafetch.errors import TransferFailed
from datafetch.identity import identity
from datafetch.model import Checksum, Event, Fetched
from datafetch.store.held import Held
from datafetch.store.journal import Upstream
from datafetch.transfer.addresses import candidates, clean_url, origin, unmirrored
from datafetch.transfer.asking import Asking, Headers, Provider
from datafetch.transfer.engine import Limits
from datafetch.transfer.hosts import Hosts
from datafetch.transfer.http import Answer, open_url
from datafetch.transfer.retry import Patience
from datafetch.transfer.widen import Width


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to fetch and where it goes. Paths lie in the state folder of the dataset."""

    name: str  # what events call it
    urls: tuple[str, ...]  # the origin first, then mirrors of the recipe
    part: Path
    target: Path
    path: str  # `target` as the journal says it
    size: int | None = None
    checksums: tuple[Checksum, ...] = ()
    known_sha256: str = ""  # from an earlier run; a file that differs from it is refused
    version: Upstream | None = None  # what the origin said of the file that a lock file holds this one to
    archive: bool = False  # then no text is taken for it
    end_proves: bool = False  # the caller reads it to an end that proves it whole, as an archive's does

    def fits(self, fetched: Fetched) -> bool:
        """Whether a file of an earlier run is the one wanted now."""
        if self.known_sha256 and fetched.sha256 != self.known_sha256:
            return False
        here = self.checksums or fetched.address in map(identity, self.urls)
        return bool(here) and fetched.satisfies(self.size, self.checksums)

    @property
    def proven(self) -> bool:
        """Whether a digest of the whole file is known, so that a wrong join of parts cannot go unseen."""
        return bool(self.checksums or self.known_sha256)


@dataclass(frozen=True, slots=True)
class Ways:
    """How files are asked for: the same for all of a run."""

    http: httpx2.AsyncClient
    hosts: Hosts
    emit: Callable[[Event], None]
    mirrors: tuple[str, ...] = ()
    mirror_only: bool = False
    patience: Patience = field(default_factory=Patience)
    limits: Limits | None = None
    width: Width = field(default_factory=Width)
    chance: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    jobs: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))  # files at once
    providers: tuple[Provider, ...] = ()
    held: Held = field(default_factory=Held)  # what the dataset takes on disk

    def addresses(self, wanted: Wanted) -> tuple[str, ...]:
        """What to ask for in order, all of it http or https as far as a provider knows the scheme."""
        return candidates(self._origins(wanted), self.mirrors, self.mirror_only)

    def identities(self, wanted: Wanted) -> frozenset[str]:
        """Of all of `addresses` that can be asked."""
        found = []
        for url in self.addresses(wanted):
            with suppress(TransferFailed):  # whoever asks there is told
                found.append(identity(clean_url(url)))
        return frozenset(found)

    def origin(self, wanted: Wanted) -> frozenset[str]:
        """The identity of the first address, which the recipe calls the origin; none when it cannot be asked."""
        with suppress(TransferFailed):
            return frozenset(identity(clean_url(url)) for url in self._origins(wanted)[:1])
        return frozenset()

    def _origins(self, wanted: Wanted) -> tuple[str, ...]:
        return tuple(
            next((found for one in self.providers if (found := one.address(url)) is not None), url)
            for url in wanted.urls
        )

    def never(self, wanted: Wanted) -> frozenset[str]:
        """Origins that no redirect may lead to."""
        only = self.mirror_only and self.mirrors
        return frozenset(map(origin, self._origins(wanted))) if only else frozenset()

    def provided(self, url: str) -> bool:
        """Whether `url`, one of `addresses`, is answered by a provider, whose files are asked for by GET only."""
        inner = [inner for _, inner in unmirrored(url, self.mirrors)]
        return any(provider.answers_at(one) for one in inner for provider in self.providers)

    @asynccontextmanager
    async def head(self, wanted: Wanted, url: str, headers: Headers = ()) -> AsyncIterator[Answer]:
        """The answer to HEAD `url`, which no provider answers. Raises TransferFailed."""
        never, limits = self.never(wanted), self.limits
        async with open_url(self.http, url, headers, never=never, limits=limits, method="HEAD") as answer:
            yield answer

    @asynccontextmanager
    async def open(self, wanted: Wanted, url: str, headers: Headers = ()) -> AsyncIterator[Answer]:
        """The answer to GET `url`, one of `addresses`, by the provider whose it is. Raises TransferFailed."""
        never, limits = self.never(wanted), self.limits
        for mirror, inner in unmirrored(url, self.mirrors):
            for provider in self.providers:
                if provider.answers_at(inner):
                    asking = Asking(self.http, self._noting(wanted), mirror, never, limits)
                    async with provider.open(asking, inner, headers) as answer:
                        yield answer
                    return
        async with open_url(self.http, url, headers, never=never, limits=limits) as answer:
            yield answer

    def _noting(self, wanted: Wanted) -> Callable[[str], None]:
        return lambda text: self.emit(Event("note", wanted.name, text=text))
