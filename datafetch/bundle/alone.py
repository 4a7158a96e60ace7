"""What of the environment would lead a run past the bundle, kept out of its way while it lasts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from datafetch.bundle.server import LOOPBACK

# Other endpoints and regions make other addresses, under which a bundle keeps nothing.
_ENDPOINTS = ("HF_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")


@contextmanager
def without_proxy() -> Iterator[None]:
    """The bundle on this machine is asked directly, whatever proxy stands before all others."""
    said = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    with _set({"no_proxy": f"{said},{LOOPBACK}".lstrip(",")}):
        yield


@contextmanager
def without_endpoints() -> Iterator[None]:
    """Nobody but the bundle is asked, at the addresses that it was made by."""
    with without_proxy(), _set(dict.fromkeys(_ENDPOINTS)):
        yield


@contextmanager
def _set(wanted: Mapping[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    try:
        _take(wanted)
        yield
    finally:
        _take(before)


def _take(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
