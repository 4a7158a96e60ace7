"""libcurl's multi handle on the asyncio loop: transfers in, a call for the end of each.

Its sockets are watched by a selector of their own, and the loop watches that: a loop's reader for each of them costs
more than a small picture does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pycurl

from datafetch.transfer.watch import watch

End = Callable[[int, str], None]  # libcurl's code, 0 for a good end, and what it says of a bad one


class Driver:
    """Belongs to the loop that it is first used on."""

    def __init__(self, connections: int) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._ends: dict[pycurl.Curl, End] = {}
        self._sockets = watch()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: float | None = None  # when libcurl wants to be called
        self._timer: asyncio.TimerHandle | None = None
        self._kicked = False  # libcurl wants to be called at once, and will be
        self.closed = False

    def add(self, curl: pycurl.Curl, end: End) -> None:
        """Begins a transfer; `end` is called once, from the loop, unless it is removed before."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._sockets.fileno(), self._on_ready)
        self._multi.add_handle(curl)
        self._ends[curl] = end

    def remove(self, curl: pycurl.Curl) -> None:
        """Ends a transfer under way, its connection with it; one that has ended is left alone."""
        if self._ends.pop(curl, None) is not None:
            self._multi.remove_handle(curl)

    def close(self) -> None:
        """Ends all transfers under way, and says so to each."""
        if self.closed:
            return
        self.closed = True
        for curl in tuple(self._ends):
            self._end(curl, pycurl.E_ABORTED_BY_CALLBACK, "it was stopped")
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._sockets.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._multi.close()
        self._sockets.close()

    # --- callbacks: of libcurl, in the midst of a call to it, and of the loop ---

    def _on_socket(self, what: int, fd: int, multi: object, data: object) -> None:
        if what in (pycurl.POLL_REMOVE, pycurl.POLL_NONE):
            self._sockets.forget(fd)
        else:
            self._sockets.see(fd, read=what != pycurl.POLL_OUT, write=what != pycurl.POLL_IN)

    def _on_timer(self, milliseconds: int) -> None:
        """libcurl must not be called from here, and often changes its mind: timers are not moved back."""
        assert self._loop is not None
        if milliseconds < 0:
            self._due = None
        elif milliseconds == 0:
            self._due = None
            if not self._kicked:
                self._kicked = True
                self._loop.call_soon(self._on_kick)
        else:
            self._due = self._loop.time() + milliseconds / 1000
            if self._timer is None or self._timer.when() > self._due:
                self._wake_at(self._due)

    def _wake_at(self, due: float) -> None:
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_time)

    def _on_time(self) -> None:
        assert self._loop is not None
        self._timer = None
        if self._due is None or self.closed:
            return
        if self._due > self._loop.time():
            self._wake_at(self._due)
            return
        self._due = None
        self._on_kick()

    def _on_kick(self) -> None:
        self._kicked = False
        if not self.closed:
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._tell()

    def _on_ready(self) -> None:
        for fd, read, write in self._sockets.ready():
            which = (pycurl.CSELECT_IN if read else 0) | (pycurl.CSELECT_OUT if write else 0)
            self._multi.socket_action(fd, which)
        self._tell()

    def _tell(self) -> None:
        """Says of every transfer that has ended how it did."""
        more = 1
        while more and not self.closed:
            more, good, bad = self._multi.info_read()
            for curl in good:
                self._end(curl, 0, "")
            for curl, code, message in bad:
                self._end(curl, code, message)

    def _end(self, curl: pycurl.Curl, code: int, message: str) -> None:
        end = self._ends.pop(curl, None)
        if end is not None:
            self._multi.remove_handle(curl)
            end(code, message)
