"""What `export` writes is checked by the tools it is for: sha256sum, and what RFC 8493 asks of a bag."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from datafetch.export.bag import encoded
from datafetch.export.sums import sum_line
from datafetch.store.home import Home
from tests.process import Ended, datafetch_, environment
from tests.published import RECIPE, publish

FILES = {
    "set/a/plain.txt": b"1",
    "set/a/two  blanks.txt": b"2",
    "set/a/new\nline.txt": b"3",
    "set/a/back\\slash.txt": b"4",
    "set/a/per%cent%0A.txt": b"5",
    "set/a/cr\rcr\r": b"6",
    "set/b/ü.txt": b"7",
    "set/b/*star": b"",
    "set/info.json": b"{}",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/set.yaml").write_text(RECIPE)
    home = Home(tmp_path / "out", "set")
    publish(home, FILES)
    return home


def export(home: Home, *words: str) -> Ended:
    there = ("--registry", "recipes", "--output-dir", "out")
    return datafetch_("export", "set", *there, *words, cwd=home.root.parent)


# --- SHA256SUMS -------------------------------------------------------------------------------------------------------


def test_sha256sum_checks_what_is_exported_and_finds_what_is_damaged(home: Home) -> None:
    assert export(home, "-o", "SHA256SUMS").code == 0
    check = ["sha256sum", "-c", "--quiet", "--strict", "../SHA256SUMS"]
    good = subprocess.run(check, cwd=home.root, capture_output=True, text=True)
    assert (good.returncode, good.stderr) == (0, "")
    (home.root / "set/a/new\nline.txt").write_bytes(b"x")
    bad = subprocess.run(check, cwd=home.root, capture_output=True, text=True)
    assert bad.returncode == 1
    assert "line.txt: FAILED" in bad.stdout


@pytest.mark.skipif(shutil.which("rclone") is None, reason="no rclone here")
def test_rclone_checks_what_is_exported_and_finds_what_verify_finds(tmp_path: Path) -> None:
    """Without names that coreutils escapes: rclone 1.60 takes those as they are written."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/set.yaml").write_text(RECIPE)
    home = Home(tmp_path / "out", "set")
    publish(home, {path: data for path, data in FILES.items() if not re.search(r"[\\\n\r]", path)})
    assert export(home, "-o", "SHA256SUMS").code == 0
    assert _checked_by_rclone(home) == (0, set())
    (home.root / "set/a/two  blanks.txt").write_bytes(b"x")
    (home.root / "set/b/ü.txt").unlink()
    damaged = {"set/a/two  blanks.txt", "set/b/ü.txt"}
    assert _checked_by_rclone(home) == (1, damaged)
    words = ("set", "--registry", "recipes", "--output-dir", "out", "--json", "--full", "--level", "hash")
    found = datafetch_("verify", *words, cwd=home.root.parent)
    assert (found.code, {one["name"] for one in found.report["problems"]}) == (13, damaged)


def _checked_by_rclone(home: Home) -> tuple[int, set[str]]:
    """Its exit code, and the files that it says differ, are missing or cannot be read."""
    words = ("--config", os.devnull, "--combined", "-", "--exclude", "/.datafetch/**")
    check = ["rclone", "checksum", "sha256", "../SHA256SUMS", ".", *words]
    ended = subprocess.run(check, cwd=home.root, capture_output=True, text=True)
    return ended.returncode, {line[2:] for line in ended.stdout.splitlines() if not line.startswith("=")}


def test_the_lines_are_those_of_sha256sum(home: Home) -> None:
    paths = sorted(FILES, key=os.fsencode)
    theirs = subprocess.run(["sha256sum", *paths], cwd=home.root, capture_output=True, check=True)
    assert (
        b"".join(sum_line(hashlib.sha256(FILES[path]).hexdigest(), path) for path in paths) == theirs.stdout
    )
    command = (
        sys.executable,
        "-m",
        "datafetch",
        "export",
        "set",
        "--registry",
        "recipes",
        "--output-dir",
        "out",
    )
    ours = subprocess.run(
        command, cwd=home.root.parent, env=environment(home.root.parent), capture_output=True, check=True
    )
    assert ours.stdout == theirs.stdout


def test_nothing_is_written_where_the_dataset_stands(home: Home) -> None:
    for target in ("out/set/SHA256SUMS", "out/set/a/sums", "out/set"):
        ended = export(home, "-o", target)
        assert ended.code == 2, target
        assert "holds the dataset and nothing else" in ended.err
    assert export(home, "-o", "out/SHA256SUMS").code == 0


def test_a_dataset_that_is_not_here_is_told(home: Home) -> None:
    home.manifest.unlink()
    for words in ((), ("-o", "sums"), ("--format", "bagit", "-o", "bag")):
        ended = export(home, *words)
        assert ended.code == 13, words
        assert "hint: datafetch get set fetches it" in ended.err
    assert sorted(path.name for path in home.root.parent.iterdir()) == ["out", "recipes"]


