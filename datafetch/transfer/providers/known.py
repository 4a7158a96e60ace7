"""All who keep files under addresses of their own."""

from __future__ import annotations

from collections.abc import Mapping

from datafetch.transfer.asking import Provider
from datafetch.transfer.providers.drive import Drive
from datafetch.transfer.providers.hub import Hub
from datafetch.transfer.providers.s3 import S3


def providers(environment: Mapping[str, str]) -> tuple[Provider, ...]:
    """The providers of one run, as the environment variables have them."""
    return (Hub.of(environment), S3.of(environment), Drive())
