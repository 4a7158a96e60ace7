"""What the environment says about the network: proxies, logins and the certificates to trust."""

from __future__ import annotations

import netrc
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

import certifi

from datafetch.transfer.engine import Trust


@dataclass(frozen=True, slots=True)
class Environment:
    """Read once a run."""

    proxies: Mapping[str, str]
    logins: Mapping[str, str]  # host -> "user:password"; the nameless default of a netrc is for no one
    trust: Trust

    @classmethod
    def read(cls) -> Environment:
        return cls(urllib.request.getproxies(), _logins(), _trust())

    def proxy_for(self, url: str) -> str:
        """The proxy for `url`, empty for none."""
        scheme, _, rest = url.partition("://")
        found = self.proxies.get(scheme) or self.proxies.get("all") or ""
        netloc = rest.partition("/")[0].partition("?")[0]
        if found and urllib.request.proxy_bypass(netloc):
            return ""
        return found


def _logins() -> Mapping[str, str]:
    path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    try:
        hosts = netrc.netrc(path).hosts
    except (OSError, netrc.NetrcParseError, UnicodeError):
        return {}  # optional: a file that cannot be read must not stop a public download
    return {
        host.lower(): f"{login}:{password}"
        for host, (login, _, password) in hosts.items()
        if host != "default"
    }


def _trust() -> Trust:
    file, folder = os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", "")
    return Trust(file, folder) if file or folder else Trust(certifi.where())
