"""Stands between a real run and its disk: counts every operation below a folder, makes one fail, kills before one,
or writes all of them down.

Installed in the process itself (`install`), and by `layer/sitecustomize.py` in the processes that it starts. Python's
own file calls are replaced, and what the store asks libc for; nothing else of the package writes to a disk.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

VARIABLE = "DISK_LAYER"
READS = frozenset(("open", "read", "scandir", "stat"))
# What a system may answer to what: the rest would be no test of anything that happens.
MAY = {
    errno.ENOSPC: frozenset(("create", "write", "sync", "mkdir", "rename", "link", "truncate", "reserve")),
    errno.EIO: READS | frozenset(("create", "write", "sync", "mkdir", "rename", "link", "unlink", "truncate", "rmdir")),
    errno.EACCES: frozenset(("open", "create", "mkdir", "rename", "link", "unlink", "rmdir", "scandir", "utime")),
    errno.EMFILE: frozenset(("open", "create", "scandir")),
    errno.EROFS: frozenset(("create", "mkdir", "rename", "link", "unlink", "rmdir", "truncate", "utime")),
}  # fmt: skip


@dataclass(frozen=True)
class Spec:
    """What the layer is to do to operations below `root`, counted from 0 in each process by itself."""

    root: str
    role: str = ""  # whose operations are spoilt: main, or worker; of any other only the log is kept
    at: int = -1  # the operation before which it happens, or the first after that which may fail so
    code: int = 0  # the errno it fails with; 0 ends the process by SIGKILL
    lasting: bool = False  # all operations after it that may fail so fail too
    once: str = ""  # a file that is made when it happens: no other process does the same again
    log: str = ""  # a file that gets a line for each operation: role and kind
    record: str = ""  # a file that gets every change of the disk, as `recorded` reads it
    boot: str = ""  # what the machine calls this start of itself
    cores: int = 0  # how many it says it has; nothing else is done then
    no_locks: bool = False  # flock and its like say yes and do nothing; nothing else is done then

    def dump(self) -> str:
        return json.dumps(asdict(self))


class Layer:
    def __init__(self, spec: Spec, role: str) -> None:
        self.spec, self.role = spec, role
        self.root = os.path.realpath(spec.root)
        self.count = 0
        self.lock = threading.RLock()
        self.broken = False
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self.log = os.open(spec.log, flags, 0o644) if spec.log else -1
        self.record = os.open(spec.record, flags, 0o644) if spec.record else -1

    def below(self, path: str) -> bool:
        return path == self.root or path.startswith(f"{self.root}/")

    def step(self, kind: str) -> None:
        """One operation is about to happen; raises what it fails with."""
        with self.lock:
            number = self.count
            self.count += 1
            if self.log >= 0:
                _write(self.log, f"{self.role} {kind}\n".encode())
            if self.role != self.spec.role:
                return
            if self.spec.at < 0 or number < self.spec.at:
                return
            if not self.spec.code:
                if number == self.spec.at and self._first():
                    os.kill(os.getpid(), signal.SIGKILL)
            elif kind in MAY[self.spec.code] and (self.broken or self._first()):
                if self.broken and not self.spec.lasting:
                    return
                self.broken = True
                raise OSError(self.spec.code, os.strerror(self.spec.code))

    def _first(self) -> bool:
        if not self.spec.once:
            return True
        try:
            os.close(_real["open"](self.spec.once, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            return False
        return True

    def say(self, *event: Any) -> None:
        """Writes down a change that has happened; the lock is held since before it."""
        if self.record >= 0:
            data = pickle.dumps(event)
            _write(self.record, len(data).to_bytes(4, "little") + data)


_write, _stat, _fstat, _readlink = os.write, os.stat, os.fstat, os.readlink
_real = {name: getattr(os, name) for name in dir(os)}


def _of_fd(fd: int) -> str:
    try:
        return _readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""


def _full(path: Any, dir_fd: int | None) -> str:
    if isinstance(path, int):
        return _of_fd(path)
    text = os.fsdecode(path)
    if not text.startswith("/"):
        text = os.path.join(os.getcwd() if dir_fd is None else _of_fd(dir_fd), text)
    return os.path.normpath(text)


def _at(full: str) -> tuple[int, str]:
    """The inode of the folder that an entry stands in, and its name."""
    above, _, name = full.rpartition("/")
    return _stat(above).st_ino, name


def _patches(layer: Layer) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Name in `os` -> what takes its place."""

    def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        full = _full(path, dir_fd)
        if not layer.below(full):
            return _real["open"](path, flags, mode, dir_fd=dir_fd)
        with layer.lock:
            there = os.path.lexists(full)
            makes = bool(flags & os.O_CREAT) and not there
            changes = makes or flags & (os.O_TRUNC | os.O_WRONLY | os.O_RDWR)
            layer.step("create" if changes else "open")
            fd = _real["open"](path, flags, mode, dir_fd=dir_fd)
            ino = _fstat(fd).st_ino
            if makes:
                layer.say("create", ino, *_at(full))
            elif flags & os.O_TRUNC:
                layer.say("truncate", ino, 0)
            return fd

    def of_fd(name: str, kind: str, told: Callable[..., None], fd: Any, *args: Any) -> Any:
        number = fd if isinstance(fd, int) else fd.fileno()
        if not layer.below(_of_fd(number)):
            return _real[name](fd, *args)
        with layer.lock:
            layer.step(kind)
            result = _real[name](fd, *args)
            told(number, result, *args)
            return result

    def wrote(fd: int, size: int, data: Any, at: int | None = None) -> None:
        ino = _fstat(fd).st_ino
        if at is None:
            at = os.lseek(fd, 0, os.SEEK_CUR) - size  # right for O_APPEND too: it has moved to the end
        layer.say("write", ino, at, bytes(memoryview(data).cast("B")[:size]))

    def wrote_many(fd: int, size: int, batch: Any, at: int | None = None) -> None:
        wrote(fd, size, b"".join(map(bytes, batch)), at)

    def nothing(*ignored: Any) -> None: ...

    def synced(fd: int, *ignored: Any) -> None:
        layer.say("sync", _fstat(fd).st_ino)

    def cut(fd: int, result: None, size: int) -> None:
        layer.say("truncate", _fstat(fd).st_ino, size)

    def mkdir(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        full = _full(path, dir_fd)
        if not layer.below(full):
            _real["mkdir"](path, mode, dir_fd=dir_fd)
            return
        with layer.lock:
            layer.step("mkdir")
            _real["mkdir"](path, mode, dir_fd=dir_fd)
            layer.say("mkdir", _stat(full).st_ino, *_at(full))

    def leave(name: str, kind: str, path: Any, *, dir_fd: int | None = None) -> None:
        full = _full(path, dir_fd)
        if not layer.below(full):
            _real[name](path, dir_fd=dir_fd)
            return
        with layer.lock:
            layer.step(kind)
            where = _at(full)
            _real[name](path, dir_fd=dir_fd)
            layer.say(kind, *where)

    def move(
        name: str, src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        old, new = _full(src, src_dir_fd), _full(dst, dst_dir_fd)
        with layer.lock:
            if layer.below(new) or layer.below(old):
                layer.step("rename")
            _real[name](src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            if layer.below(new):
                layer.say("rename", *_at(old), *_at(new))

    def link(
        src: Any,
        dst: Any,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        new = _full(dst, dst_dir_fd)
        how = {"src_dir_fd": src_dir_fd, "dst_dir_fd": dst_dir_fd, "follow_symlinks": follow_symlinks}
        with layer.lock:
            if layer.below(new):
                layer.step("link")
            _real["link"](src, dst, **how)
            if layer.below(new):
                layer.say("link", os.lstat(new).st_ino, *_at(new))

    def looked(name: str, kind: str, path: Any = ".", *args: Any, **how: Any) -> Any:
        if layer.below(_full(path, how.get("dir_fd"))):
            layer.step(kind)
        return _real[name](path, *args, **how)

    yield "open", open_
    for name in ("write", "pwrite"):
        yield name, partial(of_fd, name, "write", wrote)
    for name in ("writev", "pwritev"):
        yield name, partial(of_fd, name, "write", wrote_many)
    for name in ("read", "pread", "readv", "preadv"):
        yield name, partial(of_fd, name, "read", nothing)
    for name in ("fsync", "fdatasync"):
        yield name, partial(of_fd, name, "sync", synced)
    yield "ftruncate", partial(of_fd, "ftruncate", "truncate", cut)
    yield "mkdir", mkdir
    for name, kind in (("unlink", "unlink"), ("remove", "unlink"), ("rmdir", "rmdir")):
        yield name, partial(leave, name, kind)
    for name in ("rename", "replace"):
        yield name, partial(move, name)
    yield "link", link
    for name, kind in (("scandir", "scandir"), ("listdir", "scandir"), ("utime", "utime"), ("chmod", "utime"),
                       ("stat", "stat")):  # fmt: skip
        yield name, partial(looked, name, kind)


class _Raw(io.FileIO):
    """The file object that `open` gives, its every call through `os` as the layer has it."""

    def write(self, data: Any) -> int:
        return os.write(self.fileno(), data)

    def readinto(self, buffer: Any) -> int:
        data = os.read(self.fileno(), len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        found = []
        while data := os.read(self.fileno(), 1 << 20):
            found.append(data)
        return b"".join(found)

    def read(self, size: int | None = -1) -> bytes:
        return self.readall() if size is None or size < 0 else os.read(self.fileno(), size)


def _opener(layer: Layer, real: Callable[..., Any]) -> Callable[..., Any]:
    def open_(
        file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None, *more: Any, **how: Any
    ) -> Any:
        if not layer.below(_full(file, None)) or how.get("opener") or more:
            return real(file, mode, buffering, encoding, *more, **how)
        close = how.pop("closefd", True)
        plain = mode.replace("b", "").replace("t", "")
        if not isinstance(file, int):
            kinds = {
                "r": os.O_RDONLY,
                "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
            }
            flags = kinds[plain[0]]
            if "+" in plain:
                flags = flags & ~os.O_WRONLY | os.O_RDWR
            file = os.open(file, flags | os.O_CLOEXEC, 0o666)
        raw = _Raw(file, plain.replace("x", "w"), closefd=close)
        if buffering == 0:
            return raw
        kind = io.BufferedRandom if "+" in plain else io.BufferedReader if plain == "r" else io.BufferedWriter
        buffer = kind(raw)  # type: ignore[arg-type]
        return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding, **how)  # type: ignore[arg-type]

    return open_


def install(spec: Spec, role: str = "main") -> Layer:
    """Put the layer between this process, from now on, and the disk. There is no way back."""
    layer = Layer(spec, role)
    if spec.cores:
        os.cpu_count = lambda: spec.cores
    if spec.no_locks:
        fcntl.flock = fcntl.lockf = lambda *ignored: None
    if spec.cores or spec.no_locks:
        return layer
    for name, patch in list(_patches(layer)):
        setattr(os, name, patch)
    builtins.open = io.open = _opener(layer, io.open)
    os.environ[VARIABLE] = spec.dump()
    _install_libc(layer)
    return layer


def _install_libc(layer: Layer) -> None:
    """What the store asks libc for: one sync of the whole file system, and room set aside. No clones: of those
    nothing would be written down."""
    from datafetch.store import durable, links, machine, room

    whole, reserve = durable._syncfs, room.reserve

    def syncfs(root: Path) -> bool:
        with layer.lock:
            layer.step("sync")
            done = whole(root)
            if done:
                layer.say("syncfs")
            return done

    def reserved(fd: int, size: int) -> None:
        with layer.lock:
            layer.step("reserve")
            reserve(fd, size)
            if _fstat(fd).st_size < size:
                layer.say("truncate", _fstat(fd).st_ino, size)

    durable._syncfs = syncfs
    links._clone = lambda fd, out: False
    for module in [m for name, m in sys.modules.items() if name.startswith("datafetch") and m is not None]:
        if getattr(module, "reserve", None) is reserve:
            module.reserve = reserved  # type: ignore[attr-defined]
    if layer.spec.boot:
        text = machine._text
        machine._text = lambda path: layer.spec.boot if path.endswith("/boot_id") else text(path)


def from_environment() -> None:
    """In a process that a run has started: what `install` left for it."""
    told = os.environ.get(VARIABLE)
    if told:
        install(Spec(**json.loads(told)), "worker")


def recorded(path: Path) -> list[tuple[Any, ...]]:
    """The changes that a run made to its disk, in their order."""
    data, found, at = path.read_bytes() if path.exists() else b"", [], 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        found.append(pickle.loads(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def steps(path: Path) -> dict[str, list[str]]:
    """Role -> the kinds of its operations in their order, as a log has them."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        role, _, kind = line.partition(" ")
        found.setdefault(role, []).append(kind)
    return found
