"""libcurl on the asyncio loop: requests in, bodies out under back-pressure, every dialled address checked."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import pycurl

from datafetch.model import Why
from datafetch.transfer.addresses import is_public

MIB = 1 << 20
_BUFFER = 512 << 10
_HELD_HIGH = 4 * MIB  # bytes waiting for their reader before the transfer is paused
_HEADER_LINES = 200
_SUPPRESS_CONNECT_HEADERS = 265  # CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl has no name for
_ABORT = -1  # from a callback: libcurl ends the transfer


@dataclass(frozen=True, slots=True)
class Limits:
    """Every wait and every size has an end. Times are seconds."""

    connect: float = 15.0
    low_speed: int = 1024  # bytes per second …
    low_speed_time: int = 30  # … over this many seconds
    total: float | None = None
    header_bytes: int = 64 << 10
    body_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `url` is clean already; redirects are not followed."""

    url: str
    headers: tuple[str, ...] = ()  # "Name: value"
    method: str = "GET"
    body: bytes = b""
    permit_private: bool = False
    proxy: str = ""
    login: str = ""  # "user:password" for this host
    limits: Limits = Limits()


class Fault(Exception):
    """A transfer that libcurl or one of our limits ended."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True, slots=True)
class Trust:
    """Where the certificates lie that TLS peers are checked against."""

    file: str = ""
    folder: str = ""


class Engine:
    """Belongs to one loop. `send` may be called by any number of tasks; `close` ends what is under way."""

    def __init__(self, trust: Trust, *, connections: int = 256, user_agent: str = "datafetch") -> None:
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._trust = trust
        self._user_agent = user_agent
        self._idle: list[_Line] = []

    async def send(self, ask: Ask) -> Reply:
        """The head of the answer; its body is read from the Reply, which must be closed. Raises Fault."""
        line = self._idle.pop() if self._idle else _Line(self._trust, self._user_agent)
        line.prepare(ask, asyncio.get_running_loop())
        done = self._multi.add_handle(line.curl)
        done.add_done_callback(line.on_done)
        reply = Reply(self, line)
        try:
            await line.head
        except BaseException:
            reply.close()
            raise
        reply.status, reply.reason, reply.headers = line.status, line.reason, tuple(line.headers)
        return reply

    def _release(self, line: _Line) -> None:
        finished = line.done
        if not finished and not self._multi.closed:
            self._multi.remove_handle(line.curl)  # drops the connection, as its body is unfinished
        line.forget()
        # The end of a removed transfer is still on its way to `on_done`: its line must not serve another.
        if finished and line.reusable and not self._multi.closed:
            self._idle.append(line)
        else:
            line.curl.close()

    async def close(self) -> None:
        await self._multi.aclose()
        for line in self._idle:
            line.curl.close()
        self._idle.clear()


class Reply:
    """An answer whose body is still on its way. Reading raises Fault; closing may be called twice."""

    __slots__ = ("_engine", "_line", "headers", "reason", "status")

    def __init__(self, engine: Engine, line: _Line) -> None:
        self._engine = engine
        self._line: _Line | None = line
        self.status = 0
        self.reason = ""
        self.headers: tuple[tuple[str, str], ...] = ()

    async def read(self) -> list[bytes]:
        """What has arrived since the last call, waiting if nothing has; empty at the end of a whole body."""
        line = self._line
        if line is None:
            return []
        while not line.chunks:
            if line.done:
                if line.fault is not None:
                    raise line.fault
                return []
            await line.more()
        return line.take()

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._engine._release(line)


class _Line:
    """One easy handle with its callbacks; used for one request after another."""

    def __init__(self, trust: Trust, user_agent: str) -> None:
        self.curl = pycurl.Curl()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ask = Ask("")
        self._limits: Limits | None = None
        self._proxy = "?"
        self._waiter: asyncio.Future[None] | None = None
        self._clear()
        for option, value in _fixed(trust, user_agent).items():
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.OPENSOCKETFUNCTION, self._on_open)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._on_header)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._on_body)

    def _clear(self) -> None:
        self.status, self.reason = 0, ""
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []
        self.fault: Fault | None = None
        self.done = False
        self.reusable = True
        self._held = self._received = self._header_bytes = self._header_lines = 0
        self._complete_head = self._paused = False
        self._refused = ""
        self._dialled = False
        self._unopened: Fault | None = None

    def prepare(self, ask: Ask, loop: asyncio.AbstractEventLoop) -> None:
        self._clear()
        self._ask, self._loop = ask, loop
        self.head: asyncio.Future[None] = loop.create_future()
        curl = self.curl
        curl.setopt(pycurl.URL, ask.url)
        curl.setopt(pycurl.HTTPHEADER, ["Accept-Encoding: identity", *ask.headers])
        if ask.limits != self._limits:
            self._limits = ask.limits
            for option, value in _limiting(ask.limits).items():
                curl.setopt(option, value)
        if ask.proxy != self._proxy:
            self._proxy = ask.proxy
            curl.setopt(pycurl.PROXY, ask.proxy)
        if ask.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif ask.method != "GET" or ask.body:
            curl.setopt(pycurl.POSTFIELDS, ask.body)
            curl.setopt(pycurl.CUSTOMREQUEST, ask.method)
        if ask.login:
            curl.setopt(pycurl.USERPWD, ask.login)
        self.reusable = ask.method == "GET" and not ask.body and not ask.login

    def forget(self) -> None:
        self.chunks = []
        if not self.head.done():
            self.head.cancel()

    async def more(self) -> None:
        """Returns once something arrived or the transfer ended."""
        assert self._loop is not None
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def take(self) -> list[bytes]:
        taken, self.chunks, self._held = self.chunks, [], 0
        if self._paused and not self.done:
            self._paused = False
            self.curl.pause(pycurl.PAUSE_CONT)
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def on_done(self, done: asyncio.Future[pycurl.Curl]) -> None:
        self.done = True
        error = None if done.cancelled() else done.exception()
        if done.cancelled():
            self.fault = self.fault or Fault(Why.CONNECTION, "the transfer was stopped")
        elif isinstance(error, pycurl.error):
            self.fault = self.fault or self._fault_of(*error.args[:2])
        elif error is not None:
            self.fault = self.fault or Fault(Why.UNKNOWN, str(error))
        elif not self._complete_head:
            self.fault = Fault(Why.BAD_ANSWER, "the server sent no complete answer")
        if not self.head.done():
            if self.fault is not None:
                self.head.set_exception(self.fault)
            else:
                self.head.set_result(None)
        self._wake()

    # --- callbacks: libcurl calls them on the loop's thread, and none may raise ---

    def _on_open(self, purpose: int, address: tuple[int, int, int, tuple[object, ...]]) -> object:
        """A socket to dial with, or a refusal; a proxy is dialled in the user's name and may be private."""
        family, kind, protocol, target = address
        if not (self._ask.permit_private or self._ask.proxy or is_public(str(target[0]))):
            self._refused = str(target[0])
            return pycurl.SOCKET_BAD
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError as error:
            full = error.errno in (errno.EMFILE, errno.ENFILE)
            why = Why.NO_SPACE if full else Why.CONNECTION
            self._unopened = Fault(why, f"no socket could be opened: {error.strerror}")
            return pycurl.SOCKET_BAD
        self._dialled = True
        assert self._loop is not None
        self._loop.call_soon(opened.close)  # libcurl works on a duplicate
        return opened

    def _on_header(self, line: bytes) -> int | None:
        if self._complete_head:
            return None  # trailers say nothing we would trust
        self._header_bytes += len(line)
        self._header_lines += 1
        if self._header_bytes > self._ask.limits.header_bytes or self._header_lines > _HEADER_LINES:
            return self._abort(Why.BAD_ANSWER, "the headers of the answer are longer than any honest ones")
        if line.startswith(b"HTTP/"):
            self._start_head(line)
            return None
        text = line.decode("latin-1").rstrip("\r\n")
        if text:
            name, colon, value = text.partition(":")
            if not colon or "\0" in text:
                return self._abort(Why.BAD_ANSWER, "a header of the answer cannot be read")
            self.headers.append((name.strip().lower(), value.strip()))
            return None
        if self.status < 200:
            return None  # an interim answer: the real one follows
        lengths = {
            part.strip()
            for name, value in self.headers
            if name == "content-length"
            for part in value.split(",")
        }
        if len(lengths) > 1:
            return self._abort(Why.BAD_ANSWER, "the answer states two lengths")
        self._complete_head = True
        if not self.head.done():
            self.head.set_result(None)
        return None

    def _start_head(self, line: bytes) -> None:
        words = line.decode("latin-1").split(None, 2)
        self.status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        self.reason = words[2].strip() if len(words) > 2 else ""
        self.headers = []

    def _on_body(self, data: bytes) -> int | None:
        if self._held >= _HELD_HIGH:
            self._paused = True
            return int(pycurl.WRITEFUNC_PAUSE)  # the same bytes are offered again after the pause
        size = len(data)
        self._received += size
        most = self._ask.limits.body_bytes
        if most is not None and self._received > most:
            return self._abort(Why.TOO_LARGE, f"the answer is longer than {most} bytes")
        self.chunks.append(data)
        self._held += size
        self._wake()
        return None

    def _abort(self, why: Why, message: str) -> int:
        self.fault = Fault(why, message)
        return _ABORT

    def _fault_of(self, code: int, message: str) -> Fault:
        if code == pycurl.E_COULDNT_CONNECT and self._unopened is not None:
            return self._unopened
        if code == pycurl.E_COULDNT_CONNECT and self._refused and not self._dialled:
            return Fault(Why.REFUSED, f"{self._refused} is a private address")
        if code == pycurl.E_OPERATION_TIMEDOUT and "too slow" in message:
            return Fault(Why.TOO_SLOW, "the server sends too slowly")
        why, text = _FAULTS.get(code, (Why.CONNECTION, "the connection failed"))
        return Fault(why, f"{text} ({message})" if message else text)


