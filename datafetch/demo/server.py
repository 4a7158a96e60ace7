"""An HTTP server on loopback that misbehaves as told: each path has an answer, which may be a fault."""

from __future__ import annotations

import email.utils
import hashlib
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")
_SUFFIX = re.compile(r"bytes=-(\d+)\Z")
_OLD = 1_600_000_000.0  # seconds since 1970: a Last-Modified that is strong
_PIECE = 64 << 10


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    path: str
    headers: Mapping[str, str]  # lower-case names
    nth: int  # of this path, from 1
    port: int = 0  # of the other side: one connection has one
    method: str = "GET"

    @property
    def start(self) -> int:
        """Where the range that is asked for begins; 0 without one."""
        match = _RANGE.match(self.headers.get("range", ""))
        return int(match[1]) if match else 0

    @property
    def stop(self) -> int | None:
        """Behind the last byte of the range that is asked for; None when it goes to the end."""
        match = _RANGE.match(self.headers.get("range", ""))
        return int(match[2]) + 1 if match and match[2] else None

    @property
    def suffix(self) -> int | None:
        """How many last bytes are asked for; None when that is not how they are asked for."""
        match = _SUFFIX.match(self.headers.get("range", ""))
        return int(match[1]) if match else None


class Exchange:
    """One request and the connection to answer it on. An Answer writes what it likes; nothing is checked."""

    def __init__(self, seen: Seen, handler: BaseHTTPRequestHandler, base: str) -> None:
        self.seen = seen
        self.base = base  # the server's own address
        self._handler = handler

    def head(self, status: int, headers: Mapping[str, str | int]) -> None:
        """Status line and headers."""
        lines = [f"HTTP/1.1 {status} -", f"Date: {email.utils.formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self._handler.wfile.write(data)

    def body(self, data: bytes) -> None:
        """A body, unless only the head was asked for."""
        if self._handler.command != "HEAD":
            for at in range(0, len(data), _PIECE):
                self.raw(data[at : at + _PIECE])

    def send(self, status: int, data: bytes = b"", **headers: str | int) -> None:
        """A whole answer with its length; `_` in a header's name stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.head(status, {"Content-Length": len(data)} | named)
        self.body(data)

    def hang_up(self) -> None:
        """Closes the connection behind what was sent."""
        self._handler.close_connection = True

    def wait_for_close(self, seconds: float) -> None:
        """Says nothing until the other side has gone."""
        self._handler.connection.settimeout(seconds)
        with suppress(OSError):
            self._handler.rfile.read(1)
        self.hang_up()

    def reset(self) -> None:
        """Breaks the connection: the other side sees an error, not an end."""
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self._handler.wfile.flush()
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.hang_up()


Answer = Callable[[Exchange], None]
Find = Callable[[str], Answer | None]  # path without query -> how it answers


@dataclass(frozen=True, slots=True)
class Thing:
    """A file as an honest server gives it, in whole or from where it is asked."""

    data: bytes
    kind: str = "application/octet-stream"
    etag: str | None = None  # None makes one of the data; empty sends none
    modified: float = _OLD

    @property
    def headers(self) -> dict[str, str | int]:
        etag = f'"{hashlib.md5(self.data).hexdigest()}"' if self.etag is None else self.etag
        found: dict[str, str | int] = {"Content-Type": self.kind, "Accept-Ranges": "bytes"}
        if etag:
            found["ETag"] = etag
        if self.modified:
            found["Last-Modified"] = email.utils.formatdate(self.modified, usegmt=True)
        return found

    def rest(self, seen: Seen) -> tuple[int, bytes, dict[str, str | int]]:
        """Status, body and headers for what was asked, ranges and If-Range honoured."""
        headers = self.headers
        tie = seen.headers.get("if-range")
        wants = "range" in seen.headers and (
            tie is None or tie in (headers.get("ETag"), headers.get("Last-Modified"))
        )
        if not wants:
            return 200, self.data, headers | {"Content-Length": len(self.data)}
        total = len(self.data)
        start = seen.start if seen.suffix is None else max(0, total - seen.suffix)
        if start >= total or seen.suffix == 0:
            return 416, b"", headers | {"Content-Range": f"bytes */{total}", "Content-Length": 0}
        body = self.data[start : seen.stop]
        extra: dict[str, str | int] = {
            "Content-Range": f"bytes {start}-{start + len(body) - 1}/{total}",
            "Content-Length": len(body),
        }
        return 206, body, headers | extra

    def __call__(self, exchange: Exchange) -> None:
        status, body, headers = self.rest(exchange.seen)
        exchange.head(status, headers)
        exchange.body(body)


# --- Faults: answers made of other answers ------------------------------------------------------------------


def first(times: int, fault: Answer, then: Answer) -> Answer:
    """`fault` for the first requests of a path, `then` for those after."""

    def answer(exchange: Exchange) -> None:
        (fault if exchange.seen.nth <= times else then)(exchange)

    return answer


def status(code: int, body: bytes = b"", **headers: str | int) -> Answer:
    """Nothing but that status."""
    return lambda exchange: exchange.send(code, body, **headers)


def drop_after(size: int, thing: Thing) -> Answer:
    """Breaks off after `size` bytes of whatever is asked for."""

    def answer(exchange: Exchange) -> None:
        code, body, headers = thing.rest(exchange.seen)
        exchange.head(code, headers)
        exchange.body(body[:size])
        if len(body) > size:
            exchange.hang_up()

    return answer


def corrupt(thing: Thing, at: int | None = None) -> Answer:
    """The whole file with one byte changed and every label right."""
    place = len(thing.data) // 2 if at is None else at
    data = bytearray(thing.data)
    data[place] ^= 0xFF
    return Thing(bytes(data), thing.kind, str(thing.headers.get("ETag", "")), thing.modified)


def redirect(location: str, code: int = 302) -> Answer:
    """To `location`; a leading `/` stays on this server."""
    return lambda exchange: exchange.send(code, Location=location)


def web_page(text: str = "<!doctype html><html><body>please log in</body></html>") -> Answer:
    """A page with status 200."""
    return status(200, text.encode(), Content_Type="text/html; charset=utf-8")


# --- The server ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Log:
    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: Counter[str] = field(default_factory=Counter)
    seen: list[Seen] = field(default_factory=list)


class FaultServer:
    """Serves while its `with` block lasts, one thread per connection.

    `find` says how a path answers, `table.get` for a table; without an answer it is 404.
    """

    def __init__(self, find: Find, tls: ssl.SSLContext | None = None) -> None:
        self._log = _Log()
        self._scheme = "https" if tls else "http"
        self._server = _Threaded(("127.0.0.1", 0), _handler(find, self._log))
        if tls is not None:
            plain = self._server.socket
            self._server.socket = tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="fault server",
            daemon=True,
        )

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`, without a slash; https with `tls`."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def seen(self) -> tuple[Seen, ...]:
        """All requests so far, in the order of their arrival."""
        with self._log.lock:
            return tuple(self._log.seen)

    def asked(self, path: str) -> tuple[Seen, ...]:
        """The requests for one path."""
        return tuple(seen for seen in self.seen if seen.path == path)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Threaded(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client may hold a connection open for as long as it likes
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


def _handler(find: Find, log: _Log) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 30

        def do_GET(self) -> None:
            base = f"http://127.0.0.1:{self.connection.getsockname()[1]}"
            headers = {name.lower(): value for name, value in self.headers.items()}
            with log.lock:
                log.counts[self.path] += 1
                seen = Seen(self.path, headers, log.counts[self.path], self.client_address[1], self.command)
                log.seen.append(seen)
            answer = find(self.path.partition("?")[0]) or status(404)
            answer(Exchange(seen, self, base))

        do_HEAD = do_GET  # noqa: N815
        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed: what was asked stands in `seen`."""

    return Handler
