"""Any byte of a published dataset changed later is found, and nothing that is intact is called damaged."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from archives import picture

from datafetch.layout import manifest
from datafetch.model import Event, FileRecord
from datafetch.store.home import Home
from datafetch.verify.portion import Level
from datafetch.verify.sights import Kept, remember
from datafetch.verify.whole import Verified, verify


def ignore(event: Event) -> None:
    pass


@pytest.fixture
def built(tmp_path: Path) -> tuple[Home, list[FileRecord]]:
    home = Home(tmp_path, "set")
    records = []
    for number in range(12):
        path = f"set/train/class_{number % 3}/{number}.jpg"
        data = picture(number)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
        records.append(
            FileRecord(path, len(data), hashlib.sha256(data).hexdigest(), "https://example.org", "")
        )
    home.state.mkdir(parents=True)
    manifest.write(home.manifest, records)
    remember(home, [record.path for record in records])
    return home, sorted(records, key=lambda record: record.path)


def look(home: Home, level: Level = Level.HASH, full: bool = False) -> Verified:
    return verify(home, level, full=full, emit=ignore)


def found(home: Home, level: Level = Level.HASH, full: bool = False) -> dict[str, str]:
    with look(home, level, full).findings as findings:
        return {finding.path: finding.why for finding in findings}


@pytest.mark.parametrize("level", list(Level))
def test_an_untouched_tree_is_ok_at_every_level(built: tuple[Home, list[FileRecord]], level: Level) -> None:
    home, _ = built
    result = look(home, level, full=True)
    assert (result.ok, list(result.findings)) == (12, [])


def test_unchanged_files_cost_a_stat_only_unless_full(built: tuple[Home, list[FileRecord]]) -> None:
    home, _ = built
    assert look(home).read == 0
    assert look(home, full=True).read == 12
    assert look(home).read == 0


@pytest.mark.parametrize("seed", range(25))
def test_one_flipped_byte_is_found_even_when_size_and_mtime_are_put_back(
    built: tuple[Home, list[FileRecord]], seed: int
) -> None:
    home, records = built
    chance = random.Random(seed)
    record = chance.choice(records)
    path = home.root / record.path
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found(home) == {record.path: "damaged"}
    assert found(home, Level.SIZE) == {}


def test_missing_truncated_extra_and_linked_files_are_named(built: tuple[Home, list[FileRecord]]) -> None:
    home, records = built
    root = home.root
    (root / records[0].path).unlink()
    with open(root / records[1].path, "r+b") as file:
        file.truncate(5)
    (root / "set/train/class_0/stray.jpg").write_bytes(b"x")
    (root / records[2].path).unlink()
    (root / records[2].path).symlink_to(root / records[5].path)
    assert found(home) == {
        records[0].path: "missing",
        records[1].path: "size",
        records[2].path: "changed",
        "set/train/class_0/stray.jpg": "extra",
    }


def test_a_folder_that_became_a_link_is_not_followed(
    built: tuple[Home, list[FileRecord]], tmp_path: Path
) -> None:
    home, _ = built
    (tmp_path / "set").rename(tmp_path / "elsewhere")
    (tmp_path / "set").symlink_to(tmp_path / "elsewhere")
    assert set(found(home).values()) == {"missing", "extra"}


def test_a_touched_file_with_the_same_bytes_is_no_alarm(built: tuple[Home, list[FileRecord]]) -> None:
    home, records = built
    os.utime(home.root / records[0].path, ns=(1, 1))
    assert found(home) == {}
    with Kept(home.seen) as kept:
        assert kept.between(records[0].path, records[0].path)[records[0].path].mtime_ns == 1


def test_what_hashes_right_but_never_decoded_is_found_at_level_decode(
    built: tuple[Home, list[FileRecord]],
) -> None:
    home, records = built
    data = picture(1)[:200]
    (home.root / records[1].path).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    records[1] = FileRecord(records[1].path, len(data), digest, "https://example.org", "")
    manifest.write(home.manifest, records)
    assert found(home) == {}
    assert found(home, Level.DECODE) == {records[1].path: "undecodable"}


def test_a_damaged_list_of_sights_only_costs_time(built: tuple[Home, list[FileRecord]]) -> None:
    home, _ = built
    home.seen.write_bytes(b"\xff not json\n")
    result = look(home)
    assert (result.ok, result.read) == (12, 12)


def test_many_files_are_hashed_by_several_processes_with_the_same_result(tmp_path: Path) -> None:
    home = Home(tmp_path, "set")
    home.state.mkdir(parents=True)
    (tmp_path / "set").mkdir()
    records = []
    for number in range(2100):
        data = str(number).encode()
        (tmp_path / f"set/{number}.txt").write_bytes(data)
        records.append(FileRecord(f"set/{number}.txt", len(data), hashlib.sha256(data).hexdigest(), "", ""))
    manifest.write(home.manifest, records)
    (tmp_path / "set/77.txt").write_bytes(b"78")
    assert found(home) == {"set/77.txt": "damaged"}


# A million files took 1.1 GB: their records, sights and findings were all held.
HELD = """
import sys
from pathlib import Path
from datafetch.layout.manifest import Line, write_sorted
from datafetch.store.home import Home
from datafetch.verify.portion import Level
from datafetch.verify.whole import verify

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024

home, count = Home(Path(sys.argv[1]), "set"), 150_000
lines = (Line(f"set/class_{n // 1000:04}/{n:09}.jpg", n, "0" * 64, "https://example.org/", "") for n in range(count))
write_sorted(home.manifest, lines)
before = peak()
found = verify(home, Level.HASH, full=False, emit=lambda event: None, processes=1)
assert (found.files, found.findings.counts["missing"], sum(1 for _ in found.findings)) == (count, count, count)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the most memory it took")
def test_neither_a_long_manifest_nor_many_findings_are_held(tmp_path: Path) -> None:
    done = subprocess.run((sys.executable, "-c", HELD, tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40, "MB"
