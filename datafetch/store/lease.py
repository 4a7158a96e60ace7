"""One writer per dataset and root: a file made by exclusive create says who runs, and is touched meanwhile.

Neither `flock` (silently ignored by some network file systems) nor a bare pid (they are reused): an owner
is a machine, a boot, a pid space, a pid and when it started. Where those cannot be asked, the last touch
decides.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from datafetch.errors import Locked
from datafetch.store import machine
from datafetch.store.files import make_folder, refuse_links, sync_fd, user_errors
from datafetch.store.flags import FILE_MODE, NEW

BEAT = 5.0  # seconds between two touches
SILENCE = 60.0  # seconds without a touch, in the file system's own time, after which an owner may be dead
WATCH = 2 * BEAT + 1  # seconds such an owner is watched before it is declared dead: its clock may have jumped
GRACE = 0.5  # seconds for a file that says nothing: its writer may be between create and write
DEPTH = 6  # takeovers of takeovers, each left by a kill within microseconds
TRIES = 100  # times the file may change hands while we look

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Owner(msgspec.Struct, frozen=True):
    """Who runs. Empty fields could not be found out."""

    id: str
    host: str
    machine: str
    boot: str
    space: str
    pid: int
    start: str
    since: str  # UTC, for people only


def this_process() -> Owner:
    """An owner with a new id that stands for this process."""
    return Owner(
        id=uuid.uuid4().hex,
        host=machine.host(),
        machine=machine.machine_id(),
        boot=machine.boot_id(),
        space=machine.pid_space(),
        pid=os.getpid(),
        start=machine.started(os.getpid()) or "",
        since=datetime.now(UTC).isoformat(timespec="seconds"),
    )


class Lease:
    """The right to write one dataset; `path` lies in its state folder, two levels below the output directory.

    `acquire` and `release` may be repeated; a forked child never releases.
    """

    def __init__(self, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.path = path
        self._sleep = sleep
        self._owner: Owner | None = None
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lease, from a dead owner if need be. Raises Locked when one lives, or NoRoom."""
        if self._owner is not None:
            return
        # The first write of a run: from here on the state folder is known to lie where it seems to lie.
        root, holder, state = self.path.parents[2], self.path.parents[1], self.path.parents[0]
        refuse_links(root, f"{holder.name}/{state.name}")
        make_folder(self.path.parent)
        owner = this_process()
        with user_errors(self.path):
            _take(self.path, owner, self._sleep)
            self._owner = owner
            _sweep(self.path)
        self._ended = threading.Event()
        threading.Thread(target=self._beat, args=(self._ended,), name="lease", daemon=True).start()

    def release(self) -> None:
        """Give the lease back. One that somebody else has taken over in the meantime is left alone."""
        self._ended.set()
        if self._owner is not None and self._owner.pid == os.getpid():
            with suppress(OSError):
                if self.still_mine():
                    os.unlink(self.path)
        self._owner = None

    def still_mine(self) -> bool:
        """Whether the file still names us: ask before publishing, and stop when it does not."""
        if self._owner is None:
            return False
        try:
            found = _read(self.path)
        except OSError:
            return False
        return isinstance(found, Owner) and found.id == self._owner.id

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT):
            if self.still_mine():
                with suppress(OSError):
                    os.utime(self.path)


def _take(path: Path, owner: Owner, sleep: Callable[[float], None], depth: int = 0) -> None:
    """Make `path` name us. To replace a dead owner, take `path`.next in the same way, then look again."""
    for _ in range(TRIES):
        if _create(path, owner):
            return
        found = _read(path)
        if found is None:
            continue  # released just now
        if depth == DEPTH or not _dead(path, found, owner, sleep):
            raise _locked(path, found)
        beside = path.with_name(f"{path.name}.next")
        _take(beside, owner, sleep, depth + 1)
        try:
            with suppress(FileNotFoundError):  # the temp file was swept away by an owner who was first
                if _read(path) == found:
                    os.replace(_write_temp(path, owner), path)
                    return
        finally:
            with suppress(FileNotFoundError):
                os.unlink(beside)
    raise Locked(f"{path} changes hands all the time", "look for a program that starts datafetch in a loop")


