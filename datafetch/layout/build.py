"""From staged files to the dataset's own folder: complete or absent, and nothing of the user's touched.

An artifact is staged when `staging/<slug>` holds its files under their final names and its seal, the file
`staging/<slug>.jsonl`, lists them. Publishing moves the staged folders together in `assembling/`, compares
them with the seals and renames the result in. Seals outlive all of that: whoever was killed publishes
again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import msgspec

from datafetch.errors import Damaged, NoRoom, UnsafeArchive
from datafetch.foldnames import fold
from datafetch.layout.names import meeting
from datafetch.model import FileRecord
from datafetch.store.files import (
    Tree,
    atomic_file,
    remove_entry,
    remove_tree,
    sync_dir,
    sync_fd,
    sync_tree,
    user_errors,
    write_atomic,
)
from datafetch.store.merge import conflicts, move_files, move_in

SHOWN = 3  # paths that a message names before it counts the rest


# --- Seals -------------------------------------------------------------------------------------------------


def seal(state: Path, slug: str, records: Iterable[FileRecord]) -> None:
    """Declare `staging/<slug>` complete. Its files must be durable before."""
    encoder = msgspec.json.Encoder()
    with atomic_file(_seal(state, slug)) as file:
        for record in records:
            file.write(encoder.encode(record) + b"\n")


def sealed(state: Path, slug: str) -> tuple[FileRecord, ...] | None:
    """The files of a staged artifact; None when it is not sealed."""
    path = _seal(state, slug)
    with user_errors(path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    return tuple(msgspec.json.Decoder(FileRecord).decode_lines(data))


def staged_paths(state: Path, slug: str) -> Iterator[str]:
    """The paths of a staged artifact, one at a time; none when it is not sealed."""
    decode = msgspec.json.Decoder(_Path).decode
    path = _seal(state, slug)
    with user_errors(path), suppress(FileNotFoundError), open(path, "rb") as file:
        for line in file:
            yield decode(line).path


class _Path(msgspec.Struct, gc=False):
    path: str


def drop_seals(state: Path, slugs: Iterable[str]) -> None:
    """Forget that these artifacts are staged and remove what is left of it; may be called twice.

    `staging` itself stays: another artifact may be on its way into it.
    """
    for slug in slugs:
        remove_tree(_seal(state, slug))
        remove_tree(state / "staging" / slug)


def _seal(state: Path, slug: str) -> Path:
    return state / "staging" / f"{slug}.jsonl"


# --- Publishing --------------------------------------------------------------------------------------------


def publish(
    state: Path,
    root: Path,
    folder: str,
    slugs: Sequence[str],
    owned: Mapping[str, str],
    others: Collection[str] = (),
) -> tuple[FileRecord, ...]:
    """Bring the sealed artifacts `slugs` of one folder into `root`, durably; returns their files.

    Only sealed files are published; whatever else was staged is removed. May be called again after a crash,
    until the caller has written the manifest and dropped the seals. `owned` are the paths that the manifest
    gives to these artifacts, which may be replaced; `others` its other paths, which may not, whatever they
    hold: each path is counted for one artifact. A file of the user's with the very bytes is adopted.

    Raises UnsafeArchive, with nothing moved at all, when files of these artifacts meet each other or
    `others`, letter case and Unicode form aside. Raises, with nothing moved into `root`: NoRoom when
    another file of theirs or a link is in the way; Damaged when staged files are gone (those artifacts are
    unsealed, to be staged anew).
    """
    records = {slug: _expected(state, slug) for slug in slugs}
    everything = _by_path(records)
    _refuse_meeting(everything, folder, others)
    here = (state / "assembling").relative_to(root).as_posix()
    with user_errors(root / folder), Tree(root) as tree:
        _assemble(tree, state, folder, {slug: records[slug] for slug in sorted(slugs)})
        _demand_whole(tree, state, here, records)
        for path in _clear_the_way(tree, f"{here}/{folder}", folder, everything, owned):
            tree.remove(f"{here}/{path}")
        move_in(tree, f"{here}/{folder}", folder, owned.__contains__)
    remove_tree(_marker(state, folder))
    return tuple(everything.values())


def _expected(state: Path, slug: str) -> tuple[FileRecord, ...]:
    records = sealed(state, slug)
    if records is None:
        raise ValueError(f"{slug} is not staged")
    return records


def _by_path(records: Mapping[str, Sequence[FileRecord]]) -> dict[str, FileRecord]:
    """Every file of all artifacts; UnsafeArchive when two could not stand side by side."""
    found: dict[str, FileRecord] = {}
    for record in chain.from_iterable(records.values()):
        first = found.setdefault(record.path, record)
        if first is not record:
            raise UnsafeArchive(f"{first.artifact} and {record.artifact} both bring {record.path}")
    if pair := meeting(found):
        raise UnsafeArchive(f"{pair[0]} and {pair[1]} are one name where case or Unicode form does not count")
    return found


def _refuse_meeting(records: Mapping[str, FileRecord], folder: str, others: Iterable[str]) -> None:
    """UnsafeArchive when a file cannot stand beside the `others` below `folder`.

    Those are not compared with each other: what was published so long ago harms nobody now.
    """
    below = f"{folder}/"
    files: dict[str, str] = {}  # folded -> as spelled
    folders: dict[str, str] = {}
    fine = {folder}  # folders of `others`, as spelled, that have been compared

    def refuse(path: str, other: str) -> None:
        record = records.get(path) or next(r for r in records.values() if r.path.startswith(f"{path}/"))
        raise UnsafeArchive(
            f"{record.artifact}: {record.path} cannot stand beside {other}, published by another artifact",
            hint="choose another folder with -o: the two do not fit into one",
        )

    for path in records if others else ():
        files[fold(path)] = path
        above = path.rpartition("/")[0]
        while above not in fine and (key := fold(above)) not in folders:
            folders[key] = above
            above = above.rpartition("/")[0]
    for other in others:
        if not other.startswith(below):
            continue
        key = fold(other)
        if met := files.get(key) or folders.get(key):
            refuse(met, other)
        above = other.rpartition("/")[0]
        while above not in fine:
            fine.add(above)
            key = fold(above)
            if key in files or folders.get(key, above) != above:
                refuse(files.get(key) or folders[key], other)
            above = above.rpartition("/")[0]


def _marker(state: Path, folder: str) -> Path:
    """The file that says which artifacts are being put together for a folder."""
    return state / "assembling" / f"{folder}.json"


def _assemble(tree: Tree, state: Path, folder: str, records: Mapping[str, Sequence[FileRecord]]) -> None:
    """Move the sealed files of these artifacts together, and no others: a killed run may have wanted more."""
    here = state.relative_to(tree.root).as_posix()
    marker = _marker(state, folder)
    slugs = list(records)
    before = msgspec.json.decode(marker.read_bytes(), type=list[str]) if marker.exists() else []
    if before and before != slugs:
        with Tree(tree.root) as passing:  # one that forgets the folders that are removed here
            for slug in before:
                paths = [record.path for record in sealed(state, slug) or ()]
                move_files(passing, f"{here}/assembling", f"{here}/staging/{slug}", paths)
        for slug in before:  # and not all of staging, where another artifact may be at work
            if (state / "staging" / slug).is_dir():
                sync_tree(state / "staging" / slug)
        sync_dir(state / "staging")
        remove_tree(state / "assembling" / folder)
    write_atomic(marker, msgspec.json.encode(slugs))
    _keep_only(tree.root, f"{here}/assembling", folder, chain.from_iterable(records.values()))
    for slug, files in records.items():
        _keep_only(tree.root, f"{here}/staging/{slug}", folder, files)
        move_in(tree, f"{here}/staging/{slug}/{folder}", f"{here}/assembling/{folder}", lambda _: True)


def _keep_only(root: Path, base: str, folder: str, records: Iterable[FileRecord]) -> None:
    """Remove what stands below `base/folder` and is neither one of these files nor a folder above one."""
    files = {record.path for record in records}
    folders: set[str] = set()
    for path in files:
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    waiting = [folder]
    with Tree(root) as tree:  # one that forgets the folders, which are about to be moved
        while waiting:
            above = waiting.pop()
            try:
                fd = tree.folder(f"{base}/{above}")
            except FileNotFoundError:
                continue
            with os.scandir(fd) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
            for name, is_folder in found:
                path = f"{above}/{name}"
                if is_folder and path in folders:
                    waiting.append(path)
                elif is_folder or path not in files:
                    remove_entry(fd, name)


def _demand_whole(tree: Tree, state: Path, here: str, records: Mapping[str, Sequence[FileRecord]]) -> None:
    """Each sealed file stands here or in its final place, whole; or Damaged, and its artifact unsealed."""
    lost: dict[str, list[str]] = {}
    for slug, files in records.items():
        for file in files:
            size = tree.size(f"{here}/{file.path}")
            if (tree.size(file.path) if size is None else size) != file.size:
                lost.setdefault(slug, []).append(file.path)
    if not lost:
        return
    for slug in lost:
        for file in records[slug]:
            tree.remove(f"{here}/{file.path}")
    drop_seals(state, lost)
    paths = list(chain.from_iterable(lost.values()))
    raise Damaged(
        f"{_some(paths)}: staged, but gone or changed before it was built", "run the same command again"
    )


def _clear_the_way(
    tree: Tree, source: str, folder: str, records: Mapping[str, FileRecord], owned: Mapping[str, str]
) -> list[str]:
    """Paths at which the user already has the very bytes; NoRoom when something else is in the way."""
    adopted: list[str] = []

    def may_go(path: str) -> bool:
        if path in owned:
            return True
        if _has(tree, records[path]):
            adopted.append(path)
            return True
        return False

    if blocked := conflicts(tree, source, folder, may_go):
        raise NoRoom(
            f"{_some(blocked)}: in the way, and not ours", "move it away, or choose another folder with -o"
        )
    return adopted


def _has(tree: Tree, record: FileRecord) -> bool:
    """Whether a regular file with these bytes stands at its final path; it is durable then."""
    if tree.size(record.path) != record.size:
        return False
    with open(tree.read(record.path), "rb", buffering=0) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != record.sha256:
            return False
        sync_fd(file.fileno())
    return True


def _some(paths: Sequence[str]) -> str:
    """A few paths, and how many more."""
    more = len(paths) - SHOWN
    return ", ".join(paths[:SHOWN]) + (f" and {more} more" if more > 0 else "")
