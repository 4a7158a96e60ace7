"""Pure rules about addresses: which may be dialled, which belong together, how one is shown safely."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit

from datafetch.errors import TransferFailed
from datafetch.model import Why

IPv4 = ipaddress.IPv4Address
IPv6 = ipaddress.IPv6Address

# What RFC 6890 and its successors keep from the public internet, and the metadata services of clouds.
_CLOSED_V4 = tuple(
    ipaddress.IPv4Network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and Alibaba's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent, a public number that only answers from inside
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    ipaddress.IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "3fff::/20", "2620:4f:8000::/48")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# One way only to read an authority, so that no two parsers can disagree about who is asked.
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::([0-9]{1,5}))?\Z")
# Addresses that are clean as they are, but for their authority: most of a list, read at a tenth of the cost.
_CLEAN = re.compile(
    r"(https?://)([^/?#@\[\]]+)(/[A-Za-z0-9/%:@!$&'()*+,;=~._-]*(?:\?[A-Za-z0-9/%:@!$&'()*+,;=~._?-]+)?)"
)
_HOST = re.compile(r"https?://([a-z0-9.:-]+)[/?]")  # as most addresses have it
_NUMBER = re.compile(r"[0-9a-fx.]+")  # all that an IPv4 address can be spelled with
_SECRET = re.compile(
    r"(?i)([?&;](?:[^=&;]*(?:token|secret|signature|passw|credential|session|api_?key|access_?key)[^=&;]*"
    r"|x-(?:amz|goog)-[^=&;]*|key|key-pair-id|policy|sig|jwt|pwd|auth|authorization)=)[^&;#]*"
)
_HIGH = re.compile(r"[\x80-\xff]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """True for an address of the public internet. Whatever cannot be read as an address is not public."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv4):
        return not any(ip in net for net in _CLOSED_V4)
    inner = _embedded_v4(ip)
    if inner is not None:
        return is_public(str(inner))
    return ip in _GLOBAL_V6 and not any(ip in net for net in _CLOSED_V6)


