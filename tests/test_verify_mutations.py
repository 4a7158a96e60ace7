"""Whatever becomes of a file of a built tree is found at the level that can find it, and nothing else is.

`MUTATIONS=2000 pytest tests/test_verify_mutations.py` tries as many, from the seed in `SEED`, which is printed.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from datafetch.layout import manifest
from datafetch.model import FileRecord
from datafetch.store.home import Home
from datafetch.verify.portion import Level
from datafetch.verify.sights import remember
from datafetch.verify.strays import shown
from datafetch.verify.whole import verify
from tests.archives import picture

COUNT = int(os.environ.get("MUTATIONS", "150"))
SEED = int(os.environ.get("SEED", "7"))

Found = dict[str, str]  # path -> why, at level hash
NAMES = (
    "0.jpg",
    "A b.jpg",
    "a-b.jpg",
    "a.b",
    "ü.jpg",
    "new\nline.jpg",
    "back\\slash.jpg",
    "empty.bin",
    "#1.png",
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree whose names sort differently as paths and as names in folders, with empty and equal files."""
    root = tmp_path_factory.mktemp("tree")
    home, records, dice = Home(root, "set"), [], random.Random(1)
    for folder in ("set", "set/a", "set/a/b", "set/a-b", "set/a.c", "set_extra/train/c"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(NAMES):
            data = b"" if name == "empty.bin" else picture(number) if number < 3 else dice.randbytes(3000)
            path = f"{folder}/{name}"
            (root / path).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            records.append(FileRecord(path, len(data), digest, "https://example.org", ""))
    home.state.mkdir(parents=True)
    manifest.write(home.manifest, records)
    return root


class Tree:
    """One tree that is changed, and the files of it that have not been yet."""

    def __init__(self, root: Path, dice: random.Random) -> None:
        self.root, self.dice = root, dice
        self.records = manifest.read(Home(root, "set").manifest)
        self.left = [record.path for record in self.records]
        dice.shuffle(self.left)

    def take(self, fits: Callable[[Path], bool] = lambda path: True) -> Path:
        """A file that nothing was done to yet."""
        chosen = next(path for path in self.left if fits(self.root / path))
        self.left.remove(chosen)
        return self.root / chosen

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def rewrite(self, path: Path, data: bytes) -> None:
        """New content in the old file, with its old times."""
        before = path.stat()
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def full(path: Path) -> bool:
    return path.stat().st_size > 0


def flip(tree: Tree) -> Found:
    path = tree.take(full)
    data = bytearray(path.read_bytes())
    data[tree.dice.randrange(len(data))] ^= 1 << tree.dice.randrange(8)
    tree.rewrite(path, bytes(data))
    return {tree.name(path): "damaged"}


def truncate(tree: Tree) -> Found:
    path = tree.take(full)
    tree.rewrite(path, path.read_bytes()[: tree.dice.randrange(path.stat().st_size)])
    return {tree.name(path): "size"}


def append(tree: Tree) -> Found:
    path = tree.take()
    tree.rewrite(path, path.read_bytes() + b"\0")
    return {tree.name(path): "size"}


def delete(tree: Tree) -> Found:
    path = tree.take()
    path.unlink()
    return {tree.name(path): "missing"}


def add(tree: Tree) -> Found:
    path = tree.take().with_name(f"stray {len(tree.left)}")
    path.write_bytes(b"")
    return {tree.name(path): "extra"}


def add_folder(tree: Tree) -> Found:
    path = tree.take().with_name(f"class {len(tree.left)}")
    path.mkdir()
    return {tree.name(path): "extra"}


def rename(tree: Tree) -> Found:
    path = tree.take()
    to = path.rename(path.with_name(f"moved {len(tree.left)}"))
    return {tree.name(path): "missing", tree.name(to): "extra"}


def other_case(tree: Tree) -> Found:
    path = tree.take(lambda path: path.name.swapcase() != path.name)
    to = path.rename(path.with_name(path.name.swapcase()))
    return {tree.name(path): "missing", tree.name(to): "extra"}


def swap(tree: Tree) -> Found:
    one = tree.take(lambda path: path.stat().st_size == 3000)
    two = tree.take(lambda path: path.stat().st_size == 3000 and path.read_bytes() != one.read_bytes())
    aside = tree.root / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    return {tree.name(one): "damaged", tree.name(two): "damaged"}


def replace(tree: Tree) -> Found:
    """Another file of the same size and time, under the old name."""
    path = tree.take(full)
    new = tree.root / "new"
    new.write_bytes(tree.dice.randbytes(path.stat().st_size))
    os.utime(new, ns=(1, path.stat().st_mtime_ns))
    new.rename(path)
    return {tree.name(path): "damaged"}


def link(tree: Tree) -> Found:
    """To the very bytes."""
    path = tree.take()
    path.rename(tree.root / f"elsewhere {len(tree.left)}")
    path.symlink_to(tree.root / f"elsewhere {len(tree.left)}")
    return {tree.name(path): "changed"}


def folder(tree: Tree) -> Found:
    path = tree.take()
    path.unlink()
    path.mkdir()
    return {tree.name(path): "changed"}


def pipe(tree: Tree) -> Found:
    path = tree.take()
    path.unlink()
    os.mkfifo(path)
    return {tree.name(path): "changed"}


# What changes no byte is no damage.


def chmod(tree: Tree) -> Found:
    tree.take().chmod(0o755)
    return {}


def touch(tree: Tree) -> Found:
    os.utime(tree.take(), ns=(1, 1))
    return {}


def copy(tree: Tree) -> Found:
    """The same bytes in another file."""
    path = tree.take()
    new = tree.root / "new"
    shutil.copyfile(path, new)
    new.rename(path)
    return {}


def second_name(tree: Tree) -> Found:
    os.link(tree.take(), tree.root / f"second {len(tree.left)}")
    return {}


HARMLESS = (chmod, touch, copy, second_name)
MUTATIONS = (
    flip,
    truncate,
    append,
    delete,
    add,
    add_folder,
    rename,
    other_case,
    swap,
    replace,
    link,
    folder,
    pipe,
)
SHOWS = {  # from which level on
    Level.PRESENCE: {"missing", "changed", "extra"},
    Level.SIZE: {"missing", "changed", "extra", "size"},
}


def found(home: Home, level: Level, *, full: bool = False) -> Found:
    """By the name that can be printed."""
    with verify(home, level, full=full, emit=lambda event: None).findings as findings:
        return {shown(finding.path): finding.why for finding in findings}


@pytest.mark.parametrize("turn", range(-(-COUNT // 15)))
def test_every_change_is_found_at_its_level_and_there_is_no_false_alarm(
    turn: int, original: Path, tmp_path: Path
) -> None:
    seed = SEED * 1000 + turn
    print("seed", seed)
    tree = Tree(shutil.copytree(original, tmp_path / "out"), random.Random(seed))
    home = Home(tree.root, "set")
    remember(home, [record.path for record in tree.records])
    assert found(home, Level.HASH) == {}
    expected: Found = {}
    for mutate in tree.dice.choices(MUTATIONS + HARMLESS, k=15):
        expected |= mutate(tree)
    expected = {shown(path): why for path, why in expected.items()}
    for level, whys in SHOWS.items():
        assert {path: why for path, why in expected.items() if why in whys} == found(home, level), level
    assert found(home, Level.HASH) == expected
    assert found(home, Level.HASH) == expected, "a second look finds the same"
    assert found(home, Level.HASH, full=True) == expected


@pytest.mark.parametrize("mutate", MUTATIONS + HARMLESS, ids=lambda mutate: mutate.__name__)
def test_each_change_alone(mutate: Callable[[Tree], Found], original: Path, tmp_path: Path) -> None:
    tree = Tree(shutil.copytree(original, tmp_path / "out"), random.Random(SEED))
    home = Home(tree.root, "set")
    remember(home, [record.path for record in tree.records])
    expected = {shown(path): why for path, why in mutate(tree).items()}
    assert found(home, Level.HASH) == expected
    assert bool(expected) == (mutate in MUTATIONS)
