"""Runs that nobody watches: the start by chance, the metrics file, the heartbeat."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from process import Ended, datafetch_, start
from server import Answer, Exchange, FaultServer, Thing, status
from tiny import recipe

from datafetch.errors import Interrupted
from datafetch.model import Outcome
from datafetch.report import Report, add_up
from datafetch.unattended.attend import Wishes, attended
from datafetch.unattended.heartbeat import Heartbeat
from datafetch.unattended.metrics import End, text

SECRET = "5d1c-secret-uuid"
SAMPLE = re.compile(r'([a-z_:]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} (-?[0-9.]+)')


@pytest.fixture
def server() -> Iterator[FaultServer]:
    def find(path: str) -> Answer | None:
        if path == "/a":
            return Thing(b"bytes")
        return status(200, b"OK") if SECRET in path else None

    with FaultServer(find) as server:
        yield server


def get(folder: Path, url: str, *options: str, env: dict[str, str] | None = None) -> Ended:
    named = recipe(folder, {"a": url})
    return datafetch_("get", *named, "-o", "out", "--allow-private", *options, cwd=folder, env=env)


def samples(path: Path) -> dict[str, float]:
    """Each sample by its name and what else but dataset and root labels it; checks the format on the way."""
    found, described = {}, set()
    for line in path.read_text().splitlines():
        if line.startswith("# "):
            _, kind, name, _ = line.split(" ", 3)
            assert kind in ("HELP", "TYPE") and (kind, name) not in described
            described.add((kind, name))
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert {("HELP", match[1]), ("TYPE", match[1])} <= described
        outcome = re.search(r'outcome="(\w+)"', match[2])
        found[match[1].removeprefix("datafetch_") + (f":{outcome[1]}" if outcome else "")] = float(match[3])
    return found


# --- Metrics ---------------------------------------------------------------------------------------------------------


def test_a_run_leaves_its_metrics_in_a_folder_that_datasets_share(
    tmp_path: Path, server: FaultServer
) -> None:
    (tmp_path / "prom").mkdir()
    before = time.time()
    ended = get(tmp_path, f"{server.url}/a", "--metrics-file", "prom", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert [path.name for path in (tmp_path / "prom").iterdir()] == ["datafetch_tiny.prom"]
    found = samples(tmp_path / "prom/datafetch_tiny.prom")
    assert found["last_run_exit_code"] == 0 and found["items:ok"] == 1 and found["items:failed"] == 0
    assert found["last_run_transferred_bytes"] == found["on_disk_bytes"] == 5
    assert before - 1 <= found["last_run_timestamp_seconds"] <= time.time() + 1
    assert found["last_success_timestamp_seconds"] == found["last_run_timestamp_seconds"]
    assert found["last_run_duration_seconds"] >= 0 and found["disk_free_bytes"] > 0
    assert (tmp_path / "prom/datafetch_tiny.prom").stat().st_mode & 0o044 == 0o044


def test_a_failure_keeps_when_the_last_success_was(tmp_path: Path, server: FaultServer) -> None:
    file = tmp_path / "m.prom"
    good = get(tmp_path, f"{server.url}/a", "--metrics-file", "m.prom")
    when = samples(file)["last_success_timestamp_seconds"]
    bad = get(tmp_path, f"{server.url}/gone", "--metrics-file", "m.prom", "-o", "other")
    assert (good.code, bad.code) == (0, 4)
    assert "last_success_timestamp_seconds" not in samples(file)  # of another output directory
    get(tmp_path, f"{server.url}/a", "--metrics-file", "m.prom")
    named = recipe(tmp_path, {"a": f"{server.url}/a", "b": f"{server.url}/gone"})
    worse = datafetch_(
        "get", *named, "-o", "out", "--allow-private", "--metrics-file", "m.prom", cwd=tmp_path
    )
    found = samples(file)
    assert worse.code == found["last_run_exit_code"] == 4 and found["items:missing"] == 1
    assert when <= found["last_success_timestamp_seconds"] < found["last_run_timestamp_seconds"]


def test_a_run_that_could_not_begin_has_metrics_too(tmp_path: Path, server: FaultServer) -> None:
    more = "terms: {text: be kind, link: 'https://example.org/terms', accept: true}"
    named = recipe(tmp_path, {"a": f"{server.url}/a"}, more)
    ended = datafetch_("get", *named, "-o", "out", "--metrics-file", "m.prom", cwd=tmp_path)
    assert ended.code == samples(tmp_path / "m.prom")["last_run_exit_code"] == 7


def test_metrics_that_cannot_be_written_are_told_at_once(tmp_path: Path, server: FaultServer) -> None:
    ended = get(tmp_path, f"{server.url}/a", "--metrics-file", "no/such/m.prom")
    assert ended.code == 2 and "no folder" in ended.err and server.seen == ()


def test_labels_are_escaped() -> None:
    line = text(End("a", 'C:\\x "y"\nz\udcff', 1.0, 2.0, 5)).splitlines()[2]
    assert line == 'datafetch_last_run_timestamp_seconds{dataset="a",root="C:\\\\x \\"y\\"\\nz?"} 1.000'
    assert SAMPLE.fullmatch(line)


# --- Heartbeat -------------------------------------------------------------------------------------------------------


def beats(server: FaultServer) -> list[str]:
    return [seen.path for seen in server.seen if SECRET in seen.path]


@pytest.mark.parametrize(("path", "words"), [("a", ["/start", ""]), ("gone", ["/start", "/4"])])
def test_a_monitor_hears_of_the_start_and_the_end(
    tmp_path: Path, server: FaultServer, path: str, words: list[str]
) -> None:
    env = {"DATAFETCH_HEARTBEAT": f"{server.url}/{SECRET}"}
    ended = get(tmp_path, f"{server.url}/{path}", env=env)
    assert beats(server) == [f"/{SECRET}{word}" for word in words]
    kept = "".join(path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET not in ended.out + ended.err + kept


def test_a_query_stays_behind_the_path(tmp_path: Path, server: FaultServer) -> None:
    get(tmp_path, f"{server.url}/a", "--heartbeat", f"{server.url}/{SECRET}/?rid=1")
    assert beats(server) == [f"/{SECRET}/start?rid=1", f"/{SECRET}/?rid=1"]


def test_the_monitor_hears_of_a_run_that_could_not_begin(tmp_path: Path, server: FaultServer) -> None:
    more = "terms: {text: be kind, link: 'https://example.org/terms', accept: true}"
    named = recipe(tmp_path, {"a": f"{server.url}/a"}, more)
    words = ("--heartbeat", f"{server.url}/{SECRET}", "--allow-private")
    assert datafetch_("get", *named, "-o", "out", *words, cwd=tmp_path).code == 7
    assert beats(server) == [f"/{SECRET}/start", f"/{SECRET}/7"]


def broken(exchange: Exchange) -> None:
    exchange.hang_up()


@pytest.mark.parametrize(
    ("answer", "times"),
    [(status(500), 2), (status(404), 1), (broken, 2), (status(302, Location=f"ftp://x/{SECRET}"), 2)],
    ids=["500", "404", "hangs up", "redirects elsewhere"],
)
def test_a_monitor_that_fails_fails_nothing_and_its_address_is_not_told(
    tmp_path: Path, answer: Answer, times: int
) -> None:
    def find(path: str) -> Answer:
        return answer if SECRET in path else Thing(b"bytes")

    with FaultServer(find) as server:
        ended = get(tmp_path, f"{server.url}/a", "--heartbeat", f"{server.url}/{SECRET}")
        assert len(beats(server)) == 2 * times
    assert ended.code == 0 and SECRET not in ended.err + ended.out
    assert ended.err.count("note: heartbeat: 127.0.0.1") == 2


def test_a_private_address_is_not_asked_unless_that_is_allowed(tmp_path: Path, server: FaultServer) -> None:
    named = recipe(tmp_path, {"a": f"{server.url}/a"})
    options = ("--mirror", server.url, "--heartbeat", f"{server.url}/{SECRET}")
    ended = datafetch_("get", *named, "-o", "out", *options, cwd=tmp_path)
    assert beats(server) == [] and ended.err.count("note: heartbeat: 127.0.0.1: refused") == 2


def test_an_address_that_is_none_is_refused_without_showing_it(tmp_path: Path) -> None:
    ended = get(tmp_path, "http://127.0.0.1:1/a", "--heartbeat", f"ftp://x/{SECRET}")
    assert ended.code == 2 and SECRET not in ended.err and "--heartbeat" in ended.err
    assert SECRET not in repr(Heartbeat.of(f"https://x.example/{SECRET}", allow_private=False))


def test_offline_asks_no_monitor(tmp_path: Path, server: FaultServer) -> None:
    get(tmp_path, f"{server.url}/a", "--offline", "--heartbeat", f"{server.url}/{SECRET}")
    assert server.seen == ()


# --- Start by chance -------------------------------------------------------------------------------------------------


def ok() -> Report:
    return Report("a", "/", "complete", 0, add_up([{Outcome.OK: 1}]), 0, 0, 0, 0.0, "")


def test_the_start_waits_a_share_of_the_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def pause(seconds: float, begun: Callable[[], None]) -> None:
        waited.append(seconds)
        begun()

    monkeypatch.setattr("datafetch.unattended.attend.pause", pause)
    said: list[str] = []
    attended(ok, "a", "/", Wishes(delay=900.0), said.append, chance=lambda: 0.25)
    attended(ok, "a", "/", Wishes(delay=900.0), said.append, told=False, chance=lambda: 0.5)
    assert waited == [225.0, 450.0] and said == ["starts in 225 s"]


def test_an_interrupted_wait_begins_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(seconds: float, begun: Callable[[], None]) -> None:
        raise Interrupted("interrupted")

    monkeypatch.setattr("datafetch.unattended.attend.pause", stopped)
    with pytest.raises(Interrupted):
        attended(ok, "a", "/", Wishes(delay=1.0, metrics=tmp_path / "m"), print)
    assert list(tmp_path.iterdir()) == []


def test_sigterm_ends_the_wait_before_the_lease_is_taken(tmp_path: Path) -> None:
    named = recipe(tmp_path, {"a": "http://127.0.0.1:1/a"})
    words = ("get", *named, "-o", "out", "--start-delay", "10000d", "--json")
    with start(words, tmp_path) as process:
        assert process.stderr is not None
        assert re.match(r"note: starts in \d+ s", process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 143 and json.loads(out)["exit_code"] == 143
    assert not (tmp_path / "out").exists()


# --- Budgets ---------------------------------------------------------------------------------------------------------


def test_a_run_that_used_up_its_budget_is_told_and_the_next_goes_on(tmp_path: Path) -> None:
    body = bytes(range(256)) * 4096  # 1 MiB
    thing = Thing(body)
    with FaultServer(lambda path: status(200) if SECRET in path else thing) as server:
        watched = ("--metrics-file", "m.prom", "--heartbeat", f"{server.url}/{SECRET}", "--json")
        first = get(tmp_path, f"{server.url}/a", "--max-transfer", "700K", *watched)
        assert first.code == samples(tmp_path / "m.prom")["last_run_exit_code"] == 8
        second = get(tmp_path, f"{server.url}/a", *watched)
        assert second.code == samples(tmp_path / "m.prom")["last_run_exit_code"] == 0
        assert beats(server) == [f"/{SECRET}{word}" for word in ("/start", "/8", "/start", "")]
    fetched = [run.report["bytes"]["transferred"] for run in (first, second)]
    assert fetched == [700_000, len(body) - 700_000]
    assert (tmp_path / "out/tiny/a").read_bytes() == body
