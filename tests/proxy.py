"""The true host names on loopback: a CONNECT proxy that leads all of them to one TLS server, and its certificate."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from datafetch.demo.server import Answer, FaultServer


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
    with FaultServer(lambda path: answer, context) as server, _proxy(server) as address:
        yield server, {"HTTPS_PROXY": address, "SSL_CERT_FILE": str(pem)}


@contextmanager
def _proxy(server: FaultServer) -> Iterator[str]:
    port = int(server.url.rpartition(":")[2])
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _accept(listener: socket.socket, port: int) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_connect, args=(client, port), daemon=True).start()


def _connect(client: socket.socket, port: int) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    behind = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    for one, other in ((client, behind), (behind, client)):
        threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(64 << 10):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
