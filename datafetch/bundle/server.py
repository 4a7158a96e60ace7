"""A bundle over HTTP, for `--mirror`: files with ranges, and nothing else of the machine."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from datafetch.bundle.answers import Absent, Answers, Held
from datafetch.errors import UsageError

LOOPBACK = "127.0.0.1"
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII)
_IDLE = 60.0  # seconds that a connection may say nothing, or take nothing
_CONNECTIONS = 512  # at once; more are closed, and their clients come again


class Server(ThreadingHTTPServer):
    """One thread for each connection; `url` is what `--mirror` takes. Raises UsageError where it cannot listen."""

    daemon_threads = True
    block_on_close = False  # a client may hold a connection open for as long as it likes
    request_queue_size = 256

    def __init__(self, answers: Answers, host: str = LOOPBACK, port: int = 0) -> None:
        self.answers = answers
        self._room = threading.BoundedSemaphore(_CONNECTIONS)
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            text = (error.strerror or str(error)).lower()
            hint = "choose another with --host or --port"
            raise UsageError(f"cannot listen at {host} port {port}: {text}", hint) from None
        except OverflowError:
            raise UsageError(f"--port {port} is no port", "they end at 65535; 0 takes a free one") from None

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        if name in ("0.0.0.0", "::"):
            name = socket.gethostname()
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    def server_bind(self) -> None:
        """Without asking for the name of this machine, which may take seconds where no network is."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: object, client_address: object) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """A bundle on loopback while the block lasts; its address."""
    with Server(answers) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="bundle", daemon=True
        )
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


def until_stopped(where: Path, host: str, port: int, told: Callable[[str], None]) -> None:
    """Serve a bundle until Ctrl-C or SIGTERM; `told` is given the address once it answers."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    with suppress(KeyboardInterrupt), Answers(where) as answers, Server(answers, host, port) as server:
        told(server.url)
        server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE
    server: Server

    def do_GET(self) -> None:
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body that nobody asked for is not read
        found = self.server.answers.to(self.path)
        if isinstance(found, Absent):
            self._say(found.status, len(found.body), ("Content-Type", found.kind), *found.headers)
            if self.command != "HEAD":
                self.wfile.write(found.body)
            return
        try:
            self._send(found)
        finally:
            os.close(found.fd)

    do_HEAD = do_GET  # noqa: N815

    def _send(self, held: Held) -> None:
        etag = f'"{held.sha256}"'
        about = (
            ("Content-Type", "application/octet-stream"),
            ("Accept-Ranges", "bytes"),
            ("ETag", etag),
            ("X-Content-Type-Options", "nosniff"),
        )
        wanted = self.headers.get("Range", "")
        match = _RANGE.fullmatch(wanted.strip()) if self.headers.get("If-Range", etag) == etag else None
        if etag in self.headers.get("If-None-Match", ""):
            self._say(304, None, *about)
            return
        if match is None:  # also several ranges: who asks for them must take the whole as well
            self._say(200, held.size, *about)
            self._body(held, 0, held.size)
            return
        start, end = _span(match, held.size)
        if start >= end:
            self._say(416, 0, *about, ("Content-Range", f"bytes */{held.size}"))
            return
        span = f"bytes {start}-{end - 1}/{held.size}"
        self._say(206, end - start, *about, ("Content-Range", span))
        self._body(held, start, end)

    def _say(self, status: int, length: int | None, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _body(self, held: Held, start: int, end: int) -> None:
        """By the system's own copy from file to socket, where it has one."""
        if self.command == "HEAD" or start >= end:
            return
        with open(held.fd, "rb", buffering=0, closefd=False) as file:
            sent = self.connection.sendfile(file, start, end - start)
        if sent != end - start:  # the file is shorter than it was
            self.close_connection = True

    def version_string(self) -> str:
        return "datafetch"

    def log_message(self, format: str, *args: object) -> None:
        """A line for each of a million pictures would help nobody."""


def _span(match: re.Match[str], size: int) -> tuple[int, int]:
    """From which byte to behind which; an empty span where nothing of it is there."""
    first, last, suffix = match.groups()
    if suffix is not None:
        return max(0, size - int(suffix)), size if int(suffix) else 0
    end = min(size, int(last) + 1) if last else size
    return int(first), end
