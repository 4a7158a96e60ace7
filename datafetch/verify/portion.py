"""One portion of a manifest held against the tree: a stat for each file, and a read of those that have changed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from datafetch.model import Why
from datafetch.store.closing import Closing
from datafetch.store.faults import read_errors
from datafetch.store.files import Tree
from datafetch.store.flags import READ
from datafetch.store.inventory import Entry
from datafetch.verify.findings import CHANGED, DAMAGED, MISSING, SIZE, UNDECODABLE, Finding, encoded
from datafetch.verify.sights import Kept, Sight, sight_of

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")

_CHUNK = 1 << 20  # bytes that are read at once: a small file is read whole
_DECODED = 32 << 20  # bytes of an image that are held to decode it


class Level(StrEnum):
    """How closely to look; each level includes those before it."""

    PRESENCE = "presence"
    SIZE = "size"
    HASH = "hash"
    DECODE = "decode"


class Task(NamedTuple):
    """What is the same for every portion. `known` is a file of sights that need not be read again, or nothing."""

    root: str
    manifest: str
    known: str
    level: str


class Portion(NamedTuple):
    """Where some lines of the manifest begin and end, and what they speak of."""

    start: int
    end: int
    files: int
    bytes: int


class Answer(NamedTuple):
    """What became of a portion. `ok` files passed; of `read` files the content was read."""

    ok: int
    read: int
    counts: Counter[str]
    findings: bytes  # lines, as findings.encoded makes them
    sights: bytes  # lines of the sights of files that were read and are right


class Unread(Exception):
    """Content would have to be read to answer."""


class Looker(Closing):
    """Looks at portions, one after the other."""

    def __init__(self, task: Task, go_on: Callable[[], None]) -> None:
        self._level = Level(task.level)
        self._go_on = go_on
        self._manifest = os.open(task.manifest, os.O_RDONLY | os.O_CLOEXEC)
        self._tree = Tree(Path(task.root))
        self._kept = Kept(Path(task.known) if task.known else None)
        self._decode = msgspec.json.Decoder(Entry).decode_lines

    def close(self) -> None:
        self._kept.close()
        self._tree.close()
        if self._manifest >= 0:
            os.close(self._manifest)
        self._manifest = -1

    def look(self, portion: Portion, *, read: bool) -> Answer:
        """Raises Unread when something would have to be read and may not be; NoRoom for what cannot be looked at;
        what `go_on` raises, which is called for each file that is read and each piece of it.
        """
        rows = self._decode(os.pread(self._manifest, portion.end - portion.start, portion.start))
        level = self._level
        reads, sized = level in (Level.HASH, Level.DECODE), level is not Level.PRESENCE
        known = self._kept.between(rows[0].path, rows[-1].path) if reads else {}
        ok = count = 0
        bad, sights, encode = list[Finding](), list[bytes](), msgspec.json.Encoder().encode
        above, fd, why = "", -1, ""
        for row in rows:
            path = row.path
            folder, _, name = path.rpartition("/")
            if folder != above or fd < 0:
                above = folder
                fd, why = self._folder(folder)
            found = self._stat(path, fd, name) if fd >= 0 else None
            if found is None:
                bad.append(Finding(path, MISSING, why or "not there"))
            elif not stat.S_ISREG(found.st_mode):
                bad.append(Finding(path, CHANGED, f"{_kind(found.st_mode)} stands in its place"))
            elif sized and found.st_size != row.size:
                bad.append(Finding(path, SIZE, f"{found.st_size} bytes, expected {row.size}"))
            elif not reads or _is_known(known.get(path), found, level is Level.DECODE and is_image(path)):
                ok += 1
            elif not read:
                raise Unread
            else:
                count += 1
                wrong, decoded = self._read(row, fd, name)
                if wrong is not None:
                    bad.append(wrong)
                else:
                    ok += 1
                if wrong is None or wrong.why == UNDECODABLE:
                    sights.append(encode(sight_of(path, found, decoded)) + b"\n")
        counts = Counter(finding.why for finding in bad)
        return Answer(ok, count, counts, b"".join(map(encoded, bad)), b"".join(sights))

    def _folder(self, folder: str) -> tuple[int, str]:
        """Its descriptor, good until the next call; or -1, and why there is none."""
        try:
            with read_errors(f"{self._tree.root}/{folder}"):
                try:
                    return self._tree.folder(folder), ""
                except FileNotFoundError:
                    return -1, "not there"
                except OSError as error:
                    if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                        raise
                    return -1, "not there: something else stands in the place of its folder"
        except ValueError:
            return -1, "not a path that could be published"

    def _stat(self, path: str, fd: int, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=fd, follow_symlinks=False) if name not in ("", ".", "..") else None
        except (FileNotFoundError, ValueError):
            return None
        except OSError:
            with read_errors(f"{self._tree.root}/{path}"):
                raise

    def _read(self, row: Entry, fd: int, name: str) -> tuple[Finding | None, bool]:
        """What is wrong with the bytes of a file, if anything; whether they were decoded."""
        self._go_on()
        image = self._level is Level.DECODE and is_image(row.path)
        try:
            digest, data = self._digest(row, fd, name, hold=image and row.size <= _DECODED)
        except OSError as error:
            return Finding(
                row.path, DAMAGED, f"cannot be read: {(error.strerror or 'unknown').lower()}"
            ), False
        if digest != row.sha256:
            text = f"sha256 {digest[:12]}…, expected {row.sha256[:12]}…"
            return Finding(row.path, DAMAGED, text), False
        if not image:
            return None, False
        from datafetch.images.check import Limits, check

        # What is too large to be decoded within our limits is left at its hash, which is right.
        wrong = check(data, Limits()) if row.size <= _DECODED else None
        if isinstance(wrong, Why) and wrong is not Why.TOO_LARGE:
            return Finding(row.path, UNDECODABLE, wrong), False
        return None, True

    def _digest(self, row: Entry, fd: int, name: str, *, hold: bool) -> tuple[str, bytes]:
        """SHA-256 of what lies there now, and the content if it is to be held; perhaps else. Raises OSError."""
        # Not to be kept waiting by what took the place of the file since it was looked at, such as a pipe.
        file = os.open(name, READ | os.O_NONBLOCK, dir_fd=fd)
        try:
            if row.size < _CHUNK or hold:
                data = _whole(file, row.size)
                return hashlib.sha256(data).hexdigest(), data
            digest, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK))
            while size := os.readv(file, [buffer]):
                digest.update(buffer[:size])
                self._go_on()
            return digest.hexdigest(), b""
        finally:
            os.close(file)


def is_image(path: str) -> bool:
    """By its name."""
    return path.lower().endswith(IMAGES)


def _whole(fd: int, size: int) -> bytes:
    """What a file holds that should have so many bytes; of one that has more, one byte more."""
    data = os.read(fd, size + 1)
    while len(data) < size and (more := os.read(fd, size + 1 - len(data))):
        data += more
    return data


def _is_known(sight: Sight | None, found: os.stat_result, decode: bool) -> bool:
    """Whether a file stands as it did when its bytes were right, and were decoded if that is asked for."""
    return (
        sight is not None
        and sight.ctime_ns == found.st_ctime_ns
        and sight.mtime_ns == found.st_mtime_ns
        and sight.inode == found.st_ino
        and sight.size == found.st_size
        and (sight.decoded or not decode)
    )


def _kind(mode: int) -> str:
    for is_one, word in (
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if is_one(mode):
            return word
    return "a device"
