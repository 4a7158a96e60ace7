"""A real proxy on loopback: forwards plain requests, tunnels the rest, and resolves every name to one server."""

from __future__ import annotations

import base64
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Serves while its `with` block lasts. Whatever name is asked for leads to `behind` (host, port)."""

    def __init__(self, behind: tuple[str, int], login: str = "") -> None:
        self.asked: list[tuple[str, str]] = []  # method and target
        self.logins: list[str] = []  # "user:password" as they came
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, behind, login))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(proxy: Proxy, behind: tuple[str, int], login: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _admits(self) -> bool:
            proxy.asked.append((self.command, self.path))
            given = self.headers.get("Proxy-Authorization", "").removeprefix("Basic ")
            proxy.logins.append(base64.b64decode(given).decode())
            if not login or proxy.logins[-1] == login:
                return True
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def do_GET(self) -> None:
            if not self._admits():
                return
            parts = urlsplit(self.path)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            lines = [f"GET {path} HTTP/1.1", "Connection: close"]
            lines += [f"{k}: {v}" for k, v in self.headers.items() if not k.lower().startswith("proxy-")]
            with socket.create_connection(behind) as there:
                there.sendall("\r\n".join([*lines, "", ""]).encode())
                there.shutdown(socket.SHUT_WR)
                self._pass_on(there, self.connection)
            self.close_connection = True

        def do_CONNECT(self) -> None:
            if not self._admits():
                return
            with socket.create_connection(behind) as there:
                self.wfile.write(b"HTTP/1.1 200 -\r\n\r\n")
                up = threading.Thread(target=self._pass_on, args=(self.connection, there), daemon=True)
                up.start()
                self._pass_on(there, self.connection)
            self.close_connection = True

        def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(1 << 16):
                    target.sendall(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed: what was asked stands in `asked`."""

    return Handler
