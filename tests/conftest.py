"""The guard around every test: no socket leaves this machine, no write leaves the folders of the tests."""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that they start as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The gate tries the same examples each time: whether it passes says something of the change, not of the day.
# `scripts/check --hypothesis-profile=search` looks for new ones.
settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile("gate")

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What Python and the test tools keep beside the sources.
CACHES = frozenset(("__pycache__", ".hypothesis", ".pytest_cache"))
DEVICES = ("/dev/null", "/dev/tty", "/dev/shm", "/proc/self")

# Audit event -> pairs of (index of a path that is written, index of its folder's descriptor).
WRITES = {
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.link": ((1, 3),),
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
}
ADDRESSES = frozenset(("socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"))
NAMES = frozenset(("socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname"))


class Forbidden(BaseException):
    """A test did what no test may do. No `except Exception` of the code under test can swallow it."""


class Guard:
    """Judges audit events while it is on. `seen` keeps what was forbidden, should somebody swallow it."""

    def __init__(self, allowed: Path) -> None:
        self.allowed = os.path.realpath(allowed)
        self.on = False
        self.seen: list[str] = []

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if (
            event == "open" and args[1] is not None and args[2] & WRITING
        ):  # os.open tells no folder: see open()
            self.writes(args[0])
        elif event in WRITES:
            for path, folder in WRITES[event]:
                self.writes(args[path], -1 if folder is None else args[folder])
        elif event in ADDRESSES:
            address = args[-1]
            if isinstance(address, tuple) and not _is_loopback(address[0]):
                self.refuse(f"{event} {address}")
        elif event in NAMES and not _is_loopback(args[0]):
            self.refuse(f"{event} {args[0]}")

    def writes(self, path: object, folder: int | None = None) -> None:
        """Refuse a path outside the allowed folders; links in its parents count as where they lead."""
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor: judged when it was opened
        text = os.fsdecode(path)
        if folder is not None and folder >= 0:
            text = os.path.join(_path_of(folder), text)
        head, tail = os.path.split(os.path.abspath(text))
        real = os.path.join(os.path.realpath(head), tail)
        if not CACHES.isdisjoint(real.split("/")):
            return
        if not any(real == root or real.startswith(f"{root}/") for root in (self.allowed, *DEVICES)):
            self.refuse(f"write to {real}")

    def refuse(self, what: str) -> None:
        self.seen.append(what)
        raise Forbidden(what)


def _is_loopback(host: object) -> bool:
    if host in (None, "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _path_of(fd: int) -> str:
    if sys.platform == "darwin":
        import fcntl

        return os.fsdecode(fcntl.fcntl(fd, 50, bytes(1024)).rstrip(b"\0"))  # F_GETPATH
    return os.readlink(f"/proc/self/fd/{fd}")


def guarded_open(guard: Guard, real: Callable[..., int]) -> Callable[..., int]:
    """os.open that asks the guard first."""

    def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if guard.on and flags & WRITING:
            guard.writes(path, dir_fd)
        return real(path, flags, mode, dir_fd=dir_fd)

    return open_


@pytest.fixture(scope="session")
def hook(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    """The one guard of a session: an audit hook cannot be taken away again, only switched off."""
    guard = Guard(tmp_path_factory.getbasetemp())
    sys.addaudithook(guard)
    return guard


@pytest.fixture(autouse=True)
def guard(
    hook: Guard, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guard]:
    """On for every test; also gives it a world without the user's settings, tokens, proxies and home."""
    base = tmp_path_factory.getbasetemp()
    for name in os.environ:
        if name.startswith(("DATAFETCH_", "AWS_", "HF_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(base))
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    monkeypatch.setattr(os, "open", guarded_open(hook, os.open))
    hook.seen.clear()
    hook.on = True
    try:
        yield hook
    finally:
        hook.on = False
    assert not hook.seen, f"the test did what no test may do: {hook.seen}"
