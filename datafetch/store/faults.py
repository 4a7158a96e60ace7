"""Faults of the disk in plain words: which error a user meets for an OSError, and what to do about it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datafetch.errors import DatafetchError, NoRoom

_AGAIN = "make room and run the same command again: what is here is kept"
_ELSEWHERE = "check who owns it and its permissions, or choose another folder with -o"
_IN_THE_WAY = "move it away, or choose another folder with -o"
_WORDS = {
    errno.ENOSPC: ("no space left on the disk that holds {path}", _AGAIN),
    errno.EDQUOT: ("the disk quota is used up at {path}", _AGAIN),
    errno.EFBIG: ("{path} is larger than its file system allows", "choose another disk with -o"),
    errno.EROFS: ("{path} is on a file system that is mounted read-only", _ELSEWHERE),
    errno.EACCES: ("{path} cannot be written: permission denied", _ELSEWHERE),
    errno.EPERM: ("{path} cannot be written: operation not permitted", _ELSEWHERE),
    errno.EMFILE: ("too many open files, at {path}", "raise the limit (ulimit -n 4096), or lower --jobs"),
    errno.ENFILE: ("too many open files on this machine, at {path}", "close other programs, or lower --jobs"),
    errno.EIO: ("the disk reports an input/output error at {path}", "look after the disk, then run again"),
    errno.ESTALE: ("the network file system lost {path}", "run the same command again"),
    errno.ENODEV: ("the disk that holds {path} is gone", "mount it, then run the same command again"),
    errno.ENOTDIR: ("{path} is not a folder, or a link stands where a folder belongs", _IN_THE_WAY),
    errno.ELOOP: ("{path} is a link, and links are never followed here", _IN_THE_WAY),
    errno.EEXIST: ("{path} is in the way", _IN_THE_WAY),
    errno.ENOTEMPTY: ("{path} is in the way and not empty", _IN_THE_WAY),
    errno.EISDIR: ("{path} is a folder where a file belongs", _IN_THE_WAY),
    errno.ENAMETOOLONG: ("{path} is longer than this file system allows", "choose a shorter folder with -o"),
    errno.EXDEV: ("{path} lies on another file system than its state folder", "choose one disk with -o"),
    errno.EILSEQ: ("this file system cannot hold the name {path}", "choose another disk with -o"),
}


def as_user_error(error: OSError, path: Path | str) -> DatafetchError:
    """What a user meets: NoRoom with a hint for faults of disk or rights, else one line with exit code 1."""
    # Names may hold bytes that are no text; a message must stay printable.
    shown = os.fsencode(path).decode("utf-8", "replace")
    if error.errno in _WORDS:
        words, hint = _WORDS[error.errno]
        return NoRoom(words.format(path=shown), hint)
    return DatafetchError(f"{shown}: {error.strerror or error}")


@contextmanager
def user_errors(path: Path | str) -> Iterator[None]:
    """Turn an OSError of the block into what `as_user_error` makes of it."""
    try:
        yield
    except OSError as error:
        raise as_user_error(error, path) from error


@contextmanager
def read_errors(path: Path | str) -> Iterator[None]:
    """As `user_errors`, for a block that only reads: a right that lacks is that to read."""
    try:
        yield
    except PermissionError as error:
        shown = os.fsencode(path).decode("utf-8", "replace")
        words = f"{shown} cannot be read: {(error.strerror or 'permission denied').lower()}"
        raise NoRoom(words, "check who owns it and its permissions") from error
    except OSError as error:
        raise as_user_error(error, path) from error


def refuse_links(root: Path, below: str) -> None:
    """NoRoom when a component of the relative path `below` is a link in `root`; nothing is followed."""
    path = root
    for name in below.split("/"):
        path = path / name
        if path.is_symlink():
            raise as_user_error(OSError(errno.ELOOP, os.strerror(errno.ELOOP)), path)
