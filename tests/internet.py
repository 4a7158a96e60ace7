"""The true host names on loopback: a CONNECT proxy that leads all of them to one TLS server, and its certificate."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

from datafetch.demo.server import Answer, FaultServer
from tests.proxy import Proxy


@contextmanager
def internet(hosts: dict[str, Answer], folder: Path) -> Iterator[tuple[FaultServer, dict[str, str]]]:
    """A server that is all of `hosts` over TLS, and the variables under which a command finds it there."""

    def answer(exchange: object) -> None:
        hosts[exchange.seen.headers["host"].partition(":")[0]](exchange)  # type: ignore[attr-defined]

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    pem = folder / "authority.pem"
    authority.cert_pem.write_to_path(pem)
    with FaultServer(lambda path: answer, context) as server:
        port = int(server.url.rpartition(":")[2])
        with Proxy(("127.0.0.1", port)) as proxy:
            yield server, {"HTTPS_PROXY": f"http://{proxy.address}", "SSL_CERT_FILE": str(pem)}
