"""The true host names on loopback: a CONNECT proxy that leads all of them to one TLS server, and its certificate."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from datafetch.demo.server import Answer, FaultServer
from tests.proxy import Proxy


def certify(names: Sequence[str], folder: Path) -> Path:
    """A PEM file with a key and a certificate of its own for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "datafetch test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = folder / "names.pem"
    path.write_bytes(key.private_bytes(pem, *plain) + made.public_bytes(pem))
    return path


@contextmanager
def internet(hosts: dict[str, Answer], folder: Path) -> Iterator[tuple[FaultServer, dict[str, str]]]:
    """A server that is all of `hosts` over TLS, and the variables under which a command finds it there."""

    def answer(exchange: object) -> None:
        hosts[exchange.seen.headers["host"].partition(":")[0]](exchange)  # type: ignore[attr-defined]

    pem = certify(tuple(hosts), folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with FaultServer(lambda path: answer, context) as server:
        port = int(server.url.rpartition(":")[2])
        with Proxy(("127.0.0.1", port)) as proxy:
            yield server, {"HTTPS_PROXY": f"http://{proxy.address}", "SSL_CERT_FILE": str(pem)}
