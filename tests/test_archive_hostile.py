"""Every rule of safe extraction: the whole archive is refused, and nothing is written, inside or outside."""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
from archives import GOOD, Entry, raw_zip, tar_of

from datafetch.archive.extract import extract
from datafetch.archive.members import Limits
from datafetch.archive.open import open_archive
from datafetch.archive.staging import Extracted
from datafetch.errors import UnsafeArchive
from datafetch.model import Artifact, Http

REAL = Artifact("real", Http(("https://host.example/pods.zip",)), "pods", unpack=True)

# What is refused before the first byte is written, rather than while the member is read.
WHILE_READING = frozenset(
    name
    for name in hostile.HOSTILE_ZIPS
    if name.startswith(("CRC", "size", "large", "deflate stream", "bomb that says nothing", "local header"))
)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with a canary beside the staging folder."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_bytes(b"sings")
    (tmp_path / "evil").write_bytes(b"the user's own")
    return tmp_path


def snapshot(root: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in root.rglob("*")}


def unpack(world: Path, data: bytes, limits: Limits = Limits()) -> Extracted:  # noqa: B008 - frozen
    (world / "archive").write_bytes(data)
    return extract(
        world / "archive",
        REAL,
        (),
        world / "state" / "staging" / "real",
        names="keep",
        url="https://host.example/pods.zip",
        fetched_at="2026-01-01T00:00:00Z",
        emit=lambda event: None,
        stop=lambda: False,
        limits=limits,
    )


def refuse(world: Path, data: bytes, words: str, limits: Limits = Limits()) -> None:  # noqa: B008
    (world / "archive").write_bytes(data)
    (world / "state" / "staging").mkdir(parents=True)
    before = snapshot(world)
    with pytest.raises(UnsafeArchive, match=words) as refusal:
        unpack(world, data, limits)
    assert snapshot(world) == before
    assert refusal.value.exit_code == 5
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", hostile.HOSTILE_ZIPS)
def test_hostile_zip_is_refused_and_leaves_nothing(world: Path, name: str) -> None:
    make, words = hostile.HOSTILE_ZIPS[name]
    refuse(world, make(), words)


@pytest.mark.parametrize("name", hostile.HOSTILE_TARS)
def test_hostile_tar_is_refused_and_leaves_nothing(world: Path, name: str) -> None:
    make, words = hostile.HOSTILE_TARS[name]
    refuse(world, make(), words)


