"""Failures of a transfer in words that name the host, hold no secret and say what to do."""

from __future__ import annotations

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.transfer.addresses import host_of, safe_url, shown_host
from datafetch.transfer.curl import Fault


class Throttled(TransferFailed):
    """A failure whose answer says in how many seconds the server wants to be asked again."""

    seconds: float | None = None


class Replaced(TransferFailed):
    """The address has another file than the one that is wanted: to ask it again would not change that."""


class Wrong(TransferFailed):
    """A whole file came that is not the one that is wanted; what it is instead."""

    sha256: str = ""


def failed(why: Why, url: str, text: str, seconds: float | None = None, hint: str = "") -> TransferFailed:
    """The failure of one address, in words that name its host and hold no secret."""
    words, hint = f"{shown_host(url)}: {text}", hint or _HINTS.get(why, "")
    if seconds is None:
        return TransferFailed(why, words, safe_url(url), hint)
    throttled = Throttled(why, words, safe_url(url), hint)
    throttled.seconds = seconds
    return throttled


def wrong(url: str, text: str, sha256: str) -> Wrong:
    """The file that came from an address has not the checksum it should."""
    found = Wrong(Why.CHECKSUM, f"{shown_host(url)}: {text}", safe_url(url), _HINTS[Why.CHECKSUM])
    found.sha256 = sha256
    return found


def refusal(url: str, text: str) -> TransferFailed:
    """Our own policy forbids to ask `url`."""
    return TransferFailed(Why.REFUSED, f"{host_of(url)}: {text}", safe_url(url), NETWORK_HINTS[Why.REFUSED])


def broken(fault: Fault, url: str) -> TransferFailed:
    """What the engine met on the way to `url`."""
    return network_failure(fault.why, str(fault), url)


def network_failure(why: Why, text: str, url: str) -> TransferFailed:
    """No answer came from `url`, or not all of it."""
    host = host_of(url)
    return TransferFailed(why, f"{host}: {text}" if host else text, safe_url(url), NETWORK_HINTS.get(why, ""))


NETWORK_HINTS = {
    Why.REFUSED: "--allow-private permits private addresses, --mirror URL permits that server",
    Why.TLS: "SSL_CERT_FILE names a file of trusted certificates, in place of the usual ones",
    Why.DNS: "check the connection to the internet, or name a --mirror",
}
_LATER = "run the same command later: what is here is kept"
_HINTS = {
    Why.FORBIDDEN: "the server wants a login or blocks this network: try later, or bring it with --from",
    Why.HTML: "open the address in a browser to see what it asks for; --from DIR takes a file you bring",
    Why.QUOTA: "try again in 24 hours, or bring the file with --from DIR",
    Why.GONE: "another copy can be named with --mirror URL, or brought with --from DIR",
    Why.CHECKSUM: "the server's copy is damaged or another one: try later, or name a --mirror",
    Why.SERVER_ERROR: _LATER,
    Why.THROTTLED: _LATER,
    Why.CONNECTION: _LATER,
    Why.TIMEOUT: _LATER,
    Why.TOO_SLOW: _LATER,
    Why.SHORT: _LATER,
}