def _fixed(trust: Trust, user_agent: str) -> Mapping[int, object]:
    """What is the same for every request of a run."""
    fixed: dict[int, object] = {
        pycurl.NOSIGNAL: 1,
        pycurl.NOPROGRESS: 1,
        pycurl.USERAGENT: user_agent,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.HTTP09_ALLOWED: 0,
        pycurl.HTTP_CONTENT_DECODING: 0,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.BUFFERSIZE: _BUFFER,
        pycurl.TCP_KEEPALIVE: 1,
        pycurl.NOPROXY: "",  # which host goes past the proxy was decided before; libcurl must not decide again
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        _SUPPRESS_CONNECT_HEADERS: 1,
    }
    if trust.file:
        fixed[pycurl.CAINFO] = trust.file
    if trust.folder:
        fixed[pycurl.CAPATH] = trust.folder
    return fixed


def _limiting(limits: Limits) -> Mapping[int, object]:
    return {
        pycurl.CONNECTTIMEOUT_MS: int(limits.connect * 1000),
        pycurl.LOW_SPEED_LIMIT: limits.low_speed,
        pycurl.LOW_SPEED_TIME: limits.low_speed_time,
        pycurl.TIMEOUT_MS: int((limits.total or 0) * 1000),
        pycurl.MAXFILESIZE_LARGE: limits.body_bytes or 0,
    }