@pytest.mark.parametrize("name", sorted(hostile.HOSTILE_ZIPS.keys() - WHILE_READING))
def test_hostile_zip_is_refused_before_anything_is_written(
    world: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, words = hostile.HOSTILE_ZIPS[name]
    (world / "archive").write_bytes(make())

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("a folder was made for a hostile archive")

    monkeypatch.setattr("datafetch.archive.staging.make_folder", never)
    with pytest.raises(UnsafeArchive, match=words):
        unpack(world, make())


def test_junk_members_are_judged_too(world: Path) -> None:
    refuse(world, raw_zip([GOOD, Entry(b"__MACOSX/../../evil")]), r"'\.\.'")


def test_too_many_members_are_refused(world: Path) -> None:
    entries = [Entry(b"train/a/%d.jpg" % k) for k in range(11)]
    refuse(world, raw_zip(entries), "at most 10", Limits(members=10))


def test_too_many_members_of_a_tar_are_refused(world: Path) -> None:
    tree = {f"train/{k}.jpg": b"" for k in range(11)}
    refuse(world, tar_of(tree), "more than 10", Limits(members=10))


def test_a_directory_that_lies_about_its_length_does_not_pass_the_member_limit(world: Path) -> None:
    entries = [Entry(b"train/a/%d.jpg" % k) for k in range(11)]
    refuse(world, raw_zip(entries, count=1), "more than 10", Limits(members=10))


def test_too_many_bytes_are_refused(world: Path) -> None:
    big = [GOOD, Entry(b"train/a/1.jpg", b"x" * 600), Entry(b"train/a/2.jpg", b"x" * 600)]
    refuse(world, raw_zip(big), "at most 1,000", Limits(total_bytes=1000))


def test_one_member_too_large_is_refused(world: Path) -> None:
    limits = Limits(member_bytes=1000, ratio_from=100)
    refuse(world, raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x" * 1001)]), "at most 1,000", limits)


def test_ratio_is_counted_over_the_whole_archive(world: Path) -> None:
    zeros = [Entry(b"train/a/%d.jpg" % k, bytes(9000), method=8) for k in range(1, 9)]
    refuse(world, raw_zip([GOOD, *zeros]), "more than 20 times", Limits(ratio=20, ratio_from=10_000))


def test_bytes_are_held_to_what_is_really_unpacked(world: Path) -> None:
    lie = Entry(b"train/a/1.jpg", bytes(64 << 20), size=(1 << 20) + 5, method=8)
    refuse(world, raw_zip([GOOD, lie]), "holds more than")


def test_duplicate_of_a_one_letter_name_is_refused(world: Path) -> None:
    refuse(world, raw_zip([Entry(b"a"), Entry(b"a")]), "have one name")


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        (Entry(b"train\\a\\1.jpg", b"x"), "train/a/1.jpg"),  # zips of old Windows tools
        (Entry(b"train/a/...jpg", b"x"), "train/a/...jpg"),
        (Entry(b"./train//./a/1.jpg", b"x"), "train/a/1.jpg"),
        (Entry(b"train/a/ .jpg ", b"x"), "train/a/ .jpg "),
        (Entry(b"train/a/1\n2\x1b[31m.jpg", b"x"), "train/a/1\n2\x1b[31m.jpg"),
        (Entry(b"train/a/%s.jpg" % (b"x" * 251), b"x"), f"train/a/{'x' * 251}.jpg"),
        (Entry(b"train/F\x81li/1.jpg", b"x"), "train/Füli/1.jpg"),  # code page 437
        (Entry("train/FБli/1.jpg".encode(), b"x"), "train/FБli/1.jpg"),  # UTF-8 without its flag
        (Entry(b"train/a/1.jpg", b"x" * 70, descriptor=True, method=8), "train/a/1.jpg"),
        (Entry(b"train/a/1.jpg", b"x" * 70, wide=True), "train/a/1.jpg"),
        (Entry(b"train/a/1.jpg", b"x", mode=0o104777), "train/a/1.jpg"),  # setuid
        (Entry(b"train/a/1.jpg", b"x", mode=0), "train/a/1.jpg"),  # made on DOS
    ],
)
def test_odd_but_honest_member_is_kept_under_its_name(world: Path, entry: Entry, path: str) -> None:
    found = unpack(world, raw_zip([GOOD, entry]))
    assert [record.member for record in found.records] == ["train/a/0.jpg", path]
    file = world / "state" / "staging" / "real" / "pods" / "real" / path
    assert file.read_bytes() == entry.data
    assert stat.S_IMODE(file.stat().st_mode) & ~0o644 == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda entries: raw_zip(entries, wide_end=True),
        lambda entries: raw_zip(entries, comment=b"made by hand"),
        lambda entries: raw_zip(entries, before=b"#!/bin/sh\nexit\n"),
        lambda entries: raw_zip(entries, before=b"MZ" + bytes(90_000), wide_end=True),
        # Info-ZIP of a pipe and bsdtar write zip64's end record where nobody needs it: "holds two zips" was said.
        lambda entries: raw_zip(entries, both_ends=True),
        lambda entries: raw_zip(entries, before=b"#!/bin/sh\nexit\n", both_ends=True),
        lambda entries: raw_zip(entries, wide_end=True, own=b"\1\0\4\0\0\0mine"),
        # bsdtar fills its last block when it writes into a pipe: "cut short" was said.
        lambda entries: raw_zip(entries, after=bytes(9000)),
    ],
    ids=[
        *("zip64 end", "comment", "program before it", "program before zip64", "both ends"),
        *("program before both ends", "a field in zip64's end", "zeros to fill a block"),
    ],
)
def test_odd_but_honest_zip_is_unpacked(world: Path, make: Callable[[list[Entry]], bytes]) -> None:
    assert len(unpack(world, make([GOOD, Entry(b"train/a/1.jpg", b"x" * 70, method=8)])).records) == 2


