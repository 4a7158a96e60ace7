"""`datafetch schedule`: what it prints is read by a shell and by systemd as it was meant, and runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from process import Ended, datafetch_, environment
from server import FaultServer, Thing
from tiny import recipe

from datafetch.errors import UsageError
from datafetch.unattended.schedule import Every, Job, crontab, parse_time, units

ODD = "da ta %d $HOME 'q' \"d\" ; & `x` #"


def job(*command: str, **more: Any) -> Job:
    given = {"every": Every.DAY, "hour": 3, "minute": 5, "delay": 0.0, "environment": {}, "secrets": ()}
    return Job("tiny", "get tiny", command, **given | more)  # type: ignore[arg-type]


def of_cron(text: str) -> tuple[str, str]:
    """The fields of the time, and the command as cron hands it to a shell (crontab(5))."""
    (line,) = [line for line in text.splitlines() if not line.startswith("#")]
    *when, command = line.split(" ", 5)
    assert re.search(r"(?<!\\)%", command) is None  # that would end the command
    return " ".join(when), command.replace(r"\%", "%")


def of_systemd(service: str, key: str = "ExecStart") -> Iterator[list[str]]:
    """The words of each such line, by systemd.service(5): quotes, C escapes, specifiers; with `:` no variables."""
    for line in service.splitlines():
        if not line.startswith(f"{key}="):
            continue
        words, rest = [], line.partition("=")[2]
        plain = rest.startswith(":")
        for match in re.finditer(r'"((?:[^"\\]|\\.)*)"|(\S+)', rest.removeprefix(":")):
            word = match[2] if match[1] is None else re.sub(r"\\(.)", _escape, match[1])
            assert re.search(r"(?<!%)(%%)*%(?!%)", word) is None  # a specifier
            assert plain or "$" not in word or key != "ExecStart"
            words.append(word.replace("%%", "%"))
        yield words


def _escape(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1])


WORDS = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1), max_size=5)


@given(WORDS)
def test_systemd_reads_each_word_as_it_was_given(words: list[str]) -> None:
    service = units(job("/bin/x", *words))["datafetch-tiny.service"]
    assert list(of_systemd(service)) == [["/bin/x", *words]]


@pytest.mark.parametrize("word", ["a b", "100%", r"back\slash", "new\nline", "tab\t", '"', "$$", "%%h", ";"])
def test_awkward_words_survive_systemd(word: str) -> None:
    service = units(job("/bin/x", word, environment={"A": word}))["datafetch-tiny.service"]
    assert list(of_systemd(service)) == [["/bin/x", word]]
    assert list(of_systemd(service, "Environment")) == [[f"A={word}"]]


@pytest.mark.parametrize("word", ["a b", "100%", '"', "'", "$HOME", "`id`", "%%h", ";", "*", "~", "#"])
def test_awkward_words_survive_cron_and_a_shell(word: str) -> None:
    code = "import sys, os, json; print(json.dumps([sys.argv[1:], os.environ['A']]))"
    _, command = of_cron(crontab(job(sys.executable, "-c", code, word, environment={"A": word})))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[word], word]


@pytest.mark.parametrize("word", ["a\nb", r"a\b", "x" * 1000])
def test_what_crons_read_in_different_ways_is_refused(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        crontab(job("/bin/x", word))
    assert "--systemd" in caught.value.hint


@pytest.mark.parametrize(
    ("every", "cron", "timer"),
    [
        (Every.HOUR, "5 * * * *", "*-*-* *:05:00"),
        (Every.DAY, "5 3 * * *", "*-*-* 03:05:00"),
        (Every.WEEK, "5 3 * * 0", "Sun *-*-* 03:05:00"),
    ],
)
def test_the_times(every: Every, cron: str, timer: str) -> None:
    assert of_cron(crontab(job("/bin/x", every=every)))[0] == cron
    assert f"\nOnCalendar={timer}\n" in units(job("/bin/x", every=every))["datafetch-tiny.timer"]
    assert (parse_time("3:05"), parse_time("23:59")) == ((3, 5), (23, 59))
    for wrong in ("24:00", "3", "3:60", "x"):
        with pytest.raises(UsageError):
            parse_time(wrong)


# --- The command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer({"/a": Thing(b"bytes")}.get) as server:
        yield server


def schedule(folder: Path, server: FaultServer, *options: str, env: dict[str, str] | None = None) -> Ended:
    named = recipe(folder, {"a": f"{server.url}/a"})
    return datafetch_("schedule", *named, "--allow-private", *options, cwd=folder, env=env)


@pytest.mark.parametrize("kind", ["--cron", "--systemd"])
def test_what_it_prints_runs_from_anywhere_and_says_nothing(
    tmp_path: Path, server: FaultServer, kind: str
) -> None:
    ended = schedule(tmp_path, server, kind, "-o", ODD, "--start-delay", "0s", "--json")
    assert ended.code == 0, ended.err
    files = ended.report["files"]
    if kind == "--cron":
        words = ["/bin/sh", "-c", of_cron(files["crontab"])[1]]
    else:
        (words,) = of_systemd(files["datafetch-tiny.service"])
        (setting,) = of_systemd(files["datafetch-tiny.service"], "Environment")
        words = ["/usr/bin/env", *setting, *words]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home = {name: value for name, value in environment(tmp_path).items() if name in ("HOME", "PATH")}
    done = subprocess.run(words, cwd=elsewhere, env=home, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / ODD / "tiny/a").read_bytes() == b"bytes"
    assert list(elsewhere.iterdir()) == []


def test_choices_options_and_the_environment_of_today_come_along(tmp_path: Path) -> None:
    env = {"DATAFETCH_DIR": "here", "DATAFETCH_MAX_DURATION": "2h", "HTTPS_PROXY": "http://proxy:3128"}
    words = ("--synthetic", "dreambooth_llm", "--cfg", "5", "--negatives", "--split", "train,test")
    ended = datafetch_("schedule", "pods", *words, "--cron", "--json", cwd=tmp_path, env=env)
    command = " ".join(ended.report["command"])
    assert command.startswith(f"{sys.executable} -P -m datafetch get pods --synthetic dreambooth_llm --cfg 5")
    for expected in (
        "--negatives",
        "--split train,test",
        f"--output-dir {tmp_path}/here",
        "--max-duration 2h",
    ):
        assert expected in command
    assert command.endswith(" -q")
    assert "HTTPS_PROXY=http://proxy:3128" in ended.report["files"]["crontab"]
    assert "--start-delay 900s" in ended.report["files"]["crontab"]


@pytest.mark.parametrize("kind", ["--cron", "--systemd"])
def test_secrets_are_named_and_never_printed(tmp_path: Path, server: FaultServer, kind: str) -> None:
    env = {"HF_TOKEN": "hush", "HTTPS_PROXY": "http://user:hush@proxy"}
    ended = schedule(tmp_path, server, kind, "--heartbeat", "https://hc.example/hush", env=env)
    assert ended.code == 0 and "hush" not in ended.out + ended.err
    assert all(name in ended.out for name in ("DATAFETCH_HEARTBEAT", "HF_TOKEN", "HTTPS_PROXY"))


def test_the_delay_is_systemds_own(tmp_path: Path, server: FaultServer) -> None:
    ended = schedule(tmp_path, server, "--systemd", "--start-delay", "1h")
    assert "\nRandomizedDelaySec=3600\n" in ended.out and "--start-delay" not in ended.out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 2),
        (("--cron", "--systemd"), 2),
        (("--cron", "--hourly", "--weekly"), 2),
        (("--cron", "--at", "25:00"), 2),
        (("--cron", "--max-duration", "long"), 2),
        (("--cron", "--only", "nothing"), 3),
        (("--cron", "--nonsense"), 2),
    ],
)
def test_what_get_would_refuse_at_night_is_refused_now(
    tmp_path: Path, server: FaultServer, options: tuple[str, ...], code: int
) -> None:
    ended = schedule(tmp_path, server, *options)
    assert (ended.code, ended.out) == (code, "") and "hint: " in ended.err


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("every", ["--hourly", "--daily", "--weekly"])
def test_systemd_finds_nothing_to_complain_of(tmp_path: Path, server: FaultServer, every: str) -> None:
    ended = schedule(tmp_path, server, "--systemd", every, "-o", ODD, "--json", env={"HF_TOKEN": "x"})
    units_at = tmp_path / "units"
    units_at.mkdir()
    for name, text in ended.report["files"].items():
        (units_at / name).write_text(text)
    names = [str(units_at / name) for name in ended.report["files"]]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, env={"HOME": "/"}
    )
    assert done.returncode == 0, done.stderr
    assert "datafetch-" not in done.stderr and str(units_at) not in done.stderr, done.stderr
