"""The guard of conftest.py bites."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

OUTSIDE = Path(__file__).resolve().parent / "never-written"
FAR = ("192.0.2.1", 9)  # reserved for documentation: nobody is there


def by_descriptor(name: str) -> None:
    folder = os.open(OUTSIDE.parent, os.O_RDONLY)
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    finally:
        os.close(folder)


def through_a_link() -> None:
    os.symlink(OUTSIDE.parent, "link")
    Path("link", OUTSIDE.name).write_text("x")


def swallowed() -> None:
    try:
        OUTSIDE.write_text("x")
    except Exception:
        return


WRITES: list[Callable[[], object]] = [
    lambda: OUTSIDE.write_text("x"),
    lambda: os.open(OUTSIDE, os.O_WRONLY | os.O_CREAT),
    lambda: os.mkdir(OUTSIDE),
    lambda: os.symlink("x", OUTSIDE),
    lambda: os.rename(__file__, OUTSIDE),
    lambda: os.remove(OUTSIDE),
    lambda: by_descriptor(OUTSIDE.name),
    through_a_link,
    swallowed,
]
CALLS: list[Callable[[], object]] = [
    lambda: socket.create_connection(FAR, timeout=0.1),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", FAR),
    lambda: socket.socket().bind(("0.0.0.0", 0)),
    lambda: socket.getaddrinfo("example.org", 80),
]


@pytest.mark.parametrize("act", WRITES + CALLS)
def test_guard_bites(act: Callable[[], object], guard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BaseException) as caught:
        act()
    assert type(caught.value).__name__ == "Forbidden"
    assert guard.seen
    assert not os.path.lexists(OUTSIDE)
    guard.seen.clear()


def test_guard_lets_tests_work_in_their_folder_and_on_loopback(tmp_path):
    (tmp_path / "file").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_guard_hides_the_settings_of_the_user():
    assert not [
        name for name in os.environ if name.startswith("DATAFETCH_") or name.lower().endswith("_proxy")
    ]
