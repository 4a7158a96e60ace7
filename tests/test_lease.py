"""store.lease: one writer, a dead one is taken over at once, and nobody waits for nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from faults import count, fails_at, killed_at

from datafetch.errors import Locked, NoRoom
from datafetch.store import lease as module
from datafetch.store import machine
from datafetch.store.lease import SILENCE, Lease, Owner, this_process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    state = tmp_path / "data" / ".datafetch" / "pods"
    state.mkdir(parents=True)
    return state / "lease"


def never(seconds: float) -> None:
    pytest.fail(f"waited {seconds} s")


def write(path: Path, age: float = 0, **changes: object) -> Owner:
    """A lease of somebody whose last sign of life is `age` seconds old."""
    owner = msgspec.structs.replace(this_process(), **changes)
    path.write_bytes(msgspec.json.encode(owner))
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))
    return owner


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def only_the_lease(path: Path) -> bool:
    return os.listdir(path.parent) == ["lease"]


# --- One writer --------------------------------------------------------------------------------------------


def test_second_run_is_locked_and_told_who_runs(path):
    with Lease(path) as first:
        started = time.monotonic()
        with pytest.raises(Locked, match=rf"pods.*process {os.getpid()} on .*since 20") as caught:
            Lease(path, sleep=never).acquire()
        assert time.monotonic() - started < 1
        assert (caught.value.exit_code, bool(caught.value.hint)) == (11, True)
        assert first.still_mine()
        assert only_the_lease(path)
    assert os.listdir(path.parent) == []


def test_acquire_and_release_may_be_repeated(path):
    lease = Lease(path)
    for _ in range(2):
        lease.acquire()
        lease.acquire()
        assert lease.still_mine()
        lease.release()
        lease.release()
        assert not lease.still_mine()


def test_forked_child_does_not_release_the_lease_of_its_parent(path):
    with Lease(path) as lease:
        child = os.fork()
        if child == 0:
            lease.release()
            os._exit(0)
        os.waitpid(child, 0)
        assert lease.still_mine()


def test_lease_that_was_taken_over_is_not_released(path):
    lease = Lease(path)
    lease.acquire()
    other = write(path, id="other")
    assert not lease.still_mine()
    lease.release()
    assert msgspec.json.decode(path.read_bytes(), type=Owner) == other


def contend(path: Path, go: int, say: int, end: int) -> None:
    """One contender, in its own process: when all are there, try once, say how it went, keep what was won."""
    try:
        os.write(say, b".")
        os.read(go, 1)
        lease = Lease(path)
        try:
            lease.acquire()
            os.write(say, b"W" if lease.still_mine() else b"X")
        except Locked:
            os.write(say, b"L")
        os.read(end, 1)
    except BaseException:
        os.write(say, b"X")
    finally:
        os._exit(0)


def hear(fd: int, count: int) -> str:
    said = b""
    while len(said) < count:
        said += os.read(fd, count - len(said))
    return said.decode()


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("before", ["absent", "dead", "garbage", "dead takeover"])
def test_of_50_processes_at_once_exactly_one_wins(path, before, links, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", no_link)
    if before == "garbage":
        path.write_bytes(b"")
    if before.startswith("dead"):
        write(path, pid=dead_pid())
    if before == "dead takeover":
        write(path.with_name("lease.next"), pid=dead_pid())
    (go, open_go), (answers, say), (end, open_end) = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(50):
        child = os.fork()
        if child == 0:
            os.close(open_go)
            os.close(open_end)
            contend(path, go, say, end)
        children.append(child)
    try:
        hear(answers, 50)
        os.close(open_go)
        assert sorted(hear(answers, 50)) == ["L"] * 49 + ["W"]
        assert only_the_lease(path)
    finally:
        os.close(open_end)
        for child in children:
            os.waitpid(child, 0)
        for fd in (go, answers, say, end):
            os.close(fd)


# --- A dead owner ------------------------------------------------------------------------------------------


def test_killed_owner_is_taken_over_at_once(path):
    ready, say = os.pipe()
    child = os.fork()
    if child == 0:
        Lease(path).acquire()
        os.write(say, b".")
        signal.pause()
    os.read(ready, 1)
    with pytest.raises(Locked):
        Lease(path, sleep=never).acquire()
    os.kill(child, signal.SIGKILL)
    while (
        machine.started(child) is not None
    ):  # until it is a zombie: it counts as dead before it is waited for
        time.sleep(0.001)
    with Lease(path, sleep=never) as lease:
        assert lease.still_mine()
        assert only_the_lease(path)
    os.waitpid(child, 0)
    os.close(ready)
    os.close(say)


def test_stopped_owner_is_alive(path):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    os.kill(child.pid, signal.SIGSTOP)
    write(path, age=10 * SILENCE, pid=child.pid, start=machine.started(child.pid))
    with pytest.raises(Locked):
        Lease(path, sleep=never).acquire()
    child.kill()
    child.communicate()


DEAD = {
    "its pid is gone": lambda: {"pid": dead_pid()},
    "its pid was given to another process": lambda: {"start": "1"},
    "the machine was started anew": lambda: {"boot": "another"},
}


@pytest.mark.parametrize("changes", DEAD.values(), ids=DEAD)
@pytest.mark.parametrize("age", [0, 10 * SILENCE, -10 * SILENCE])
def test_owner_on_this_machine_is_dead_whatever_the_clock_says(path, changes, age):
    write(path, age=age, **changes())
    with Lease(path, sleep=never) as lease:
        assert lease.still_mine()


ELSEWHERE = {
    "another host": {"host": "elsewhere", "boot": "theirs"},
    "another machine of the same name": {"machine": "theirs", "boot": "theirs"},
    "another container": {"space": "pid:[1]"},
    "a system that tells nothing": {"boot": ""},
}


@pytest.mark.parametrize("who", ELSEWHERE.values(), ids=ELSEWHERE)
def test_owner_elsewhere_with_a_heartbeat_is_alive(path, who):
    write(path, age=SILENCE / 2, **who)
    with pytest.raises(Locked, match="at work"):
        Lease(path, sleep=never).acquire()
    assert only_the_lease(path)


@pytest.mark.parametrize("who", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("age", [2 * SILENCE, -2 * SILENCE])
def test_owner_elsewhere_without_a_heartbeat_is_watched_then_taken_over(path, who, age):
    write(path, age=age, **who)
    waits: list[float] = []
    with Lease(path, sleep=waits.append) as lease:
        assert lease.still_mine()
        assert only_the_lease(path)
    assert waits == [module.WATCH]


def test_owner_elsewhere_whose_clock_jumped_shows_its_heartbeat_while_watched(path):
    write(path, age=1000 * SILENCE, host="elsewhere")
    with pytest.raises(Locked):
        Lease(path, sleep=lambda seconds: os.utime(path)).acquire()


def test_heartbeat_touches_the_file_while_it_is_ours(path, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.01)
    with Lease(path):
        os.utime(path, (1, 1))
        wait_until(lambda: path.stat().st_mtime > 1)
        write(path, id="other")
        os.utime(path, (1, 1))
        time.sleep(0.05)
        assert path.stat().st_mtime == 1


def wait_until(true) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("garbage", [b"", b"123", b"\x00" * 100, b"{}", b'{"pid": "x"}', b"\xff" * 9000])
def test_lease_that_names_nobody_is_taken_over_after_a_moment(path, garbage):
    path.write_bytes(garbage)
    waits: list[float] = []
    with Lease(path, sleep=waits.append) as lease:
        assert lease.still_mine()
    assert waits == [module.GRACE]


def test_lease_that_names_somebody_after_a_moment_is_theirs(path):
    path.write_bytes(b"")
    with pytest.raises(Locked):
        Lease(path, sleep=lambda seconds: write(path) and None).acquire()


# --- File systems ------------------------------------------------------------------------------------------


def test_no_file_lock_is_involved(path, monkeypatch):
    for name in ("flock", "lockf"):
        monkeypatch.setattr(fcntl, name, lambda *a: pytest.fail("a file lock"))
    with Lease(path), pytest.raises(Locked):
        Lease(path).acquire()


def no_link(*args: object, **options: object) -> None:
    raise OSError(errno.EPERM, "no links here")


def test_file_system_without_hard_links_serves_as_well(path, monkeypatch):
    monkeypatch.setattr(os, "link", no_link)
    with Lease(path, sleep=never) as lease:
        assert lease.still_mine()
        with pytest.raises(Locked):
            Lease(path, sleep=never).acquire()
    write(path, pid=dead_pid())
    with Lease(path, sleep=never):
        assert only_the_lease(path)


def test_a_link_whose_answer_got_lost_is_ours(path, monkeypatch):
    """NFS: the server made it, the answer never came, and the kernel's second try found it there."""
    real = os.link

    def link(*args: object, **options: object) -> None:
        real(*args, **options)
        raise FileExistsError(errno.EEXIST, "it is there")

    monkeypatch.setattr(os, "link", link)
    with Lease(path, sleep=never) as lease:
        assert lease.still_mine()
        with pytest.raises(Locked):
            Lease(path, sleep=never).acquire()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_place_that_cannot_be_written_is_no_room(path, code):
    for step in range(3):
        with pytest.raises(NoRoom) as caught:
            fails_at(step, code, Lease(path).acquire)
        assert caught.value.hint
        assert os.listdir(path.parent) == []


