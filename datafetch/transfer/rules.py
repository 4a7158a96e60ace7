"""What holds for every request, whoever makes it: who may be asked, with which login, and where redirects lead."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from datafetch import __version__
from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.transfer.addresses import Policy, host_of, is_public, literal, origin, safe_url
from datafetch.transfer.curl import Ask, Limits
from datafetch.transfer.environment import Environment
from datafetch.transfer.failures import refusal

USER_AGENT = f"datafetch/{__version__}"
MAX_REDIRECTS = 10
REDIRECTS = frozenset((301, 302, 303, 307, 308))
DISCARD = 64 << 10  # a longer unwanted body costs more than a new connection


def asked(
    url: str,
    policy: Policy,
    environment: Environment,
    limits: Limits,
    headers: tuple[str, ...] = (),
    method: str = "GET",
    body: bytes = b"",
    *,
    login: bool = True,
) -> Ask:
    """The request for a clean `url`, with the user's own login for that host unless told otherwise.

    Raises TransferFailed(REFUSED) for the address of a private machine. A name that leads to one is refused
    when it is dialled.
    """
    host = host_of(url)
    private = policy.permits_private(url)
    dialled = literal(host)
    if dialled is not None and not private and not is_public(dialled):
        # Also when a proxy would dial it: then no socket of ours ever sees the address.
        raise refusal(url, f"{dialled} is a private address")
    return Ask(
        url,
        headers,
        method,
        body,
        permit_private=private,
        proxy=environment.proxy_for(url),
        login=environment.logins.get(host, "") if login else "",
        limits=limits,
    )


def check_headers(headers: Iterable[tuple[str, str]], url: str) -> None:
    """Raises TransferFailed(REFUSED) for a header that would not reach `url` as it is, or would be two."""
    for name, value in headers:
        if not (value.isascii() and value.isprintable()):
            text = f"{host_of(url)}: the header {name} would hold more than visible ASCII"  # maybe a secret
            raise TransferFailed(Why.REFUSED, text, safe_url(url))


def check_never(target: str, never: Collection[str]) -> None:
    """Raises TransferFailed(REFUSED) when `target` is of an origin that must not be asked."""
    if never and origin(target) in never:
        raise refusal(target, "the mirror redirects to the origin, which must not be asked")


def too_many(url: str) -> TransferFailed:
    """The failure of an address whose redirects do not end."""
    text = f"{host_of(url)}: more than {MAX_REDIRECTS} redirects"
    return TransferFailed(
        Why.REFUSED, text, safe_url(url), "open the address in a browser to see where it leads"
    )