def _create(path: Path, owner: Owner) -> bool:
    """Whether `path` did not exist and names us now."""
    temp = _write_temp(path, owner)
    try:
        os.link(temp, path)
        return True
    except (FileExistsError, FileNotFoundError):
        # Also a link that was made while its answer got lost (NFS), or a temp file swept away under us.
        return _names(path, owner)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temp)
    try:
        _fill(path, owner)
    except FileExistsError:
        return False
    return _names(path, owner)


def _names(path: Path, owner: Owner) -> bool:
    found = _read(path)
    return isinstance(found, Owner) and found.id == owner.id


def _write_temp(path: Path, owner: Owner) -> Path:
    temp = path.with_name(f"{path.name}.{owner.id}.tmp")
    with suppress(FileNotFoundError):
        os.unlink(temp)
    _fill(temp, owner)
    return temp


def _fill(path: Path, owner: Owner) -> None:
    """Write a new file that names the owner; nothing of it stays when that fails, FileExistsError aside."""
    fd = os.open(path, NEW, FILE_MODE)
    try:
        with open(fd, "wb") as file:
            file.write(msgspec.json.encode(owner) + b"\n")
            file.flush()
            sync_fd(fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def _read(path: Path) -> Owner | bytes | None:
    """Who owns the file; its bytes when they name nobody; None when there is no file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        data = os.read(fd, 4096)
    finally:
        os.close(fd)
    try:
        return msgspec.json.decode(data, type=Owner)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data


def _dead(path: Path, found: Owner | bytes, me: Owner, sleep: Callable[[float], None]) -> bool:
    """Whether the owner is certainly gone. Cases, in this order:

    names nobody                 dead when it still names nobody after a moment
    this machine, another boot   dead: the machine was started anew
    this boot and pid space      dead when the process is gone, or began at another time
    anywhere else                dead when silent for long, and silent still while we watch
    """
    if isinstance(found, bytes):
        sleep(GRACE)
        return _read(path) == found
    if (found.host, found.machine) == (me.host, me.machine) and found.boot and me.boot:
        if found.boot != me.boot:
            return True
        if found.space == me.space:
            start = machine.started(found.pid)
            return start is None or bool(start and found.start and start != found.start)
    return _silent(path, me) and _unchanged(path, sleep)


def _silent(path: Path, me: Owner) -> bool:
    """Whether the last touch is long ago, or in the future: then a clock has jumped and says nothing."""
    temp = _write_temp(path, me)
    try:
        # Both times are given by the file system, so the clocks of two machines are never compared.
        return abs(os.stat(temp).st_mtime - os.stat(path).st_mtime) > SILENCE
    except FileNotFoundError:
        return False
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temp)


def _unchanged(path: Path, sleep: Callable[[float], None]) -> bool:
    try:
        before = os.stat(path)
        sleep(WATCH)
        after = os.stat(path)
    except FileNotFoundError:
        return False
    return (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def _sweep(path: Path) -> None:
    """Remove what killed contenders left. A living one whose file goes writes it again."""
    for temp in path.parent.glob(f"{path.name}.*.tmp"):
        with suppress(OSError):
            os.unlink(temp)


def _locked(path: Path, found: Owner | bytes) -> Locked:
    dataset = path.parent.name
    if isinstance(found, bytes):
        return Locked(f"another run of {dataset} is just starting", "try again in a minute")
    who = f"process {found.pid} on {found.host}, since {found.since}"
    hint = "wait until it ends, or stop it; a run that died elsewhere is taken over after a minute of silence"
    return Locked(f"another run of {dataset} is at work: {who}", hint)