@pytest.mark.parametrize("link", [".datafetch", ".datafetch/pods", ".datafetch/pods/lease"])
def test_link_in_the_state_folder_is_refused(tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(outside)
    with pytest.raises(NoRoom, match="link"):
        Lease(tmp_path / ".datafetch/pods/lease").acquire()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("scene", ["absent", "dead"])
def test_killed_at_any_step_of_taking_the_lease_leaves_one_that_can_be_taken(path, scene):
    def prepare() -> None:
        for stray in path.parent.iterdir():
            stray.unlink()
        if scene == "dead":
            write(path, pid=gone)

    def take() -> None:
        Lease(path, sleep=never).acquire()

    gone = dead_pid()
    prepare()
    steps = count(take)
    for step in range(steps):
        prepare()
        killed_at(step, take)
        killed_at(step // 2, take)
        with Lease(path, sleep=lambda seconds: None) as lease:
            assert lease.still_mine()
            assert only_the_lease(path), f"step {step}"


def test_stray_files_of_killed_contenders_are_swept(path):
    for name in ("lease.abc.tmp", "lease.next.abc.tmp"):
        path.with_name(name).touch()
    with Lease(path):
        assert only_the_lease(path)


def test_process_that_runs_has_one_start_and_a_dead_one_none():
    assert machine.started(os.getpid()) == machine.started(os.getpid()) != ""
    assert machine.started(dead_pid()) is None
    assert machine.boot_id()