# --- Bags -------------------------------------------------------------------------------------------------------------


def validate(bag: Path) -> set[str]:
    """The payload of a complete and valid bag, as RFC 8493 defines both; an assertion fails for another."""
    assert (bag / "bagit.txt").read_bytes() == (b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    listed = _sums(bag / "manifest-sha256.txt")
    payload = {path.relative_to(bag).as_posix() for path in (bag / "data").rglob("*") if path.is_file()}
    assert listed.keys() == payload
    tags = _sums(bag / "tagmanifest-sha256.txt")
    assert tags.keys() == {"bagit.txt", "bag-info.txt", "manifest-sha256.txt"}
    for name, digest in (listed | tags).items():
        assert hashlib.sha256((bag / name).read_bytes()).hexdigest() == digest, name
    size = sum((bag / name).stat().st_size for name in payload)
    assert f"Payload-Oxum: {size}.{len(payload)}\n" in (bag / "bag-info.txt").read_text()
    return payload


def _sums(path: Path) -> dict[str, str]:
    found = {}
    for line in path.read_bytes().decode().split("\n")[:-1]:
        digest, name = re.fullmatch(r"([0-9a-f]{64})  ([^\r\n]+)", line).groups()  # type: ignore[union-attr]
        found[re.sub("%0A|%0D|%25", lambda code: unquote(code[0]), name)] = digest
    return found


@pytest.mark.parametrize("words", [(), ("--link",)], ids=["copies", "links"])
def test_a_bag_is_complete_and_valid(words: tuple[str, ...], home: Home) -> None:
    assert export(home, "--format", "bagit", "-o", "bag", *words).code == 0
    bag = home.root.parent / "bag"
    assert validate(bag) == {f"data/{path}" for path in FILES}
    assert "Source-Dataset: set\n" in (bag / "bag-info.txt").read_text()
    verified = datafetch_("verify", "set", "--registry", "recipes", "-o", "out", cwd=bag.parent)
    assert verified.code == 0


def test_bagit_itself_finds_the_bag_valid(home: Home) -> None:
    """All but names with a percent sign: it leaves the %25 that RFC 8493 asks for as it is."""
    import bagit

    publish(home, {path: data for path, data in FILES.items() if "%" not in path})
    assert export(home, "--format", "bagit", "-o", "bag").code == 0
    bagit.Bag(str(home.root.parent / "bag")).validate()


def test_the_validator_of_these_tests_finds_a_flipped_byte(home: Home) -> None:
    assert export(home, "--format", "bagit", "-o", "bag").code == 0
    (home.root.parent / "bag/data/set/a/plain.txt").write_bytes(b"2")
    with pytest.raises(AssertionError):
        validate(home.root.parent / "bag")


def test_what_is_damaged_is_not_put_into_a_bag(home: Home) -> None:
    (home.root / "set/b/ü.txt").write_bytes(b"8")
    ended = export(home, "--format", "bagit", "-o", "bag")
    assert ended.code == 13
    assert "set/b/ü.txt is not what was published" in ended.err
    assert sorted(path.name for path in home.root.parent.iterdir()) == ["out", "recipes"]


def test_a_folder_that_stands_there_is_left_alone(home: Home) -> None:
    mine = home.root.parent / "bag"
    mine.mkdir()
    ended = export(home, "--format", "bagit", "-o", "bag")
    assert ended.code == 12
    assert "in the way" in ended.err
    assert list(mine.iterdir()) == []


def test_what_a_killed_run_left_is_taken_away_by_the_next(home: Home) -> None:
    """Killed while it syncs, with everything written and nothing published."""
    code = (
        "import os, signal, sys; from datafetch.export import bag; "
        "bag.sync_tree = lambda path: os.kill(os.getpid(), signal.SIGKILL); "
        "from datafetch.cli import main; main()"
    )
    words = (
        "export",
        "set",
        "--registry",
        "recipes",
        "--output-dir",
        "out",
        "--format",
        "bagit",
        "-o",
        "bag",
    )
    here = home.root.parent
    killed = subprocess.run((sys.executable, "-c", code, *words), cwd=here, env=environment(here))
    assert killed.returncode == -signal.SIGKILL
    assert not (here / "bag").exists()
    assert export(home, "--format", "bagit", "-o", "bag").code == 0
    validate(here / "bag")
    assert sorted(path.name for path in here.iterdir()) == ["bag", "out", "recipes"]


def test_only_ends_of_line_and_percent_signs_are_encoded_in_a_bag() -> None:
    assert encoded("data/a b\\c%\n\r*ü") == "data/a b\\c%25%0A%0D*ü"
