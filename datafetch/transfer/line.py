"""One libcurl handle with its callbacks: a request at a time, its body held back until it is wanted."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from collections.abc import Callable

import pycurl

from datafetch.model import Why
from datafetch.transfer.addresses import is_public
from datafetch.transfer.curl import BUFFER, Ask, Fault, Limits, Trust, fault_of, fixed, limiting
from datafetch.transfer.lanes import Chunk

HELD = 2 << 20  # bytes waiting for their reader before the transfer is paused
_SMALL = 128 << 10  # bytes of a body from which on it is gathered: libcurl hands on 16 KiB at a time
_LEAST_KERNEL = 64 << 10  # bytes that a socket may hold, however little is to wait
_HEADER_LINES = 200
_ABORT = -1  # from a callback: libcurl ends the transfer
_NOTHING = memoryview(b"")
_LONG_HEAD = "the headers of the answer are longer than any honest ones"
_STATUS = re.compile(r"[1-9][0-9]{2}")
_PAGE = 64 << 10  # bytes of an error's page; a longer one costs more than a new connection


class Line:
    """One easy handle with its callbacks; used for one request after another."""

    def __init__(self, trust: Trust, user_agent: str, held: int = HELD) -> None:
        self.curl = pycurl.Curl()
        self._held_high = held
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ask = Ask("")
        self._limits: Limits | None = None
        self._proxy = "?"
        self._waiter: asyncio.Future[None] | None = None
        self._headers: tuple[str, ...] | None = None
        self._lines: list[bytes] = []  # of the head of an answer that is taken as a whole, not looked at yet
        self._gathers = False  # whether libcurl puts them there
        self.head: asyncio.Future[None] | None = None  # of a request whose body is read as it comes
        self._clear()
        for option, value in fixed(trust, user_agent).items():
            self.curl.setopt(option, value)
        if held < HELD:
            self.curl.setopt(pycurl.BUFFERSIZE, min(held, BUFFER))
        self.curl.setopt(pycurl.OPENSOCKETFUNCTION, self._on_open)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._on_header)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._on_body)

    def _clear(self) -> None:
        self.status, self.reason = 0, ""
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[Chunk] = []
        self._gathered = (
            _NOTHING  # its bytes from `_given` to `_filled` are part of the body and in no chunk yet
        )
        self._given = self._filled = self._room = 0
        self.fault: Fault | None = None
        self.done = False
        self.reusable = True
        self._held = self._received = 0
        self._head = bytearray()
        self._lines.clear()
        self._complete_head = self._paused = False
        self._refused = ""
        self._dialled = False
        self._unopened: Fault | None = None
        self._whole: Callable[[Line], None] | None = None

    def prepare(
        self, ask: Ask, loop: asyncio.AbstractEventLoop, whole: Callable[[Line], None] | None = None
    ) -> None:
        """Set for one request. `whole` is called at the end of the body, which then only the limits bound;
        without it `head` tells that the head has come, or why it has not.
        """
        self._clear()
        self._ask, self._loop, self._whole = ask, loop, whole
        self.head = None if whole else loop.create_future()
        curl = self.curl
        curl.setopt(pycurl.URL, ask.url)
        if self._gathers is not (whole is not None):
            self._gathers = whole is not None
            # Nobody waits for the head alone: no call of ours for each of its lines. libcurl bounds them.
            curl.setopt(pycurl.HEADERFUNCTION, self._lines.append if whole else self._on_header)
        if ask.headers != self._headers:
            self._headers = ask.headers
            curl.setopt(pycurl.HTTPHEADER, ["Accept-Encoding: identity", *ask.headers])
        if ask.limits is not self._limits and ask.limits != self._limits:
            self._limits = ask.limits
            for option, value in limiting(ask.limits).items():
                curl.setopt(option, value)
        if ask.proxy != self._proxy:
            self._proxy = ask.proxy
            curl.setopt(pycurl.PROXY, os.fsencode(ask.proxy))
        if ask.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
        elif ask.method != "GET" or ask.body:
            curl.setopt(pycurl.POSTFIELDS, ask.body)
            curl.setopt(pycurl.CUSTOMREQUEST, ask.method)
        if ask.login:
            curl.setopt(pycurl.USERPWD, os.fsencode(ask.login))  # text has to be ASCII, a password has not
        self.reusable = ask.method == "GET" and not ask.body and not ask.login

    def forget(self) -> None:
        self.chunks, self._gathered, self._whole = [], _NOTHING, None
        self._room = 0
        if self.head is not None and not self.head.done():
            self.head.cancel()

    async def more(self) -> None:
        """Returns once something arrived or the transfer ended."""
        assert self._loop is not None
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    @property
    def holds(self) -> bool:
        """Whether bytes wait for their reader."""
        return self._held > 0

    def take(self) -> list[Chunk]:
        self._give()
        taken, self.chunks, self._held = self.chunks, [], 0
        if self._paused and not self.done:
            self._paused = False
            self.curl.pause(pycurl.PAUSE_CONT)
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def ended(self, code: int, message: str) -> None:
        """The transfer came to its end, by libcurl's word."""
        self.done = True
        if self._lines:
            self._read_head()
        if code:
            self.fault = self.fault or self._fault_of(code, message)
        elif not self._complete_head:
            self.fault = Fault(Why.BAD_ANSWER, "the server sent no complete answer")
        if self._whole is not None:
            if self._complete_head and self.status != 200:
                self.fault = None  # the head was what mattered
            self._whole(self)
            return
        assert self.head is not None
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
        if self._held_high < HELD:  # what the system holds back counts as well
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(_LEAST_KERNEL, self._held_high))
        assert self._loop is not None
        self._loop.call_soon(opened.close)  # libcurl works on a duplicate
        return opened

    def _on_header(self, line: bytes) -> int | None:
        if self._complete_head:
            return None  # trailers say nothing we would trust
        self._head += line
        if len(self._head) > self._ask.limits.header_bytes:
            return self._abort(Why.BAD_ANSWER, _LONG_HEAD)
        return None if len(line) > 2 or line.strip(b"\r\n") else self._end_of_head()

    def _read_head(self) -> int | None:
        """Takes the lines that libcurl put aside."""
        lines = self._lines.copy()
        self._lines.clear()
        head = b"".join(lines)
        plain = head.find(b"\r\n\r\n") == len(head) - 4 and len(head) <= self._ask.limits.header_bytes
        if plain and not self._complete_head:  # of one answer, as nearly all are
            self._head += head
            return self._end_of_head()
        for line in lines:
            if (abort := self._on_header(line)) is not None:
                return abort
        return None

    def _end_of_head(self) -> int | None:
        head = self._head.decode("latin-1")
        first, *rest = head.split("\n")
        self._head.clear()
        if len(rest) > _HEADER_LINES:
            return self._abort(Why.BAD_ANSWER, _LONG_HEAD)
        words = first.split(None, 2)
        if len(words) < 2 or _STATUS.fullmatch(words[1]) is None:
            return self._abort(Why.BAD_ANSWER, "the status of the answer cannot be read")
        self.status = int(words[1])
        self.reason = words[2].strip() if len(words) > 2 else ""
        if self.status < 200:
            return None  # an interim answer: the real one follows
        parts = [line.partition(":") for line in rest[:-2]]  # an empty one ends the head
        if "\0" in head or not all(colon for _, colon, _ in parts):
            return self._abort(Why.BAD_ANSWER, "a header of the answer cannot be read")
        self.headers += [(name.strip().lower(), value.strip()) for name, _, value in parts]
        lengths = {
            one.strip()
            for name, value in self.headers
            if name == "content-length"
            for one in value.split(",")
        }
        if len(lengths) > 1:
            return self._abort(Why.BAD_ANSWER, "the answer states two lengths")
        self._complete_head = True
        if self.head is not None and not self.head.done():
            self.head.set_result(None)
        return None

    def _on_body(self, data: bytes) -> int | None:
        if self._held >= self._held_high and not self._whole:
            self._paused = True
            return int(pycurl.WRITEFUNC_PAUSE)  # the same bytes are offered again after the pause
        if self._lines and (abort := self._read_head()) is not None:
            return abort
        size = len(data)
        self._received += size
        most = self._ask.limits.body_bytes
        if most is not None and self._received > most:
            return self._abort(Why.TOO_LARGE, f"the answer is longer than {most} bytes")
        if self._whole and self.status != 200 and self._received > _PAGE:
            return _ABORT
        end = self._filled + size
        if self._received <= _SMALL:
            self.chunks.append(data)
        elif end <= self._room:
            self._gathered[self._filled : end] = data
            self._filled = end
        else:
            self._gather(data, size)
        self._held += size
        if self._waiter is not None:
            self._wake()
        return None

    def _gather(self, data: bytes, size: int) -> None:
        """Makes few large chunks of a long body: each one costs the threads that take it the lock.

        A buffer serves once and is never written where it was given away: no chunk changes under its reader.
        """
        self._give()
        self._room = max(size, min(self._held_high, BUFFER))
        self._gathered = memoryview(bytearray(self._room))
        self._gathered[:size] = data
        self._given, self._filled = 0, size

    def _give(self) -> None:
        if self._filled > self._given:
            self.chunks.append(self._gathered[self._given : self._filled])
            self._given = self._filled

    def _abort(self, why: Why, message: str) -> int:
        self.fault = Fault(why, message)
        return _ABORT

    def _fault_of(self, code: int, message: str) -> Fault:
        login = self._ask.proxy.rpartition("@")[0].rpartition("://")[2]
        if login:  # libcurl quotes an address of a proxy that it cannot read
            message = message.replace(login, "***")
        if code == pycurl.E_COULDNT_CONNECT and self._unopened is not None:
            return self._unopened
        if code == pycurl.E_COULDNT_CONNECT and self._refused and not self._dialled:
            return Fault(Why.REFUSED, f"{self._refused} is a private address")
        return fault_of(code, message)