_BAD = (Why.BAD_ANSWER, "the server does not speak proper HTTP")
_TLS = (Why.TLS, "the server's certificate cannot be trusted")
_FAULTS: Mapping[int, tuple[Why, str]] = {
    pycurl.E_COULDNT_RESOLVE_HOST: (Why.DNS, "the name of the host is not known"),
    pycurl.E_COULDNT_RESOLVE_PROXY: (Why.DNS, "the name of the proxy is not known"),
    pycurl.E_COULDNT_CONNECT: (Why.CONNECTION, "no connection to the server"),
    pycurl.E_OPERATION_TIMEDOUT: (Why.TIMEOUT, "the server did not answer in time"),
    pycurl.E_PARTIAL_FILE: (Why.SHORT, "the connection ended before the file did"),
    pycurl.E_GOT_NOTHING: (Why.CONNECTION, "the server closed the connection without an answer"),
    pycurl.E_RECV_ERROR: (Why.CONNECTION, "the connection broke"),
    pycurl.E_SEND_ERROR: (Why.CONNECTION, "the connection broke"),
    pycurl.E_FILESIZE_EXCEEDED: (Why.TOO_LARGE, "the answer is longer than allowed"),
    pycurl.E_UNSUPPORTED_PROTOCOL: _BAD,  # an answer in HTTP/0.9
    pycurl.E_FTP_WEIRD_SERVER_REPLY: _BAD,  # the number is shared with HTTP
    pycurl.E_BAD_CONTENT_ENCODING: _BAD,
    pycurl.E_URL_MALFORMAT: (Why.BAD_URL, "the address cannot be read"),
    pycurl.E_PEER_FAILED_VERIFICATION: _TLS,
    pycurl.E_SSL_ISSUER_ERROR: _TLS,
    pycurl.E_SSL_CACERT_BADFILE: (Why.TLS, "the file of trusted certificates cannot be read"),
    pycurl.E_OUT_OF_MEMORY: (Why.UNKNOWN, "not enough memory"),
}
