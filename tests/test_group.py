"""A group gets its members one after the other, whatever became of those before, and adds them up."""

from __future__ import annotations

from pathlib import Path

import pytest
from process import Ended, datafetch_
from server import FaultServer, Thing

from datafetch.recipe import registry

ONE = "name: one\nartifacts: [{name: a.bin, url: 'https://h.example/a.bin'}]\n"
TWO = """name: two
terms: {text: be kind, accept: true}
artifacts: [{name: b.bin, url: 'https://h.example/b.bin'}]
"""
THREE = "name: three\nartifacts: [{name: c.bin, url: 'https://h.example/c.bin'}]\n"
ALL = "name: all\nartifacts: []\nmembers: [one, two, three]\n"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "recipes"
    folder.mkdir()
    for name, text in {"one": ONE, "two": TWO, "three": THREE, "all": ALL}.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def run(shelf: Path, *words: str, mirror: str = "") -> Ended:
    more = ("--mirror", mirror, "--mirror-only") if mirror else ()
    return datafetch_(*words, "--registry", str(shelf), *more, cwd=shelf.parent)


def serve(*names: str) -> FaultServer:
    files = {f"/h.example/{name}.bin": Thing(name.encode() * 100) for name in names}
    return FaultServer(files.get)


def test_members_are_got_and_a_second_run_asks_nobody(shelf: Path) -> None:
    with serve("a", "b", "c") as server:
        ended = run(shelf, "get", "all", "--accept-terms", "--json", mirror=server.url)
        asked = len(server.seen)
        assert run(shelf, "get", "all", mirror=server.url).code == 0
        assert len(server.seen) == asked
    report = ended.report
    assert ended.code == 0 and report["status"] == "complete" and report["dataset"] == "all"
    assert list(report["members"]) == ["one", "two", "three"]
    assert report["counts"]["ok"] == report["counts"]["total"] == 3
    assert (shelf.parent / "data/three/c.bin").read_bytes() == b"c" * 100
    listed = run(shelf, "list")
    line = next(line for line in listed.out.splitlines() if line.startswith("all "))
    assert "group of 3" in line and "complete" in line


def test_one_that_fails_or_is_not_begun_leaves_the_others_to_come(shelf: Path) -> None:
    with serve("b", "c") as server:
        ended = run(shelf, "get", "all", "--json", mirror=server.url)
    report = ended.report
    assert ended.code == 7 and report["status"] == "partial"
    assert [problem["name"] for problem in report["problems"]] == ["one: a.bin", "two"]
    assert report["counts"]["ok"] == 1 and report["counts"]["total"] == 3
    assert sum(report["counts"].values()) == 2 * report["counts"]["total"]
    with serve("b", "c") as server:
        said = run(shelf, "get", "all", mirror=server.url)
    assert "error: two: two: its terms must be accepted first" in said.err and "Traceback" not in said.err
    assert said.out.splitlines()[-1].startswith("all: partial, 1 file")


def test_some_of_them_and_what_it_would_cost(shelf: Path) -> None:
    with serve("a", "c") as server:
        assert run(shelf, "get", "all", "--only", "three,one", mirror=server.url).code == 0
    assert not (shelf.parent / "data/two").exists()
    plan = run(shelf, "plan", "all", "--json").report
    assert [one["dataset"] for one in plan["members"]] == ["one", "two", "three"] and not plan["complete"]
    assert "b.bin" in run(shelf, "plan", "all").out
    assert run(shelf, "get", "all", "--only", "four").code == 3
    assert "  three" in run(shelf, "info", "all").out


@pytest.mark.parametrize("verb", ["verify", "status", "show"])
def test_each_member_is_looked_at_by_itself(shelf: Path, verb: str) -> None:
    ended = run(shelf, verb, "all")
    assert ended.code == 2 and "all is a group" in ended.err and "one, two, three" in ended.err


def test_lint_knows_a_member_that_does_not_exist_and_a_group_with_things_of_its_own(shelf: Path) -> None:
    (shelf / "all.yaml").write_text(ALL.replace("three", "four"))
    ended = datafetch_("lint", str(shelf), cwd=shelf)
    assert ended.code == 2 and 'no recipe has the name "four"' in ended.err + ended.out
    (shelf / "all.yaml").write_text(ALL.replace("[]", "[{name: x, url: 'https://h/x'}]"))
    ended = datafetch_("lint", str(shelf), cwd=shelf)
    assert "a group has members and nothing of its own" in ended.err + ended.out


def test_the_benchmark_is_one_group_whose_members_exist_and_whose_models_hold_no_invented_number() -> None:
    group = registry.load("pmg-bench")
    members = [registry.load(name) for name in group.members]
    assert group.members[:3] == ("flickr-aes", "pog", "ser30k")
    for model in members[3:]:
        assert all(artifact.size is None and not artifact.checksums for artifact in model.artifacts)
        assert "unknown" in model.note
