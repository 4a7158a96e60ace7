"""Moving a finished tree into place by renames: nothing that stands there is overwritten unless it is ours.

Both ends lie below one Tree and no link is followed at either. What has moved already is not looked for
again, so everything here may be called once more after a crash at any point.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from datafetch.store.files import sync_folder_fd
from datafetch.store.flags import FOLDER
from datafetch.store.tree import Tree

Ours = Callable[[str], bool]  # whether the file at this path below the root may be replaced

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def conflicts(tree: Tree, source: str, target: str, ours: Ours) -> tuple[str, ...]:
    """Paths at or below `target` that `move_in` would have to overwrite, and may not. Nothing is moved."""
    found: list[str] = []
    with _parents(tree, source, target) as ends:
        if ends:
            _conflicts(*ends, target, ours, found)
    return tuple(found)


def move_in(tree: Tree, source: str, target: str, ours: Ours) -> None:
    """Merge `source` into `target`, durably: one rename when nothing, or an empty folder, stands there.

    An absent source means that all is done. FileExistsError when something in the way is not ours.
    """
    with _parents(tree, source, target) as ends:
        if ends:
            source_fd, name, target_fd, target_name = ends
            _move(source_fd, name, target_fd, target_name, target, ours)
            sync_folder_fd(target_fd)
            sync_folder_fd(source_fd)


def move_files(tree: Tree, source: str, target: str, paths: Iterable[str]) -> None:
    """Move the files `paths`, if they are below `source`, to below `target`; not durable before a sync."""
    for path in paths:
        folder, _, name = path.rpartition("/")
        try:
            source_fd = tree.folder(f"{source}/{folder}")
            if _mode(name, source_fd):
                target_fd = tree.makedirs(f"{target}/{folder}")
                os.rename(name, name, src_dir_fd=tree.folder(f"{source}/{folder}"), dst_dir_fd=target_fd)
        except FileNotFoundError:
            continue


@contextmanager
def _parents(tree: Tree, source: str, target: str) -> Iterator[tuple[int, str, int, str] | None]:
    """Folder and name of both ends; None when the source is absent."""
    source_folder, _, source_name = source.rpartition("/")
    target_folder, _, target_name = target.rpartition("/")
    try:
        source_fd = os.dup(tree.folder(source_folder))
    except FileNotFoundError:
        yield None
        return
    try:
        target_fd = os.dup(tree.makedirs(target_folder))
        try:
            yield (source_fd, source_name, target_fd, target_name) if _mode(source_name, source_fd) else None
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)


def _mode(name: str, folder: int) -> int:
    """Type and rights of an entry, links not followed; 0 when there is none."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


@contextmanager
def _inside(source: int, name: str, target: int, target_name: str) -> Iterator[tuple[int, int]]:
    source_fd = os.open(name, FOLDER, dir_fd=source)
    try:
        target_fd = os.open(target_name, FOLDER, dir_fd=target)
        try:
            yield source_fd, target_fd
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)


def _conflicts(
    source: int, name: str, target: int, target_name: str, path: str, ours: Ours, found: list[str]
) -> None:
    there = _mode(target_name, target)
    if not there:
        return
    folder = stat.S_ISDIR(_mode(name, source))
    if folder and stat.S_ISDIR(there):
        with _inside(source, name, target, target_name) as (source_fd, target_fd):
            for child in sorted(os.listdir(source_fd)):
                _conflicts(source_fd, child, target_fd, child, f"{path}/{child}", ours, found)
    elif folder or not stat.S_ISREG(there) or not ours(path):
        found.append(path)


def _move(source: int, name: str, target: int, target_name: str, path: str, ours: Ours) -> None:
    if not stat.S_ISDIR(_mode(name, source)):
        _move_file(source, name, target, target_name, path, ours)
        return
    try:
        os.rename(name, target_name, src_dir_fd=source, dst_dir_fd=target)
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    with _inside(source, name, target, target_name) as (source_fd, target_fd):
        for child in os.listdir(source_fd):
            _move(source_fd, child, target_fd, child, f"{path}/{child}", ours)
        sync_folder_fd(target_fd)
    os.rmdir(name, dir_fd=source)


def _move_file(source: int, name: str, target: int, target_name: str, path: str, ours: Ours) -> None:
    """A link to the new name, then away with the old: unlike rename, this cannot overwrite a user's file."""
    try:
        os.link(name, target_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError:
        there = os.stat(target_name, dir_fd=target, follow_symlinks=False)
        here = os.stat(name, dir_fd=source, follow_symlinks=False)
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):  # else killed between the two steps
            if not stat.S_ISREG(there.st_mode) or not ours(path):
                raise
            os.replace(name, target_name, src_dir_fd=source, dst_dir_fd=target)
            return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if _mode(target_name, target) and not ours(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from error
        os.rename(name, target_name, src_dir_fd=source, dst_dir_fd=target)
        return
    os.unlink(name, dir_fd=source)
