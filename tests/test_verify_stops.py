"""A verification that ends early goes on where it stopped; one in several processes finds what one finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datafetch.errors import TimeLimit
from datafetch.layout import manifest
from datafetch.model import Event
from datafetch.store.home import Home
from datafetch.verify import crew, survey
from datafetch.verify.portion import Level
from datafetch.verify.whole import Verified, verify
from tests.process import datafetch_, environment
from tests.published import RECIPE, publish

FILES = 200


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A built tree that nobody has looked at; its manifest is cut into many portions."""
    monkeypatch.setattr(survey, "_BLOCK", 1000)
    home = Home(tmp_path, "set")
    publish(home, {f"set/{n % 7}/{n}.txt": str(n).encode() * 10 for n in range(FILES)})
    return home


def after(count: int) -> Callable[[], None]:
    """Ends the work when it was asked so many times."""
    left = [count]

    def go_on() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise TimeLimit("over")

    return go_on


def look(
    home: Home,
    *,
    full: bool = False,
    level: Level = Level.HASH,
    go_on: Callable[[], None] = lambda: None,
    processes: int = 0,
) -> Verified:
    found = verify(home, level, full=full, emit=ignore, go_on=go_on, processes=processes)
    found.findings.close()
    return found


def ignore(event: Event) -> None:
    pass


def whys(home: Home, processes: int = 0) -> dict[str, str]:
    with verify(home, Level.HASH, full=False, emit=ignore, processes=processes).findings as findings:
        return {finding.path: finding.why for finding in findings}


def test_a_full_verification_goes_on_where_it_stopped(home: Home) -> None:
    assert look(home).read == FILES
    first = look(home, full=True, go_on=after(200))
    assert first.stopped
    assert 0 < first.read < FILES
    assert look(home, level=Level.SIZE).ok == FILES, "a look that reads nothing changes nothing of it"
    second = look(home, full=True)
    assert (second.stopped, second.ok, second.read) == (None, FILES, FILES - first.read)
    assert look(home, full=True).read == FILES, "the next one begins anew"


def test_what_was_read_before_the_stop_and_changed_after_it_is_found(home: Home) -> None:
    look(home)
    assert look(home, full=True, go_on=after(200)).read
    (home.root / "set/0/0.txt").write_bytes(b"1" * 10)
    with verify(home, Level.HASH, full=True, emit=ignore).findings as findings:
        assert {finding.path: finding.why for finding in findings} == {"set/0/0.txt": "damaged"}


def test_what_was_damaged_before_a_stop_is_remembered_and_still_found(home: Home) -> None:
    look(home)
    path = home.root / "set/0/0.txt"
    before = path.stat()
    path.write_bytes(b"1" * 10)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    stopped = verify(home, Level.HASH, full=True, emit=ignore, go_on=after(200))
    with stopped.findings as findings:
        assert [finding.why for finding in findings] == ["damaged"]
    assert json.loads(home.damaged.read_bytes()) == ["set/0/0.txt"]
    assert whys(home) == {"set/0/0.txt": "damaged"}


def test_a_first_verification_that_stops_need_not_be_full_to_go_on(home: Home) -> None:
    first = look(home, go_on=after(200))
    assert 0 < first.read < FILES
    assert look(home).read == FILES - first.read
    assert look(home).read == 0


def test_another_level_or_manifest_begins_anew(home: Home) -> None:
    look(home, full=True, go_on=after(200))
    assert look(home, full=True, level=Level.DECODE).read == FILES
    look(home, full=True, go_on=after(200))
    manifest.write(home.manifest, manifest.read(home.manifest))
    assert look(home, full=True).read == FILES


def test_a_torn_last_line_of_what_was_read_costs_one_file(home: Home) -> None:
    first = look(home, full=True, go_on=after(200))
    with home.looked.open("r+b") as file:
        file.truncate(home.looked.stat().st_size - 3)
    assert look(home, full=True).read == FILES - first.read + 1


def test_lines_out_of_order_and_twice_change_nothing(home: Home) -> None:
    whole = look(home)
    lines = home.manifest.read_bytes().splitlines(keepends=True)
    home.manifest.write_bytes(b"".join(reversed(lines)) + lines[5])
    again = look(home)
    assert (again.ok, again.files, again.tree_digest) == (FILES, FILES, whole.tree_digest)
    assert sorted(path.name for path in home.state.iterdir()) == ["manifest.jsonl", "seen.jsonl"]