def test_a_zip_whose_two_end_records_differ_is_refused(world: Path) -> None:
    data = bytearray(raw_zip([GOOD], both_ends=True))
    data[-12] += 1
    refuse(world, bytes(data), "end records of the zip differ")


@pytest.mark.parametrize("wide", [False, True])
def test_zip_of_70_000_members_is_listed_whole(world: Path, wide: bool) -> None:
    (world / "many.zip").write_bytes(raw_zip([Entry(b"%d" % k) for k in range(70_000)], wide_end=wide))
    with open_archive(world / "many.zip") as archive:
        assert [int(member.name) for member in archive.members] == list(range(70_000))


def unicode_name(raw: bytes, name: str, crc: int | None = None) -> bytes:
    """Info-ZIP's extra field: the name in UTF-8, made for these bytes."""
    said = zlib.crc32(raw) if crc is None else crc
    return struct.pack("<HHBI", 0x7075, 5 + len(name.encode()), 1, said) + name.encode()


@pytest.mark.parametrize(
    ("entry", "page", "path"),
    [
        (Entry(b"train/F\x81li/1.jpg", b"x"), "", "train/Füli/1.jpg"),
        (Entry(b"train/F\x81li/1.jpg", b"x"), "cp866", "train/FБli/1.jpg"),
        (Entry("train/Füli/1.jpg".encode(), b"x", flags=0x800), "cp866", "train/Füli/1.jpg"),  # it says UTF-8
        (
            # "?" where the letter had no room: the field was not read, and `?.jpg` met `?.jpg`
            Entry(b"train/F?li", b"x", extra=unicode_name(b"train/F?li", "train/Füli")),
            "",
            "train/Füli",
        ),
        (
            Entry(b"train/F\x81li", b"x", extra=unicode_name(b"train/F\x81li", "train/Фüli")),
            "cp866",
            "train/Фüli",
        ),
        (
            Entry(b"train/F\x81li", b"x", extra=unicode_name(b"train/F\x81li", "train/other", 7)),
            "",
            "train/Füli",  # the field was made for another name
        ),
    ],
)
def test_names_are_read_as_recorded_or_as_the_recipe_says(
    world: Path, entry: Entry, page: str, path: str
) -> None:
    (world / "archive").write_bytes(raw_zip([GOOD, entry]))
    with open_archive(world / "archive", page=page) as archive:
        assert {m.name: b"".join(archive.read(m)) for m in archive.members} == {
            GOOD.name.decode(): b"good",
            path: b"x",
        }


def test_several_zips_are_read_in_the_page_of_the_recipe(world: Path) -> None:
    """Each was opened without it: folders of several zips had other names than those of one."""
    paths = [world / "a.zip", world / "b.zip"]
    for path in paths:
        path.write_bytes(raw_zip([Entry(b"F\x81li/1.jpg", b"x")]))
    with open_archive(paths, apart=True, page="cp866") as archive:
        assert [(m.name, b"".join(archive.read(m))) for m in archive.members] == [
            ("a/FБli/1.jpg", b"x"),
            ("b/FБli/1.jpg", b"x"),
        ]


def test_a_unicode_name_beside_the_name_passes_the_same_rules(world: Path) -> None:
    raw = b"train/F\x81li"
    refuse(world, raw_zip([GOOD, Entry(raw, b"x", extra=unicode_name(raw, "../evil"))]), r"'\.\.'")


def test_staging_that_became_a_link_is_not_followed(world: Path) -> None:
    (world / "state" / "staging").mkdir(parents=True)
    (world / "state" / "staging" / "real").symlink_to(world / "outside")
    unpack(world, raw_zip([GOOD]))
    assert sorted(p.name for p in (world / "outside").iterdir()) == ["canary"]
    assert not (world / "state" / "staging" / "real").is_symlink()


def test_file_times_of_the_archive_are_not_taken(world: Path) -> None:
    data = bytearray(raw_zip([GOOD]))
    struct.pack_into("<HH", data, 10, 0, 0xFF21)  # the year 2107
    unpack(world, bytes(data))
    file = world / "state" / "staging" / "real" / "pods" / "real" / "train" / "a" / "0.jpg"
    assert abs(file.stat().st_mtime - os.stat(world / "archive").st_mtime) < 60
