"""From staged files to the dataset's own folder: complete or absent, and nothing of the user's touched.

An artifact is staged when `staging/<slug>` holds its files under their final names and its seal, the file
`staging/<slug>.jsonl`, lists them. Publishing moves the staged folders together in `assembling/`, compares
them with the seals and renames the result in. Seals outlive all of that: whoever was killed publishes
again.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from datafetch.errors import Damaged, NoRoom
from datafetch.layout.beside import Beside, Paths
from datafetch.layout.digests import Digests
from datafetch.layout.seals import (
    TOGETHER,
    Staged,
    drop_seals,
    read_seal,
    seal_of,
    staged_paths,
)
from datafetch.model import FileRecord
from datafetch.store.files import (
    Tree,
    remove_entry,
    remove_tree,
    sync_dir,
    sync_fd,
    sync_tree,
    user_errors,
    write_atomic,
)
from datafetch.store.merge import conflicts, move_files, move_in

Seen = tuple[str, os.stat_result]  # a path below the root, and its lstat

SHOWN = 3  # paths that a message names before it counts the rest


def exhaust(seen: Iterable[Seen]) -> None:
    """Have all of them looked at, and keep nothing."""
    deque(seen, maxlen=0)


def publish(
    state: Path,
    root: Path,
    folder: str,
    slugs: Sequence[str],
    owned: Container[str],
    others: Iterable[str] = (),
    saw: Callable[[Iterable[Seen]], None] = exhaust,
) -> None:
    """Bring the sealed artifacts `slugs` of one folder into `root`, durably.

    Only sealed files are published; whatever else was staged is removed. May be called again after a crash,
    until the caller has written the manifest and dropped the seals. `owned` are the paths that the manifest
    gives to these artifacts, which may be replaced; `others` its other paths, which may not, whatever they
    hold: each path is counted for one artifact. A file of the user's with the very bytes is adopted.

    Raises UnsafeArchive, with nothing moved at all, when files of these artifacts meet each other or
    `others`, letter case and Unicode form aside. Raises, with nothing moved into `root`: NoRoom when
    another file of theirs or a link is in the way; Damaged when staged files are gone (those artifacts are
    unsealed, to be staged anew).

    `saw` is given every sealed file that was not in its final place yet, with its lstat, before the first is moved;
    it reads them all. Holds about 24 bytes of each file: the seals are read several times.
    """
    for slug in slugs:
        if not seal_of(state, slug).exists():
            raise ValueError(f"{slug} is not staged")
    seals = {slug: seal_of(state, slug) for slug in slugs}
    paths = _refuse_meeting(seals, folder, others)
    here = (state / "assembling").relative_to(root).as_posix()
    with user_errors(root / folder), Tree(root) as tree:
        _assemble(tree, state, folder, {slug: paths[slug] for slug in sorted(slugs)})
        saw(_whole(tree, state, here, seals))
        _clear_the_way(tree, here, folder, seals, owned)
        move_in(tree, f"{here}/{folder}", folder, owned.__contains__)
    remove_tree(_marker(state, folder))


def forget_assembly(state: Path, folder: str) -> None:
    """Remove what publishing a folder had removed before a power cut brought it back; may be called twice.

    What still has a seal is on its way, and stays.
    """
    marker = _marker(state, folder)
    with user_errors(marker):
        on_the_way = msgspec.json.decode(marker.read_bytes(), type=list[str]) if marker.exists() else None
    if on_the_way is None:
        on_the_way = [path.stem for path in (state / "staging").glob("*.jsonl")]
    if not any(seal_of(state, slug).exists() for slug in on_the_way):
        remove_tree(state / "assembling" / folder)
        remove_tree(marker)


def _refuse_meeting(seals: Mapping[str, Path], folder: str, others: Iterable[str]) -> dict[str, Paths]:
    """The paths of each artifact; UnsafeArchive when not all of them can stand beside each other and `others`."""
    beside, found = Beside(), {slug: Paths() for slug in seals}
    for slug, path in seals.items():
        add = found[slug].add
        for file in read_seal(path, Staged):
            add(file.path)
            beside.add(file.path)

    def named() -> Iterator[tuple[str, str]]:
        return ((file.artifact, file.path) for file in _each(seals))

    beside.refuse_meeting(named)
    beside.refuse_others(named, folder, others)
    return found


def _each(seals: Mapping[str, Path]) -> Iterator[Staged]:
    for path in seals.values():
        yield from read_seal(path, Staged)


def _marker(state: Path, folder: str) -> Path:
    """The file that says which artifacts are being put together for a folder."""
    return state / "assembling" / f"{folder}.json"


def _assemble(tree: Tree, state: Path, folder: str, paths: Mapping[str, Paths]) -> None:
    """Move the sealed files of these artifacts together, and no others: a killed run may have wanted more."""
    here = state.relative_to(tree.root).as_posix()
    marker = _marker(state, folder)
    slugs = list(paths)
    before = msgspec.json.decode(marker.read_bytes(), type=list[str]) if marker.exists() else []
    if before and before != slugs:
        with Tree(tree.root) as passing:  # one that forgets the folders that are removed here
            for slug in before:
                move_files(passing, f"{here}/assembling", f"{here}/staging/{slug}", staged_paths(state, slug))
        for slug in before:  # and not all of staging, where another artifact may be at work
            if (state / "staging" / slug).is_dir():
                sync_tree(state / "staging" / slug)
        sync_dir(state / "staging")
        remove_tree(state / "assembling" / folder)
    write_atomic(marker, msgspec.json.encode(slugs))
    _keep_only(tree.root, f"{here}/assembling", folder, list(paths.values()))
    for slug, own in paths.items():
        _keep_only(tree.root, f"{here}/staging/{slug}", folder, [own])
        move_in(tree, f"{here}/staging/{slug}/{folder}", f"{here}/assembling/{folder}", lambda _: True)


def _keep_only(root: Path, base: str, folder: str, paths: Sequence[Paths]) -> None:
    """Remove what stands below `base/folder` and is neither one of these files nor a folder above one."""
    waiting, kept = [folder], [each.files for each in paths]
    with Tree(root) as tree:  # one that forgets the folders, which are about to be moved
        while waiting:
            above = waiting.pop()
            try:
                fd = tree.folder(f"{base}/{above}")
            except FileNotFoundError:
                continue
            strange = []
            with os.scandir(fd) as entries:
                for entry in entries:
                    path = f"{above}/{entry.name}"
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if is_folder and any(path in each.folders for each in paths):
                        waiting.append(path)
                    elif is_folder or not _in_any(path, kept):
                        strange.append(entry.name)
            for name in strange:
                remove_entry(fd, name)


def _in_any(path: str, sets: Sequence[Container[str]]) -> bool:
    for each in sets:  # noqa: SIM110 - asked of every file, and any() takes as long as the answer
        if path in each:
            return True
    return False


def _whole(tree: Tree, state: Path, here: str, seals: Mapping[str, Path]) -> Iterator[Seen]:
    """The sealed files that stand here, once all do, or are in their final place, whole; else Damaged at the end, and
    the artifacts of the others unsealed.
    """
    lost, told = dict[str, int](), list[str]()
    for slug, path in seals.items():
        files = read_seal(path, Staged)
        while some := list(islice(files, TOGETHER)):
            for file, found in zip(some, tree.stats([f"{here}/{file.path}" for file in some]), strict=True):
                if found is None:
                    whole = tree.size(file.path) == file.size
                else:
                    whole = found.st_size == file.size and stat.S_ISREG(found.st_mode)
                    yield file.path, found
                if not whole:
                    lost[slug] = lost.get(slug, 0) + 1
                    if len(told) < SHOWN:
                        told.append(file.path)
    if not lost:
        return
    for slug in lost:
        for staged in staged_paths(state, slug):
            tree.remove(f"{here}/{staged}")
    drop_seals(state, lost)
    raise Damaged(
        f"{_some(told, sum(lost.values()))}: staged, but gone or changed before it was built",
        "run the same command again",
    )


def _clear_the_way(
    tree: Tree, here: str, folder: str, seals: Mapping[str, Path], owned: Container[str]
) -> None:
    """Drop staged files of which the user already has the very bytes; NoRoom when something else is in the way."""
    there = Digests()  # files that stand where ours belong, and were never published

    def may_go(path: str) -> bool:
        if path not in owned:
            there.add(path)
        return True

    blocked = list(conflicts(tree, f"{here}/{folder}", folder, may_go))
    if not blocked and not there:
        return
    count = len(blocked)
    blocked = sorted(blocked)[:SHOWN]
    for path in seals.values():
        for record in read_seal(path, FileRecord):
            if record.path in there and not _has(tree, record):
                count += 1
                blocked = sorted((*blocked, record.path))[:SHOWN]
    if count:
        raise NoRoom(
            f"{_some(blocked, count)}: in the way, and not ours",
            "move it away, or choose another folder with -o",
        )
    for file in _each(seals):
        if file.path in there:
            tree.remove(f"{here}/{file.path}")


def _has(tree: Tree, record: FileRecord) -> bool:
    """Whether a regular file with these bytes stands at its final path; it is durable then."""
    if tree.size(record.path) != record.size:
        return False
    with open(tree.read(record.path), "rb", buffering=0) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != record.sha256:
            return False
        sync_fd(file.fileno())
    return True


def _some(paths: Sequence[str], count: int) -> str:
    """A few of so many paths, and how many more."""
    more = count - len(paths)
    return ", ".join(paths) + (f" and {more} more" if more > 0 else "")
