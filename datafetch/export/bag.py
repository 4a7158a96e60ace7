"""A dataset as a BagIt bag (RFC 8493): its files below `data/`, with a manifest that any validator checks."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datafetch import __version__
from datafetch.errors import Damaged, NoRoom
from datafetch.layout import manifest
from datafetch.model import Event, Recipe
from datafetch.store.files import Tree, make_folder, remove_tree, sync_dir, sync_tree, user_errors
from datafetch.store.home import Home
from datafetch.store.links import take
from datafetch.store.stock import tree_digest

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_TOLD = 500  # files between two events


@dataclass(frozen=True, slots=True)
class Bag:
    path: Path
    files: int
    bytes: int  # of the payload


def write_bag(
    home: Home,
    recipe: Recipe,
    target: Path,
    *,
    link: bool,
    hint: str,
    emit: Callable[[Event], None],
    go_on: Callable[[], None],
) -> Bag:
    """Make the folder `target`, complete or not at all; every byte is read, and is what was published.

    Files share their blocks with those of the dataset where the file system can; else, with `link`, they are second
    names of them; else copies. Raises NoRoom when something has the name already, Damaged when a file is not what was
    published, or with this hint when none is; what `go_on` raises. What a killed run left is removed by the next.
    """
    if os.path.lexists(target):
        raise NoRoom(f"{target} is in the way", "move it away, or choose another name with -o")
    make_folder(target.parent)
    temp = target.with_name(f".{target.name}.bag.tmp")
    remove_tree(temp)
    try:
        with user_errors(temp):
            os.mkdir(temp)
            with Tree(temp) as tree:
                bag = _fill(home, recipe, tree, target, link, hint, emit, go_on)
            sync_tree(temp)
            if os.path.lexists(target):  # rename would take the place of an empty folder
                raise NoRoom(f"{target} is in the way", "move it away, or choose another name with -o")
            os.rename(temp, target)
            sync_dir(target.parent)
    finally:
        remove_tree(temp)
    return bag


def _fill(
    home: Home,
    recipe: Recipe,
    tree: Tree,
    target: Path,
    link: bool,
    hint: str,
    emit: Callable[[Event], None],
    go_on: Callable[[], None],
) -> Bag:
    def stop() -> bool:
        go_on()
        return False

    files = size = 0
    tags = dict[str, str]()
    with _tag(tree, "manifest-sha256.txt", tags) as write:
        for line in manifest.with_seals(home.manifest, ()):
            go_on()
            try:
                found = take(home.root / line.path, tree, f"data/{line.path}", link=link, stop=stop)
            except FileNotFoundError:
                found = None
            if found != (line.size, line.sha256):
                said = "is not there" if found is None else "is not what was published"
                raise Damaged(
                    f"{line.path} {said}", f"datafetch verify {home.dataset} --repair brings it back"
                )
            write(f"{line.sha256}  {encoded(f'data/{line.path}')}\n".encode())
            files, size = files + 1, size + line.size
            if not files % _TOLD:
                emit(Event("verifying", "", done=files))
    if not files:
        raise Damaged(f"{home.dataset} is not in {home.root}", hint)
    with _tag(tree, "bagit.txt", tags) as write:
        write(DECLARATION)
    with _tag(tree, "bag-info.txt", tags) as write:
        write(_info(home, recipe, files, size))
    with _tag(tree, "tagmanifest-sha256.txt", {}) as write:
        write("".join(f"{digest}  {name}\n" for name, digest in sorted(tags.items())).encode())
    return Bag(target, files, size)


@contextmanager
def _tag(tree: Tree, name: str, tags: dict[str, str]) -> Iterator[Callable[[bytes], None]]:
    """What writes a tag file; its digest is put among `tags` in the end."""
    digest = hashlib.sha256()
    with open(tree.create(name), "wb") as file:

        def write(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        yield write
    tags[name] = digest.hexdigest()


def encoded(path: str) -> str:
    """As RFC 8493, 2.1.3 has it: ends of line and percent signs are percent-encoded, and nothing else."""
    return path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")


def _info(home: Home, recipe: Recipe, files: int, size: int) -> bytes:
    said = [
        ("Source-Dataset", recipe.name),
        ("External-Description", recipe.title),
        ("Licence", recipe.licence),
        ("Bagging-Date", time.strftime("%Y-%m-%d", time.gmtime())),
        ("Payload-Oxum", f"{size}.{files}"),
        ("Tree-Digest", tree_digest(home)),
        ("Bag-Software-Agent", f"datafetch {__version__}"),
    ]
    return "".join(f"{label}: {' '.join(text.split())}\n" for label, text in said if text).encode()