def damage(home: Home) -> dict[str, str]:
    (home.root / "set/0/0.txt").write_bytes(b"1" * 10)
    (home.root / "set/1/1.txt").unlink()
    (home.root / "set/1/stray").write_bytes(b"")
    return {"set/0/0.txt": "damaged", "set/1/1.txt": "missing", "set/1/stray": "extra"}


def test_several_processes_find_what_one_finds(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "WORTH_FILES", 1)
    expected = damage(home)
    assert whys(home, processes=3) == expected
    assert look(home).read == 1, "the damaged one"


@pytest.mark.parametrize("code", ["", "import sys; sys.stdin.buffer.read(50)"], ids=["at once", "at work"])
def test_processes_that_die_cost_only_time(code: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(module: str, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen((sys.executable, "-c", code), stdin=stdin, stdout=stdout)

    monkeypatch.setattr(crew, "WORTH_FILES", 1)
    monkeypatch.setattr(crew, "spawn", dying)
    expected = damage(home)
    assert whys(home, processes=2) == expected


def test_no_process_can_be_started(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **more: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(crew, "WORTH_FILES", 1)
    monkeypatch.setattr(crew, "spawn", refuse)
    expected = damage(home)
    assert whys(home) == expected


def test_a_large_file_is_a_portion_of_its_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_BYTES", 64)
    portions: list[tuple[int, int]] = []
    survey.survey(home.manifest, lambda one: portions.append((one.files, one.bytes)), lambda: None)
    assert sum(files for files, _ in portions) == FILES
    assert max(size for _, size in portions) < 64 + 30
    assert look(home).ok == FILES


# --- The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """A dataset with a file that takes many seconds to read, and no disk."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/set.yaml").write_text(RECIPE)
    home = Home(tmp_path / "out", "set")
    publish(home, {"set/a/1.txt": b"1", "set/b/huge.bin": b""})
    with (home.root / "set/b/huge.bin").open("wb") as file:
        file.truncate(1 << 35)
    lines = home.manifest.read_text().replace('"size":0', f'"size":{1 << 35}')
    home.manifest.write_text(lines)
    return tmp_path


VERIFY = ("verify", "set", "--registry", "recipes", "-o", "out")


def test_max_duration_ends_it_with_its_own_code(huge: Path) -> None:
    ended = datafetch_(*VERIFY, "--max-duration", "1s", cwd=huge)
    assert ended.code == 10, ended.err
    assert "not looked at" in ended.out
    assert "--max-duration is over" in ended.out
    report = json.loads((huge / "out/.datafetch/set/verified.json").read_bytes())
    counts = report["counts"]
    assert (report["status"], report["exit_code"], counts["total"]) == ("partial", 10, 2)
    assert not (huge / "out/.datafetch/set/lease").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_good_order(number: int, code: int, huge: Path) -> None:
    command = (sys.executable, "-m", "datafetch", *VERIFY)
    with subprocess.Popen(
        command, cwd=huge, env=environment(huge), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            while not (huge / "out/.datafetch/set/lease").exists():
                assert running.poll() is None
            running.send_signal(number)
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == code, err
    assert "interrupted" in out + err
    assert "Traceback" not in err


def test_many_findings_leave_stdout_usable_and_the_report_whole(home: Home) -> None:
    (home.root / "recipes").mkdir()
    (home.root / "recipes/set.yaml").write_text(RECIPE)
    for n in range(100):
        (home.root / f"set/{n % 7}/{n}.txt").unlink()
    (home.root / os.fsdecode(b"set/0/\xff\x1b[2J")).write_bytes(b"")
    verify_ = ("verify", "set", "--registry", "recipes", "-o", ".")
    ended = datafetch_(*verify_, cwd=home.root)
    assert ended.code == 13
    assert len(ended.out.splitlines()) == 23
    assert f"… and 81 more; --all lists all of them, as does {home.verified}" in ended.out
    every = datafetch_(*verify_, "--all", cwd=home.root)
    assert len(every.out.splitlines()) == 103
    assert "extra: set/0/\\xff\\x1b[2J: " in every.out
    told = datafetch_(*verify_, "--json", cwd=home.root)
    assert [json.loads(told.out)["problems"]] == [json.loads(home.verified.read_bytes())["problems"]]
    assert len(json.loads(told.out)["problems"]) == 101
    assert json.loads(told.out)["counts"] == {
        **{"ok": 100, "missing": 100, "failed": 0},
        **{"rejected": 1, "skipped": 0, "total": 201},
    }
