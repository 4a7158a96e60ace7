"""`datafetch check` as it is typed: exit codes, forms of output, signals; that it writes nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from process import datafetch_, environment
from test_check import another, cut, dataset, look, same, write
from test_own_build import mask

from datafetch.console.live import Lines
from datafetch.loaders import desks
from datafetch.loaders.pictures import Job
from datafetch.loaders.rules import Kind
from datafetch.loaders.twins import Twins
from datafetch.model import Event


def snapshot(root: Path) -> dict[str, tuple[int, int, int]]:
    seen = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names, "."):
            path = os.path.join(folder, name)
            found = os.lstat(path)
            seen[path] = found.st_ino, found.st_mtime_ns, found.st_ctime_ns
    return seen


def test_nothing_is_written_anywhere(tmp_path: Path) -> None:
    dataset(tmp_path / "d")
    write(tmp_path / "d/train/cat/9.jpg")
    before = snapshot(tmp_path)
    assert datafetch_("check", "d", cwd=tmp_path).code == 13
    assert snapshot(tmp_path) == before


def test_exit_codes_and_streams(tmp_path: Path) -> None:
    dataset(tmp_path / "d")
    sound = datafetch_("check", "d", cwd=tmp_path)
    assert (sound.code, sound.err) == (0, "")
    assert sound.out.splitlines()[-1].startswith("d satisfies the layout: looked at in ")
    assert datafetch_("check", "d", "-q", cwd=tmp_path).out == ""
    write(tmp_path / "d/train/cat/a.txt")
    assert datafetch_("check", "d", cwd=tmp_path).code == 0
    assert datafetch_("check", "d", "--strict", cwd=tmp_path).code == 13
    write(tmp_path / "d/train/cat/0.jpg")
    for words in ((), ("-q",), ("--json",)):
        ended = datafetch_("check", "d", *words, cwd=tmp_path)
        assert ended.code == 13 and "does not decode" in ended.out
    assert datafetch_("check", "d", "--no-decode", cwd=tmp_path).code == 0
    for wrong in ("nowhere", "d/train/cat/a.txt"):
        ended = datafetch_("check", wrong, cwd=tmp_path)
        assert ended.code == 2 and ended.err.startswith(f"error: {wrong}") and "hint: " in ended.err


def test_json_is_one_document_with_every_finding(tmp_path: Path) -> None:
    root = dataset(tmp_path / "d")
    for number in range(8):
        write(root / f"train/cat/{number}.txt")
    write(root / "train" / os.fsdecode(b"\xff\x1b.txt"))
    ended = datafetch_("check", "d", "--json", "--no-decode", cwd=tmp_path)
    found = ended.report
    assert (found["taken_for"], found["satisfied"], found["exit_code"], found["decoded"]) == (
        "splits",
        False,
        ended.code,
        False,
    )
    assert found["counts"] == {"errors": 1, "warnings": 8}
    assert found["splits"][0] == {"name": "train", "classes": 2, "pictures": 4, "masks": 4}
    stray, ignored = found["findings"]
    assert (stray["kind"], stray["severity"]) == ("stray-file", "error")
    assert os.fsencode(stray["files"][0]["path"]) == b"train/\xff\x1b.txt"
    assert ignored["count"] == len(ignored["files"]) == 8


def test_lines_show_five_of_a_kind_or_all_and_move_no_cursor(tmp_path: Path) -> None:
    root = dataset(tmp_path / "d")
    for number in range(8):
        write(root / f"train/cat/{number}.txt")
    write(root / "train" / os.fsdecode(b"\xff\x1b[31m.txt"))
    few = datafetch_("check", "d", "--no-decode", cwd=tmp_path).out
    assert few.count(".txt") == 6 and "… and 3 more; --all names them" in few
    assert "\x1b" not in few and "train/\\udcff\\x1b[31m.txt" in few
    every = datafetch_("check", "d", "--no-decode", "--all", cwd=tmp_path).out
    assert every.count(".txt") == 9 and "more" not in every


def test_many_pictures_are_read_by_several_processes_in_order(tmp_path: Path) -> None:
    for number in range(3 * desks.BATCH):
        another(tmp_path / "cat" / f"{number:04}.jpg")
    bad = [f"cat/{number:04}.jpg" for number in (1, desks.BATCH, 2 * desks.BATCH + 5)]
    for path in bad:
        write(tmp_path / path)
    jobs = [Job(f"cat/{path.name}", "") for path in sorted((tmp_path / "cat").iterdir())]
    seen = list(desks.seen(str(tmp_path), iter(jobs), 3))
    assert [job for job, _ in seen] == jobs
    assert [job.picture for job, found in seen if found.wrong] == bad
    assert desks.processes(10**6) <= desks.MOST and desks.processes(1) == 1


def test_what_is_no_longer_wanted_is_not_read(tmp_path: Path) -> None:
    """Memory: jobs are taken as they are needed, not all at once."""
    another(tmp_path / "1.jpg")
    taken = 0

    def jobs():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield Job("1.jpg", "")

    each = desks.seen(str(tmp_path), jobs(), 1)
    assert len(list(islice(each, 3))) == 3
    each.close()
    assert taken <= desks.BATCH * (desks.AHEAD + 1)


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.jpg")
    seen = list(desks.seen(str(tmp_path), iter([Job("1.jpg", ""), Job("", "1.jpg")]), 1))
    assert [found.wrong for _, found in seen] == [((Kind.UNREADABLE, "1.jpg", "no regular file"),)] * 2


# A worker as it is, but for one name that it dies of, as a decoder in C may.
DEADLY = """
import os, sys
from datafetch.loaders import worker
look = worker.look
worker.look = lambda root, job: os.abort() if "deadly" in job.picture else look(root, job)
worker.serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
"""


def test_a_picture_that_kills_the_decoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "deadly", "z"):
        another(tmp_path / "cat" / f"{name}.jpg")

    def start(_: str, root: str, *, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
        words = (sys.executable, "-c", DEADLY, root)
        return subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL)

    monkeypatch.setattr(desks, "spawn", start)
    found = look(tmp_path).found
    assert found.examples == {Kind.BROKEN: [("cat/deadly.jpg", "the decoder crashed")]}


def test_without_room_for_a_process_pictures_are_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    another(tmp_path / "cat/1.jpg")
    write(tmp_path / "cat/2.jpg")

    def refuse(*_: object, **__: object) -> subprocess.Popen[bytes]:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(desks, "spawn", refuse)
    assert look(tmp_path).found.examples == {Kind.BROKEN: [("cat/2.jpg", "not an image")]}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_one_line_and_leaves_no_process(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    from PIL import Image

    (tmp_path / "d/cat").mkdir(parents=True)
    Image.new("RGB", (3000, 3000)).save(tmp_path / "first.png")
    for copy in range(1500):  # minutes of work
        os.link(tmp_path / "first.png", tmp_path / f"d/cat/{copy}.png")
    process = subprocess.Popen(
        (sys.executable, "-m", "datafetch", "check", "d", "--json"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert '"verifying"' in process.stderr.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    told = [line for line in err.splitlines() if not line.startswith("{")]
    assert [line.partition(":")[0] for line in told] == ["error", "hint"]
    assert not _workers_of(str(tmp_path / "d"))


def _workers_of(root: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_text().split("\0")
        except OSError:
            continue
        if "datafetch.loaders.worker" in words and root in words:
            found.append(process.parent.name)
    return found


def test_the_session_of_the_readme_is_what_is_said(tmp_path: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    session = readme.partition("$ datafetch check photos\n")[2].partition("```")[0]
    root = tmp_path / "photos"
    for name in ("train/cat/0", "train/cat/1", "train/dog/0", "train/dog/2", "test/dog/1"):
        another(root / f"{name}.jpg", (640, 480))
    cut(root / "train/cat/2.jpg")
    same(root, "train/cat/1.jpg", "test/cat/9.jpg")
    mask(root / "train_masks/cat/0.png", (64, 64))
    (root / "train/emu").mkdir()
    write(root / "train/notes.txt")
    write(root / "train/dog/1.heic")
    said = datafetch_("check", "photos", cwd=tmp_path).out
    assert re.sub(r"in \d.*", "in", said) == re.sub(r"in \d.*", "in", session)


def test_equal_pictures_are_found_by_the_digest_and_told_in_order() -> None:
    twins = Twins()
    for place, digest in enumerate((5, 2**64 - 1, 5, 7, 2**64 - 1, 5)):
        twins.add(digest, (place, 0))
    assert list(twins.groups()) == [[(0, 0), (2, 0), (5, 0)], [(1, 0), (4, 0)]]


def test_a_line_says_how_many_files_are_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """It said "asking", as if of a server, for as long as files were read."""
    lines = Lines("pets", quiet=False, verbose=False, every=0.0)
    lines(Event("verifying", "pets", done=1200, total=5000))
    assert capsys.readouterr().err == "pets: 1,200 of 5,000 files\n"
