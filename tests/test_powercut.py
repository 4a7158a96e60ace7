"""The proofs can fail: a program that forgets to sync is caught by the disk after a cut, one that does is not; and what
stands between a run and its disk counts, fails and writes down as it says.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Set
from pathlib import Path

import pytest
from disklayer import Spec, recorded, steps
from powercut import Disk
from process import SOURCES
from warm import TESTS

DATA = b"0123456789" * 500
CAREFUL = """
fd = os.open("x.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
os.write(fd, data)
os.fsync(fd)
os.close(fd)
os.rename("x.tmp", "x")
fd = os.open(".", os.O_RDONLY)
os.fsync(fd)
print("done")
"""
NO_FSYNC = CAREFUL.replace("os.fsync(fd)\nos.close", "os.close")
NO_FOLDER = CAREFUL.replace("os.fsync(fd)\nprint", "print")
BUFFERED = """
with open("x.tmp", "wb") as file:
    file.write(data)
os.rename("x.tmp", "x")
"""
IN_PLACE = """
with open("x", "wb") as file:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
"""


def played(folder: Path, program: str, **spec: object) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A program's run in an empty folder, and what was written down of it."""
    place, record = folder / "place", folder / "record"
    place.mkdir()
    told = Spec(str(place), record=str(record), log=str(folder / "log"), **spec).dump()  # type: ignore[arg-type]
    text = f"import os, disklayer, json\ndata = {DATA!r}\n"
    text += f"disklayer.install(disklayer.Spec(**json.loads({told!r})))\n{program}"
    path = os.pathsep.join((str(TESTS), str(SOURCES)))
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run((sys.executable, "-c", text), cwd=place, env=env, capture_output=True, text=True)
    return record, done


def disks(folder: Path, program: str, upto: int | None = None) -> Set[bytes | None]:
    """Every content of `x` that a cut after `upto` changes, or after any of them, was seen to leave."""
    (folder / "before").mkdir()
    record, done = played(folder, program)
    assert done.returncode == 0, done.stderr
    events = recorded(record)
    found: set[bytes | None] = set()
    for seed in range(120):
        chance = random.Random(seed)
        disk = Disk(folder / "before")
        disk._of_inode = {(folder / "place").stat().st_ino: 0}  # it was as empty as this one
        disk.play(events[: chance.randint(0, len(events)) if upto is None else upto])
        disk.cut(folder / f"{seed}", chance)
        file = folder / f"{seed}/x"
        found.add(file.read_bytes() if file.exists() else None)
    return found


def test_what_was_synced_before_its_rename_is_whole_or_absent(tmp_path: Path) -> None:
    assert disks(tmp_path, CAREFUL) == {DATA, None}


def test_what_was_said_to_be_done_is_there(tmp_path: Path) -> None:
    assert disks(tmp_path, CAREFUL, upto=5) == {DATA}


@pytest.mark.parametrize("program", [NO_FSYNC, BUFFERED, IN_PLACE], ids=["no fsync", "buffered", "in place"])
def test_a_file_that_was_not_synced_before_it_had_its_name_is_seen_half(tmp_path: Path, program: str) -> None:
    found = disks(tmp_path, program)
    assert {b"", bytes(len(DATA)), DATA} <= found
    assert any(each and each != DATA and DATA.startswith(each) for each in found)  # torn


def test_a_rename_that_was_not_synced_may_be_lost(tmp_path: Path) -> None:
    assert disks(tmp_path, NO_FOLDER, upto=4) == {DATA, None}


def test_a_link_and_a_removal_are_lost_apart_or_together(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "a").write_bytes(DATA)
    top, file = place.stat().st_ino, (place / "a").stat().st_ino
    found = set()
    for seed in range(60):
        disk = Disk(place)
        disk.play([("link", file, top, "b"), ("unlink", top, "a")])
        disk.cut(tmp_path / f"{seed}", random.Random(seed))
        found.add(tuple(sorted(os.listdir(tmp_path / f"{seed}"))))
    assert found == {("a",), ("a", "b"), ("b",), ()}


def test_a_folder_is_not_removed_before_what_left_it(tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "old").mkdir(parents=True)
    (place / "old/a").write_bytes(DATA)
    top, old = place.stat().st_ino, (place / "old").stat().st_ino
    for seed in range(60):
        disk = Disk(place)
        disk.play([("rename", old, "a", top, "a"), ("rmdir", top, "old"), ("sync", top)])
        disk.cut(tmp_path / f"{seed}", random.Random(seed))
        assert os.listdir(tmp_path / f"{seed}") == ["a"]


def test_an_operation_fails_as_told_and_the_next_of_its_kind_does_not(tmp_path: Path) -> None:
    program = """
for _ in range(3):
    try:
        os.mkdir(f"d{_}")
        print("made")
    except OSError as error:
        print(error.errno)
"""
    _, done = played(tmp_path, program, role="main", at=1, code=28)
    assert done.stdout.split() == ["made", "28", "made"]
    assert steps(tmp_path / "log") == {"main": ["mkdir"] * 3}


def test_what_lasts_fails_again_and_leaves_what_cannot_fail_so_alone(tmp_path: Path) -> None:
    program = """
for act in (lambda: os.mkdir("a"), lambda: os.listdir("."), lambda: os.mkdir("b")):
    try:
        act()
        print("well")
    except OSError as error:
        print(error.errno)
"""
    _, done = played(tmp_path, program, role="main", at=0, code=28, lasting=True)
    assert done.stdout.split() == ["28", "well", "28"]


def test_a_process_is_killed_before_the_operation(tmp_path: Path) -> None:
    _, done = played(tmp_path, "os.mkdir('a')\nos.mkdir('b')\n", role="main", at=1)
    assert done.returncode == -9
    assert os.listdir(tmp_path / "place") == ["a"]