def _embedded_v4(ip: IPv6) -> IPv4 | None:
    """The IPv4 address that a mapped, 6to4 or NAT64 address leads to."""
    if ip in _NAT64:
        return IPv4(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour


@lru_cache(maxsize=4096)
def literal(host: str) -> str | None:
    """The address that `host` spells, in every spelling that a C library takes; None for a name."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    if not _NUMBER.fullmatch(name):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except OSError:
        return None


def clean_url(url: str) -> str:
    """`url` as it goes to the wire: ASCII, lower-case host, no fragment. May be applied twice.

    Raises TransferFailed: BAD_URL when it cannot be read, REFUSED for another scheme or credentials in it.
    """
    match = _CLEAN.fullmatch(url)
    if match is not None and (plain := _plain_netloc(match[2])):
        return match[1] + plain + match[3]
    if (
        not url.isascii() and (readable := url.encode(errors="replace").decode()) != url
    ):  # as JSON may have it
        raise TransferFailed(Why.BAD_URL, "the address holds what is no character", safe_url(readable))
    if any(ch < " " or ch == "\x7f" or ch == "\\" for ch in url.strip()):
        raise TransferFailed(
            Why.BAD_URL, "the address holds control characters or backslashes", safe_url(url)
        )
    try:
        parts = urlsplit(url.strip())
    except ValueError as error:
        raise TransferFailed(Why.BAD_URL, f"the address cannot be read: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS:
        shown = parts.scheme or "an address without a scheme"
        raise TransferFailed(Why.REFUSED, f"only http and https are fetched, not {shown}", safe_url(url))
    if "@" in parts.netloc:
        hint = "put user and password into ~/.netrc"
        raise TransferFailed(Why.REFUSED, "the address holds credentials", safe_url(url), hint)
    netloc = _ascii_netloc(parts.netloc, url)
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/"
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return f"{parts.scheme}://{netloc}{path}" + (f"?{query}" if query else "")


@lru_cache(maxsize=4096)
def _plain_netloc(netloc: str) -> str:
    """Host and port as they go to the wire; empty when they need a second look."""
    try:
        return _ascii_netloc(netloc, "") if netloc.isascii() else ""
    except TransferFailed:
        return ""


def _ascii_netloc(netloc: str, url: str) -> str:
    host, port = netloc.lower(), ""
    try:
        if not host.isascii():
            host, _, port = host.partition(":")
            host = host.encode("idna").decode("ascii") + (f":{port}" if port else "")
    except UnicodeError:
        host = ""
    match = _AUTHORITY.match(host)
    if match is None or int(match[2] or 1) > 65535:
        raise TransferFailed(Why.BAD_URL, "the address names no host that can be asked", safe_url(url))
    # A number in another spelling goes on in the usual one: no parser below us reads it as a name, or refuses it.
    number = literal(match[1]) if _NUMBER.fullmatch(match[1]) else None
    return host if number is None else number + (f":{match[2]}" if match[2] else "")


def origin(url: str) -> str:
    """`scheme://host:port` of a URL, always with its port: what secrets and permissions are bound to.

    What is no address is an origin of its own.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return url
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def host_of(url: str) -> str:
    """The bare lower-case host of a URL; empty when it has none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def shown_host(url: str) -> str:
    """Host and port as a person reads them; what transfers to one server have in common."""
    if match := _HOST.match(url):
        return match[1]
    return safe_url(url).partition("://")[2].partition("/")[0].partition("?")[0].lower()


def safe_url(url: str) -> str:
    """`url` without user, password, fragment and the values of queries that may be secrets; never raises."""
    head, scheme, rest = url.partition("://")
    if not scheme:
        head, rest = "", url
    rest = rest.partition("#")[0]
    end = min((at for at in (rest.find(mark) for mark in "/?") if at >= 0), default=len(rest))
    netloc = rest[:end].rpartition("@")[2]
    return _SECRET.sub(r"\1***", f"{head}{scheme}{netloc}{rest[end:]}")


def redirected(url: str, location: str) -> str:
    """Where a redirect leads; in `location` a character is a byte of the header.

    Raises TransferFailed: REFUSED for another scheme and for https to http, BAD_ANSWER or BAD_URL for no address.
    """
    try:
        target = clean_url(urljoin(url, _HIGH.sub(lambda high: f"%{ord(high[0]):02X}", location.strip())))
    except ValueError:
        raise TransferFailed(
            Why.BAD_ANSWER, "the server redirects to what is no address", safe_url(url)
        ) from None
    if url.startswith("https:") and target.startswith("http:"):
        raise TransferFailed(Why.REFUSED, "the server redirects from https to http", safe_url(url))
    return target


def mirrored(url: str, mirror: str) -> str:
    """Where a mirror keeps what `url` names: MIRROR/host/path?query, without user and fragment."""
    inner = url.partition("#")[0].partition("://")[2]
    if "@" in url and "@" in inner.split("/")[0]:
        inner = inner.rpartition("@")[2]
    return f"{mirror.rstrip('/')}/{inner}"


def unmirrored(url: str, mirrors: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Whose `url` may be: (mirror, the address it keeps there), and last (empty, `url` itself)."""
    bases = [mirror.rstrip("/") for mirror in mirrors]
    kept = [(base, f"https://{url[len(base) + 1 :]}") for base in bases if url.startswith(f"{base}/")]
    return (*((base, inner) for base, inner in kept if host_of(inner)), ("", url))


def candidates(urls: Sequence[str], mirrors: Iterable[str], mirror_only: bool = False) -> tuple[str, ...]:
    """What to try in order: each URL first at each mirror, as MIRROR/host/path?query, then at its origin."""
    bases = tuple(mirrors)
    found: list[str] = []
    for url in urls:
        found += (mirrored(url, base) for base in bases)
        if not (mirror_only and bases):
            found.append(url)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may be dialled: the public internet, the user's mirrors wherever they are, and all when allowed."""

    allow_private: bool = False
    mirrors: frozenset[str] = frozenset()  # origins

    @classmethod
    def of(cls, mirrors: Iterable[str], allow_private: bool) -> Policy:
        return cls(allow_private, frozenset(origin(clean_url(mirror)) for mirror in mirrors))

    def permits_private(self, url: str) -> bool:
        return self.allow_private or (bool(self.mirrors) and origin(url) in self.mirrors)
