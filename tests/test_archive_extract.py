"""From an archive of upstream's shape to staged files: every byte, every name, every skipped member told."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from archives import JUNK, negatives, real_set, split, synthetic_set, tar_of, zip_of

from datafetch.archive import packed
from datafetch.archive.extract import extract
from datafetch.archive.single import place_file
from datafetch.archive.staging import Extracted
from datafetch.errors import DamagedArchive, Interrupted, LayoutMismatch, NoRoom, UnsafeArchive
from datafetch.model import Artifact, Event, Fetched, Http, Rule

URL = "https://host.example/pods.zip"
WHEN = "2026-01-01T00:00:00Z"
REAL = Artifact("real", Http((URL,)), "pods", unpack=True)
SYNTHETIC = Artifact("synthetic/llm", Http((URL,)), "pods_llm", unpack=True, skip=("*_rej", "*.done"))
RULES = (
    Rule(("real/<root>/<split>/<class>/<image>",), "<split>/<class>/<image>"),
    Rule(("real/<root>/pods_info.json", "real/<root>/info.json"), "pods_info.json"),
    Rule(("real/<root>/pods_image_annos.json",), "pods_image_annos.json"),
    Rule(("synthetic/<set>/<root>/<class>/<image>",), "<class>/<image>"),
)


def unpack(
    archive: Path | list[Path],
    into: Path,
    artifact: Artifact = REAL,
    *,
    names: str = "keep",
    only: frozenset[str] = frozenset(),
    emit: Callable[[Event], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
) -> Extracted:
    return extract(
        archive, artifact, RULES, into, names=names, url=URL, fetched_at=WHEN, only=only, emit=emit, stop=stop
    )


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture
def pods(tmp_path: Path) -> Path:
    (tmp_path / "pods.zip").write_bytes(zip_of({**real_set(), **JUNK}))
    return tmp_path / "pods.zip"


@pytest.mark.parametrize("form", ["zip", "deflated zip", "tar", "w:gz", "w:xz"])
def test_the_staged_tree_is_the_upstream_tree_byte_for_byte(tmp_path: Path, form: str) -> None:
    tree = {**real_set(), **JUNK, "pods/README.txt": b"hello"}
    data = (
        zip_of(tree, deflate="def" in form) if "zip" in form else tar_of(tree, "w" if form == "tar" else form)
    )
    (tmp_path / "a").write_bytes(data)
    found = unpack(tmp_path / "a", tmp_path / "staging" / "real")
    assert files(tmp_path / "staging" / "real") == real_set()
    assert {r.path: r.sha256 for r in found.records} == {
        path: hashlib.sha256(body).hexdigest() for path, body in real_set().items()
    }
    assert {r.path: r.size for r in found.records} == {path: len(body) for path, body in real_set().items()}
    assert all(
        (r.url, r.fetched_at, r.artifact, r.member) == (URL, WHEN, "real", r.path) for r in found.records
    )
    assert found.skipped == {"junk": len(JUNK), "no rule": 1}


def test_every_member_is_staged_or_counted(tmp_path: Path) -> None:
    tree = synthetic_set("dogs")
    (tmp_path / "a").write_bytes(zip_of(tree, folders=True))
    found = unpack(tmp_path / "a", tmp_path / "s", SYNTHETIC)
    assert len(found.records) + sum(found.skipped.values()) == len(tree)
    assert found.root == "dogs/dreambooth_llm_sd1.5/cfg_5.0"
    assert {r.member: r.path for r in found.records} == {
        name: name.replace(found.root, "pods_llm")
        for name in tree
        if "_rej/" not in name and name.endswith(".jpg")
    }


def test_sequential_names_keep_the_original_in_the_record(tmp_path: Path) -> None:
    tree = synthetic_set(per_class=12, leftovers=False)
    (tmp_path / "a").write_bytes(zip_of(tree))
    found = unpack(tmp_path / "a", tmp_path / "s", SYNTHETIC, names="sequential")
    staged = files(tmp_path / "s")
    assert {path.split("/")[2] for path in staged} == {f"{k}.jpg" for k in range(12)}
    assert {r.member: staged[r.path] for r in found.records} == tree


def test_only_brings_back_just_those(pods: Path, tmp_path: Path) -> None:
    wanted = frozenset(("pods/pods_info.json", "pods/train/bottles_adobe/0.jpg", "pods/not/there"))
    found = unpack(pods, tmp_path / "s", only=wanted)
    assert {r.path for r in found.records} == set(files(tmp_path / "s")) == wanted - {"pods/not/there"}


def test_what_a_killed_run_left_is_removed_first(pods: Path, tmp_path: Path) -> None:
    (tmp_path / "s" / "pods" / "train").mkdir(parents=True)
    (tmp_path / "s" / "pods" / "train" / "stray.jpg").write_bytes(b"half")
    unpack(pods, tmp_path / "s")
    unpack(pods, tmp_path / "s")
    assert files(tmp_path / "s") == real_set()


def test_events_tell_the_beginning_and_the_end(pods: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    unpack(pods, tmp_path / "s", emit=events.append)
    count = len(real_set())
    assert events[0] == Event("extract", "real", total=count)
    assert events[-1] == Event("extracting", "real", done=count, total=count)
    assert [e.done for e in events] == sorted(e.done for e in events)


@pytest.mark.parametrize("after", [0, 1, 20])
def test_stop_ends_between_members_and_leaves_nothing(pods: Path, tmp_path: Path, after: int) -> None:
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > after

    with pytest.raises(Interrupted):
        unpack(pods, tmp_path / "s", stop=stop)
    assert len(asked) == after + 1
    assert not (tmp_path / "s").exists()


def test_stop_ends_within_a_large_member(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(zip_of({"train/a/big.jpg": bytes(8 << 20)}))
    asked = []

    def stop() -> bool:
        asked.append(1)
        return True

    with pytest.raises(Interrupted):
        unpack(tmp_path / "a", tmp_path / "s", stop=stop)
    assert len(asked) == 1


def test_a_layout_that_matches_nothing_stops_before_writing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(zip_of(negatives()))
    with pytest.raises(LayoutMismatch, match="pods_negatives/bottles"):
        unpack(tmp_path / "a", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_shards_are_unpacked_without_joining(tmp_path: Path) -> None:
    paths = []
    for index, shard in enumerate(split(tar_of(real_set(), "w:gz"), 12)):
        paths.append(tmp_path / f"a.{index:02}")
        paths[-1].write_bytes(shard)
    unpack(paths, tmp_path / "s")
    assert files(tmp_path / "s") == real_set()
    with pytest.raises(DamagedArchive):
        unpack([*paths[:3], *paths[4:]], tmp_path / "s")
    with pytest.raises(DamagedArchive):
        unpack(paths[:-1], tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(("room", "said"), [((100, 1000), "bytes"), ((10**12, 1), "files")])
def test_an_archive_whose_files_will_not_fit_is_refused_before_the_first_is_written(
    room: tuple[int, int], said: str, pods: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It showed itself as a disk filled to its last byte by an archive whose sizes were known."""
    monkeypatch.setattr("datafetch.archive.extract.free_space", lambda path: room)
    with pytest.raises(NoRoom, match=said):
        unpack(pods, tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_told_in_plain_words_and_leaves_nothing(
    pods: Path, tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write
    left = [9]

    def write(fd: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        return real_write(fd, data)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(NoRoom) as error:
        unpack(pods, tmp_path / "s")
    assert error.value.exit_code == 12
    assert error.value.hint
    assert not (tmp_path / "s").exists()


def test_short_writes_are_finished(pods: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, data[: max(1, len(data) // 2)]))
    unpack(pods, tmp_path / "s")
    assert files(tmp_path / "s") == real_set()


def test_damage_is_told_apart_from_danger(tmp_path: Path) -> None:
    """Another copy of a damaged archive may be good; of one that breaks a rule none is."""
    sound = zip_of({"train/a/0.jpg": b"x" * 99})
    for data in (sound[:-5], sound.replace(b"xxx", b"xyx", 1), b"<html>", b"", tar_of({"a": b"x"})[:700]):
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(DamagedArchive, match=r"^a: "):
            unpack(tmp_path / "a", tmp_path / "s")
    (tmp_path / "a").write_bytes(zip_of({"../evil": b""}))
    with pytest.raises(UnsafeArchive) as danger:
        unpack(tmp_path / "a", tmp_path / "s")
    assert not isinstance(danger.value, DamagedArchive)


# --- A file that is not unpacked -------------------------------------------------------------------------------------

BODY = b"url list\n" * 200_000
NOTE = Artifact("lists/urls.txt", Http((URL,)), "pods")
FETCHED = Fetched("x", len(BODY), hashlib.sha256(BODY).hexdigest(), URL, WHEN)


def test_a_single_file_is_staged_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(BODY)
    found = place_file(tmp_path / "whole", NOTE, (), tmp_path / "s", FETCHED)
    assert files(tmp_path / "s") == {"pods/urls.txt": BODY}
    (record,) = found.records
    assert (record.path, record.size, record.sha256) == ("pods/urls.txt", len(BODY), FETCHED.sha256)
    assert (tmp_path / "whole").stat().st_nlink == 1


def test_shards_of_a_single_file_are_joined(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    for path, data in zip(paths, split(BODY, 3), strict=True):
        path.write_bytes(data)
    place_file(paths, NOTE, (Rule(("lists/urls.txt",), "doc/u.txt"),), tmp_path / "s", FETCHED)
    assert files(tmp_path / "s") == {"pods/doc/u.txt": BODY}


def test_a_file_that_changed_since_it_was_fetched_is_refused(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(BODY[:-1] + b"x")
    with pytest.raises(DamagedArchive, match="has changed"):
        place_file(tmp_path / "whole", NOTE, (), tmp_path / "s", FETCHED)
    assert not (tmp_path / "s").exists()


def test_copying_a_single_file_stops_when_asked(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(BODY)
    with pytest.raises(Interrupted):
        place_file(tmp_path / "whole", NOTE, (), tmp_path / "s", replace(FETCHED), stop=lambda: True)
    assert not (tmp_path / "s").exists()


def test_a_list_in_another_order_does_not_unpack_an_archive_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `sort`, members were read in the order of the list: a compressed tar was inflated anew for each of them."""
    tree = {f"{k}.bin": bytes([k]) * 900_000 for k in range(8)}
    (tmp_path / "a.tar.gz").write_bytes(tar_of(tree, "w:gz"))
    begun: list[object] = []
    real = packed.Forward._open
    monkeypatch.setattr(packed.Forward, "_open", lambda self: (begun.append(self), real(self))[1])
    found = extract(
        tmp_path / "a.tar.gz",
        Artifact("real", Http(("https://host.example/a.tar.gz",)), "pods", unpack=True),
        (Rule(("real/<class>/<file>",), "<class>/<file>"),),
        tmp_path / "s",
        names="keep",
        url="https://host.example/a.tar.gz",
        fetched_at="2026-01-01T00:00:00Z",
        sort=lambda names: [(at, f"c/{names[at]}") for at in reversed(range(len(names)))],
        emit=lambda event: None,
        stop=lambda: False,
    )
    assert [(record.path, record.member) for record in found.records] == [
        (f"pods/c/{k}.bin", f"{k}.bin") for k in reversed(range(8))
    ]
    assert {record.path: record.sha256 for record in found.records} == {
        f"pods/c/{name}": hashlib.sha256(data).hexdigest() for name, data in tree.items()
    }
    assert len(begun) <= 2  # once to list it, once to read it
