"""Any byte of a published dataset changed later is found, and nothing that is intact is called damaged."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest
from archives import picture

from datafetch.model import Event, FileRecord
from datafetch.store.home import Home
from datafetch.verify import Level, read_sights, remember, verify


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
    remember(home, [record.path for record in records])
    return home, records


def found(
    home: Home, records: list[FileRecord], level: Level = Level.HASH, full: bool = False
) -> dict[str, str]:
    return {f.path: f.why for f in verify(home, records, level, full=full, emit=ignore).findings}


@pytest.mark.parametrize("level", list(Level))
def test_an_untouched_tree_is_ok_at_every_level(built: tuple[Home, list[FileRecord]], level: Level) -> None:
    home, records = built
    result = verify(home, records, level, full=True, emit=ignore)
    assert (result.ok, result.findings) == (12, ())


def test_unchanged_files_cost_a_stat_only_unless_full(built: tuple[Home, list[FileRecord]]) -> None:
    home, records = built
    assert verify(home, records, Level.HASH, full=False, emit=ignore).hashed == 0
    assert verify(home, records, Level.HASH, full=True, emit=ignore).hashed == 12


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
    assert found(home, records) == {record.path: "damaged"}
    assert found(home, records, Level.SIZE) == {}


def test_missing_truncated_extra_and_linked_files_are_named(built: tuple[Home, list[FileRecord]]) -> None:
    home, records = built
    root = home.root
    (root / records[0].path).unlink()
    with open(root / records[1].path, "r+b") as file:
        file.truncate(5)
    (root / "set/train/class_0/stray.jpg").write_bytes(b"x")
    (root / records[2].path).unlink()
    (root / records[2].path).symlink_to(root / records[5].path)
    expected = {records[0].path: "missing", records[1].path: "size", "set/train/class_0/stray.jpg": "extra"}
    seen = found(home, records)
    assert seen.pop(records[2].path) in ("size", "damaged")
    assert seen == expected


def test_a_folder_that_became_a_link_is_not_followed(
    built: tuple[Home, list[FileRecord]], tmp_path: Path
) -> None:
    home, records = built
    (tmp_path / "set").rename(tmp_path / "elsewhere")
    (tmp_path / "set").symlink_to(tmp_path / "elsewhere")
    assert set(found(home, records).values()) == {"missing", "extra"}


def test_a_touched_file_with_the_same_bytes_is_no_alarm(built: tuple[Home, list[FileRecord]]) -> None:
    home, records = built
    os.utime(home.root / records[0].path, ns=(1, 1))
    assert found(home, records) == {}
    assert read_sights(home.seen)[records[0].path].mtime_ns == 1


def test_what_hashes_right_but_never_decoded_is_found_at_level_decode(
    built: tuple[Home, list[FileRecord]],
) -> None:
    home, records = built
    data = picture(1)[:200]
    (home.root / records[1].path).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    records[1] = FileRecord(records[1].path, len(data), digest, "https://example.org", "")
    assert found(home, records) == {}
    assert found(home, records, Level.DECODE) == {records[1].path: "undecodable"}


def test_a_damaged_list_of_sights_only_costs_time(built: tuple[Home, list[FileRecord]]) -> None:
    home, records = built
    home.seen.write_bytes(b"\xff not json\n")
    result = verify(home, records, Level.HASH, full=False, emit=ignore)
    assert (result.ok, result.hashed) == (12, 12)


def test_many_files_are_hashed_by_several_processes_with_the_same_result(tmp_path: Path) -> None:
    home = Home(tmp_path, "set")
    home.state.mkdir(parents=True)
    (tmp_path / "set").mkdir()
    records = []
    for number in range(2100):
        data = str(number).encode()
        (tmp_path / f"set/{number}.txt").write_bytes(data)
        records.append(FileRecord(f"set/{number}.txt", len(data), hashlib.sha256(data).hexdigest(), "", ""))
    (tmp_path / "set/77.txt").write_bytes(b"78")
    assert found(home, records) == {"set/77.txt": "damaged"}
