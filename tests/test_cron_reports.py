"""report.json tells of every run, also of one that ended before it began."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from process import Ended, datafetch_
from server import FaultServer, Thing, status
from tiny import recipe

from datafetch.model import Choice, Settings
from datafetch.recipe.registry import load
from datafetch.run import get as get_
from datafetch.store.lease import Lease

STATE = "out/.datafetch/tiny"


def get(folder: Path, named: tuple[str, ...], *options: str) -> Ended:
    return datafetch_("get", *named, "-o", "out", "--allow-private", "--json", *options, cwd=folder)


def written(folder: Path, name: str = "report.json") -> Any:
    return json.loads((folder / STATE / name).read_text())


@pytest.fixture
def url() -> Any:
    with FaultServer(lambda path: Thing(b"bytes") if path == "/a" else status(404)) as server:
        yield server.url


def test_terms_that_nobody_accepted(tmp_path: Path, url: str) -> None:
    more = "terms: {text: be kind, link: 'https://example.org/terms', accept: true}"
    ended = get(tmp_path, recipe(tmp_path, {"a": f"{url}/a"}, more))
    assert ended.code == 7
    found = written(tmp_path)
    assert found == ended.report
    assert (found["exit_code"], found["status"], found["problems"][0]["why"]) == (7, "failed", "manual")
    assert found["counts"]["failed"] == found["counts"]["total"] == 1
    assert not (tmp_path / STATE / "lease").exists()


def test_no_room(tmp_path: Path, url: str) -> None:
    named = recipe(tmp_path, {"a": f"{url}/a"})
    path = tmp_path / "recipes/tiny.yaml"
    path.write_text(path.read_text().replace("checksums: unknown", "checksums: unknown, size: 5000"))
    ended = get(tmp_path, named, "--max-disk", "1000")
    assert (ended.code, written(tmp_path)["exit_code"]) == (12, 12)
    assert "--max-disk" in written(tmp_path)["problems"][0]["text"]


@pytest.mark.parametrize(("path", "code"), [("gone", 4), ("", 5)])
def test_a_network_that_fails(tmp_path: Path, url: str, path: str, code: int) -> None:
    where = f"{url}/{path}" if path else "http://127.0.0.1:1/a"
    ended = get(tmp_path, recipe(tmp_path, {"a": where}), "--retries", "0")
    assert (ended.code, written(tmp_path)["exit_code"]) == (code, code)


def test_a_lease_that_another_holds_leaves_its_report_alone(tmp_path: Path, url: str) -> None:
    named = recipe(tmp_path, {"a": f"{url}/a"})
    assert get(tmp_path, named).code == 0
    before = written(tmp_path)
    with Lease(tmp_path / STATE / "lease"):
        ended = get(tmp_path, named)
    assert ended.code == 11 and written(tmp_path) == before
    found = written(tmp_path, "locked.json")
    assert found == ended.report
    assert (found["dataset"], found["exit_code"], found["problems"][0]["why"]) == ("tiny", 11, "locked")
    assert get(tmp_path, named).code == 0
    assert not (tmp_path / STATE / "locked.json").exists()


def test_what_is_here_already_stands_in_the_report_of_a_run_that_ended_early(
    tmp_path: Path, url: str
) -> None:
    named = recipe(tmp_path, {"a": f"{url}/a"})
    assert get(tmp_path, named).code == 0
    named = recipe(tmp_path, {"a": f"{url}/a", "b": f"{url}/b"})
    path = tmp_path / "recipes/tiny.yaml"
    path.write_text(
        path.read_text().replace("/b', checksums: unknown", "/b', checksums: unknown, size: 5000")
    )
    assert get(tmp_path, named, "--max-disk", "1000").code == 12
    found = written(tmp_path)
    assert (found["status"], found["counts"]["ok"], found["counts"]["failed"]) == ("partial", 1, 1)


def test_a_mistake_on_the_command_line_says_nothing_of_the_dataset(tmp_path: Path, url: str) -> None:
    named = recipe(tmp_path, {"a": f"{url}/a"})
    assert get(tmp_path, named).code == 0
    before = (tmp_path / STATE / "report.json").read_bytes()
    assert get(tmp_path, named, "--first", "2").code == 2
    assert (tmp_path / STATE / "report.json").read_bytes() == before


def test_quiet_success_says_nothing_at_all(tmp_path: Path, url: str) -> None:
    named = recipe(tmp_path, {"a": f"{url}/a"})
    for _ in range(2):
        ended = datafetch_("get", *named, "-o", "out", "--allow-private", "-q", cwd=tmp_path)
        assert (ended.code, ended.out, ended.err) == (0, "", "")
    ended = datafetch_("get", *named, "-o", "out", "--allow-private", cwd=tmp_path)
    assert len(ended.out.splitlines()) == 1 and ended.err == ""


def test_a_group_has_a_report_of_its_own(tmp_path: Path, url: str) -> None:
    recipe(tmp_path, {"a": f"{url}/a"})
    (tmp_path / "recipes/both.yaml").write_text("name: both\ntitle: both\nartifacts: []\nmembers: [tiny]\n")
    ended = get(tmp_path, ("both", "--registry", "recipes"))
    assert ended.code == 0, ended.err
    found = json.loads((tmp_path / "out/.datafetch/both/report.json").read_text())
    assert found == ended.report and list(found["members"]) == ["tiny"]


def test_a_bug_leaves_a_report(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named = recipe(tmp_path, {"a": f"{url}/a"})
    assert get(tmp_path, named).code == 0
    (tmp_path / "out/tiny/a").unlink()

    def bug(*words: object) -> None:
        raise ValueError("of /home/somebody/secret")

    monkeypatch.setattr(import_module("datafetch.run.bring"), "_settle_all", bug)
    with pytest.raises(ValueError):
        get_(load("tiny", (tmp_path / "recipes",)), Choice(), Settings(str(tmp_path / "out")))
    found = written(tmp_path)
    assert (found["exit_code"], found["status"], found["counts"]["total"]) == (1, "failed", 1)
    assert found["problems"][0]["text"].startswith("ValueError: this is a bug in datafetch")
    assert not (tmp_path / STATE / "lease").exists()


def test_a_folder_that_cannot_be_written_is_told_in_full_on_stdout(tmp_path: Path, url: str) -> None:
    named = recipe(tmp_path, {"a": f"{url}/a"})
    (tmp_path / "out").write_text("a file of somebody's")
    ended = get(tmp_path, named)
    assert (ended.code, ended.report["dataset"], ended.report["exit_code"]) == (12, "tiny", 12)
    assert ended.report["counts"]["total"] == 0 and ended.report["problems"][0]["text"]
    assert (tmp_path / "out").read_text() == "a file of somebody's"
