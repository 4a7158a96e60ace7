"""Files that a person brings are found by name, and asked for in words that suffice."""

from __future__ import annotations

from pathlib import Path

import pytest

from datafetch.model import Artifact, Manual, Place
from datafetch.transfer.providers.manual import Brought, find, instructions, needs_person

PLACES = (
    Place("google-drive", "https://drive.google.com/file/d/1"),
    Place("baidu", "https://pan.baidu.com/s/1", "9fm8"),
    Place("baidu", "https://pan.baidu.com/s/2", "ezgk"),
)


def artifact(**expect: str) -> Artifact:
    globs = tuple((glob.replace("__", "/"), count) for glob, count in expect.items())
    return Artifact("json", Manual(PLACES, globs or (("train.json", "1"),)), "p9d")


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_a_file_is_found_in_a_folder_or_one_below_and_the_first_folder_wins(tmp_path: Path) -> None:
    put(tmp_path, "inbox/train.json", "downloads/p9d/train.json", "downloads/far/away/train.json")
    (inbox,) = find(artifact(), (tmp_path / "absent", tmp_path / "inbox", tmp_path / "downloads"))
    assert inbox.files == (Brought("train.json", tmp_path / "inbox/train.json"),)
    (below,) = find(artifact(), (tmp_path / "downloads",))
    assert below.files == (Brought("train.json", tmp_path / "downloads/p9d/train.json"),)


def test_a_glob_with_a_folder_counts_the_files_of_that_folder(tmp_path: Path) -> None:
    put(tmp_path, "40K/a.jpg", "40K/b.jpg", "30K/c.jpg", "flickr/40K/d.jpg", "40K/e.txt")
    (hits,) = find(artifact(**{"40K__*.jpg": "4"}), (tmp_path,))
    assert [file.name for file in hits.files] == ["40K/a.jpg", "40K/b.jpg", "40K/d.jpg"]
    assert not hits.enough
    assert "missing: 1 of 4 files 40K/*.jpg" in instructions(artifact(), (hits,), tmp_path)


def test_links_and_empty_files_are_not_what_was_asked_for(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "train.json")
    box = tmp_path / "box"
    box.mkdir()
    (box / "train.json").symlink_to(tmp_path / "elsewhere/train.json")
    (box / "sub").mkdir()
    (box / "sub/train.json").touch()
    (hits,) = find(artifact(), (box,))
    assert hits.files == ()


def test_the_instructions_name_link_code_files_and_folder_and_advise_once(tmp_path: Path) -> None:
    text = instructions(artifact(), find(artifact(), ()), tmp_path / "inbox")
    for part in (
        "https://pan.baidu.com/s/2",
        "9fm8",
        "ezgk",
        "missing: train.json",
        str(tmp_path / "inbox"),
        "--from",
    ):
        assert part in text
    assert text.count("Baidu Netdisk program") == 1
    assert text.count("24 hours") == 1


def test_it_ends_with_exit_code_7(tmp_path: Path) -> None:
    error = needs_person(artifact(), find(artifact(), ()), tmp_path)
    assert error.exit_code == 7
    assert error.hint


@pytest.mark.parametrize(
    ("count", "brought", "enough"), [("2", 1, False), ("2", 2, True), (">=1", 1, True), ("1", 0, False)]
)
def test_enough_is_what_the_recipe_expects(count: str, brought: int, enough: bool, tmp_path: Path) -> None:
    put(tmp_path, *(f"{number}.json" for number in range(brought)))
    (hits,) = find(artifact(**{"*.json": count}), (tmp_path,))
    assert hits.enough is enough
