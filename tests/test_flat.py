"""Trees of very many files are built in memory that hardly grows with them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import UnsafeArchive
from datafetch.foldnames import fold
from datafetch.layout import manifest
from datafetch.layout.beside import Beside, exclude_each_other
from datafetch.layout.digests import Digests
from datafetch.layout.names import meeting
from datafetch.store import lines
from datafetch.store.files import make_folder
from datafetch.store.home import Home
from datafetch.store.inventory import Entry
from datafetch.store.lines import merged, read_lines, salvaged
from datafetch.store.stock import take_stock, tree_digest


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


# --- The whole ---------------------------------------------------------------------------------------------

# Publishing 30,000 files of a list, then looking at them, held every record several times.
BUILD = """
import hashlib, os, random, sys
from pathlib import Path
from datafetch.assemble import assemble
from datafetch.layout.seals import seal
from datafetch.model import Artifact, FileRecord, Recipe, Settings, UrlList
from datafetch.store.home import Home
from datafetch.store.stock import observe, take_stock
from datafetch.task import Task

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

root, count = Path(sys.argv[1]), 30_000
home = Home(root, "set")
source = UrlList("list", "lines", ("id",), ("http://host/<id>",), "<id>.jpg")
artifact = Artifact("pictures", source, "set")
task = Task(Recipe("set", "", (artifact,)), (artifact,), home, Settings(str(root)))
sha256 = [hashlib.sha256(bytes([n])).hexdigest() for n in range(100)]

def records():
    for n in order:
        path = f"set/{n % 100:02}/picture_{n:012}.jpg"
        url = f"http://host/pictures/{n:012}.jpg"
        yield FileRecord(path, 1, sha256[n % 100], url, "2026-01-01T00:00:00Z", "pictures")

def build():
    for n in range(100):
        (home.staging("pictures") / f"set/{n:02}").mkdir(parents=True)
        (root / "one").unlink(missing_ok=True)
        (root / "one").write_bytes(bytes([n]))
        for at in range(n, count, 100):
            os.link(root / "one", home.staging("pictures") / f"set/{n:02}/picture_{at:012}.jpg")
    seal(home.state, "pictures", records())
    assert assemble(task, "set", lambda event: None)["pictures"].files == count

order = list(range(count))
random.Random(1).shuffle(order)
before = peak()
build()
first = peak()
build()  # once more over what is published: all of it may be replaced
stock = take_stock(home)
assert observe(home, [artifact], stock)["pictures"].files == count and not stock.gone and stock.tree_digest
print(first - before, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_a_tree_of_a_list_is_built_and_looked_at_without_being_held(quick: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(quick)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, again = map(int, done.stdout.split())
    assert first < 25 and again < 30  # 35 and 56, as long as records were held


# --- Its parts ---------------------------------------------------------------------------------------------

NAMES = st.text(st.sampled_from("aAbBéÉ\u0301e.-"), min_size=1, max_size=3)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ENTRIES = st.lists(
    st.builds(Entry, PATHS, st.integers(0, 9), st.sampled_from(["0a", "ff"]), PATHS), max_size=20
)


@given(files=st.lists(ENTRIES, max_size=4), torn=st.integers(0, 30), run=st.integers(1, 900))
def test_files_of_lines_are_merged_as_dicts_are(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[Entry]], torn: int, run: int
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    found: dict[str, Entry] = {}
    for at, entries in enumerate(files):
        encoded = [msgspec.json.encode(entry) for entry in entries]
        encoded[torn:torn] = [b'{"path": "torn', b"", b'{"path": "b"}']
        (folder / str(at)).write_bytes(b"\n".join(encoded) + b"\n" * (torn % 2))
        assert list(salvaged(folder / str(at), Entry)) == entries
        found |= {entry.path: entry for entry in entries}
    paths = [folder / str(at) for at in range(len(files) + 1)]  # the last is absent
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lines, "_RUN", run)
        patched.setattr(lines, "_BLOCK", run // 2 + 1)
        assert list(merged(paths, Entry)) == sorted(found.values(), key=lambda entry: entry.path.encode())


@given(entries=ENTRIES)
def test_the_tree_digest_is_that_of_the_manifest_in_whatever_order_its_lines_are(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]
) -> None:
    home = Home(tmp_path_factory.mktemp("stock"), "set")
    make_folder(home.state)
    found = {entry.path: entry for entry in entries}
    home.manifest.write_bytes(msgspec.json.Encoder().encode_lines(list(found.values())))
    assert tree_digest(home) == manifest.tree_digest(found.values())
    stock = take_stock(home, frozenset(["elsewhere"]))
    assert stock.tree_digest == (tree_digest(home) if found else "")
    assert sum(stock.bytes.values()) == sum(entry.size for entry in found.values())
    assert stock.gone == {"elsewhere", *found}
    assert {(a, path) for a, paths in stock.missing.items() for path in paths} == {
        (entry.artifact, path) for path, entry in found.items()
    }


def test_lines_that_are_no_such_thing_are_told_by_those_who_must_know(tmp_path: Path) -> None:
    (tmp_path / "seal").write_bytes(b'{"path": "a"}\n')
    with pytest.raises(msgspec.MsgspecError):
        list(read_lines(tmp_path / "seal", Entry))


@given(added=st.lists(PATHS, max_size=30), others=st.lists(PATHS, max_size=30))
def test_digests_are_a_set(added: list[str], others: list[str]) -> None:
    found = Digests.of(added)
    assert len(found) == len(set(added)) and bool(found) is bool(added)
    second = Digests(found)
    for path in others:
        second.add(path)
    twice = found.twice(second)
    for path in (*added, *others):
        assert (path in found) == (path in added)
        assert (path in twice) == (added.count(path) > 1 or (path in added and path in others))


@given(paths=st.lists(PATHS, max_size=8))
def test_files_that_meet_are_refused_and_no_others(paths: list[str]) -> None:
    beside = Beside()
    for path in paths:
        beside.add(path)
    try:
        beside.refuse_meeting(lambda: iter([("list", path) for path in paths]))
        refused = False
    except UnsafeArchive:
        refused = True
    assert refused == (meeting(paths) is not None)
    assert refused == any(exclude_each_other(*pair) for pair in combinations(paths, 2))


@given(paths=st.lists(PATHS, max_size=5), others=st.lists(PATHS, max_size=5))
def test_files_that_cannot_stand_beside_others_are_refused_whatever_those_are(
    paths: list[str], others: list[str]
) -> None:
    paths, others = [f"set/{path}" for path in paths], [f"set/{path}" for path in others]
    beside = Beside()
    for path in paths:
        beside.add(path)
    try:
        beside.refuse_others(lambda: iter([("list", path) for path in paths]), "set", others)
        refused = False
    except UnsafeArchive:
        refused = True
    assert refused == any(exclude_each_other(path, other) for path in paths for other in others)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/B", True),
        ("a/b", "A/c", True),
        ("a/b", "a/b/c", True),
        ("a/b", "a/c", False),
        ("a/b", "b/B", False),
        ("a/e\u0301", "a/é", True),
    ],
)
def test_two_files_exclude_each_other(one: str, other: str, expected: bool) -> None:
    assert exclude_each_other(one, other) is exclude_each_other(other, one) is expected
    assert fold(one) != fold(other) or expected
