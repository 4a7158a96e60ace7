"""How a run asks for files, as its settings have it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from datafetch.model import Event, Settings
from datafetch.store.held import Held
from datafetch.transfer.hosts import Hosts
from datafetch.transfer.providers.known import providers
from datafetch.transfer.retry import Patience
from datafetch.transfer.wanted import Ways
from datafetch.transfer.widen import Width

if TYPE_CHECKING:
    import httpx2


def ways_of(
    settings: Settings, http: httpx2.AsyncClient, emit: Callable[[Event], None], held: Held | None = None
) -> Ways:
    """One for all transfers of a run. Raises UsageError for variables that name a provider wrongly."""
    return Ways(
        http,
        Hosts(settings.max_per_host),
        emit,
        settings.mirrors,
        settings.mirror_only,
        Patience().insisting(settings.retries).at_rate(settings.limit_rate),
        width=Width(min(settings.connections, settings.max_per_host)),
        jobs=asyncio.Semaphore(settings.jobs),
        providers=providers(os.environ),
        held=held or Held(),
    )
