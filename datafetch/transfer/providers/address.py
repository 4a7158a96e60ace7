"""Addresses of the further schemes, as transfers read them."""

from __future__ import annotations

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.schemes import Address, read
from datafetch.transfer.addresses import safe_url


def parsed(url: str) -> Address | None:
    """What an address names; None when it is plain http. Raises TransferFailed BAD_URL."""
    try:
        return read(url)
    except ValueError as error:
        raise TransferFailed(Why.BAD_URL, f"{safe_url(url)}: {error}", safe_url(url)) from None
