"""What a provider is, and what it asks with: the border between transfers and those who keep files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import httpx2

from datafetch.transfer.addresses import mirrored, origin
from datafetch.transfer.engine import Limits
from datafetch.transfer.http import Answer, Follow, open_url

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """One request's way: to the provider's own hosts, or to a mirror that keeps `host/path` of all of them."""

    http: httpx2.AsyncClient
    note: Callable[[str], None]  # tells the user something that is no failure
    mirror: str = ""
    never: frozenset[str] = frozenset()
    limits: Limits | None = None

    def at(self, url: str) -> str:
        """Where an address of the provider is asked for; one of the mirror itself stays as it is."""
        if not self.mirror or origin(url) == origin(self.mirror):
            return url
        return mirrored(url, self.mirror)

    def open(
        self, url: str, headers: Headers = (), secrets: Headers = (), follow: Follow | None = None
    ) -> AbstractAsyncContextManager[Answer]:
        """The answer; `secrets` go to the origin of `url` and to no mirror. Raises TransferFailed."""
        kept = () if self.mirror else secrets
        never, limits = self.never, self.limits
        return open_url(
            self.http, self.at(url), headers, secrets=kept, never=never, limits=limits, follow=follow
        )


class Provider(Protocol):
    """Who keeps files under addresses of its own kind.

    It lives as long as a run and may remember what it learnt. `open` may be called by many tasks at once.
    """

    def address(self, url: str) -> str | None:
        """The https address of one of its scheme; None for all others.

        Raises TransferFailed BAD_URL, and UsageError when a variable that names the provider cannot be used.
        """

    def answers_at(self, url: str) -> bool:
        """Whether it is who answers at this http or https address."""

    def open(self, asking: Asking, url: str, headers: Headers) -> AbstractAsyncContextManager[Answer]:
        """The answer to GET `url`, as `open_url` gives it, with what the provider promises of the file.

        Raises TransferFailed in its own words for what it refuses; never sends anyone else a secret.
        """
