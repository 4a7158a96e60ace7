"""Which of many sockets are ready, asked of the system itself; the loop watches one descriptor for all of them."""

from __future__ import annotations

import select
import selectors
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

MOST = 256  # sockets that are told of at a time


class Watch(Protocol):
    """Sockets by their descriptors. One that was closed may be forgotten, or not."""

    def fileno(self) -> int: ...

    def see(self, fd: int, *, read: bool, write: bool) -> None: ...

    def forget(self, fd: int) -> None: ...

    def ready(self) -> Iterator[tuple[int, bool, bool]]:
        """Descriptor, whether it can be read, and written, of those that can now."""

    def close(self) -> None: ...


def watch() -> Watch:
    return _Epoll() if hasattr(select, "epoll") else _Selector()


class _Epoll:
    """Of Linux. As the next, at a fifth of the cost: it is asked twice for each request.

    A forgotten socket stays registered, as its connection mostly serves the next request, until something comes
    that nobody waits for.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._seen: set[int] = set()  # registered, unless it was closed since
        self._forgotten: set[int] = set()
        self.fileno = self._epoll.fileno
        self.close = self._epoll.close

    def see(self, fd: int, *, read: bool, write: bool) -> None:
        events = (select.EPOLLIN if read else 0) | (select.EPOLLOUT if write else 0)
        self._forgotten.discard(fd)
        if fd in self._seen:
            try:
                self._epoll.modify(fd, events)
                return
            except FileNotFoundError:  # it was closed, and its number is that of another now
                pass
        self._epoll.register(fd, events)
        self._seen.add(fd)

    def forget(self, fd: int) -> None:
        if fd in self._seen:
            self._forgotten.add(fd)

    def ready(self) -> Iterator[tuple[int, bool, bool]]:
        for fd, events in self._epoll.poll(0, MOST):
            if fd in self._forgotten:
                self._forgotten.discard(fd)
                self._seen.discard(fd)
                with suppress(OSError):
                    self._epoll.unregister(fd)
                continue
            # A fault counts as both: whoever waits for either finds it.
            yield fd, bool(events & ~select.EPOLLOUT), bool(events & ~select.EPOLLIN)


class _Selector:
    """Of any system whose selector can be watched itself: macOS, the BSDs."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.fileno = self._selector.fileno
        self.close = self._selector.close

    def see(self, fd: int, *, read: bool, write: bool) -> None:
        self.forget(fd)
        events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        self._selector.register(fd, events)

    def forget(self, fd: int) -> None:
        with suppress(KeyError, ValueError, OSError):
            self._selector.unregister(fd)

    def ready(self) -> Iterator[tuple[int, bool, bool]]:
        for key, events in self._selector.select(0):
            yield key.fd, bool(events & selectors.EVENT_READ), bool(events & selectors.EVENT_WRITE)
