"""Recipes of strangers, as in a git checkout: no code, nothing from outside their folder, nothing that never ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from process import Ended, datafetch_
from server import FaultServer, Thing
from test_network_hostile import SPELLINGS, canary

ONE = "name: {0}\nartifacts: [{{name: all, {1}}}]\nlayout: [{{from: all, to: all}}]\n"


def put(folder: Path, name: str, source: str) -> None:
    (folder / "r").mkdir(exist_ok=True)
    (folder / f"r/{name}.yaml").write_text(ONE.format(name, source))


def get(folder: Path, name: str, *more: str, registry: str = "r") -> Ended:
    return datafetch_("get", name, "--registry", registry, "-o", "out", "--json", *more, cwd=folder)


def told(ended: Ended) -> str:
    return " ".join(problem["why"] + problem["hint"] for problem in ended.report["problems"]) + ended.err


# A recipe's `bundled: .env` took the file from where the user stood, and no file beside the recipe was ever found.
def test_a_bundled_file_is_the_one_beside_the_recipe(tmp_path: Path) -> None:
    put(tmp_path, "mine", "bundled: ids.txt")
    (tmp_path / "ids.txt").write_text("where the user stands")
    ended = get(tmp_path, "mine")
    assert ended.code == 2 and "key bundled: ids.txt cannot be read" in ended.err
    assert not (tmp_path / "out/mine").exists()
    (tmp_path / "r/ids.txt").write_text("beside the recipe")
    assert get(tmp_path, "mine").code == 0
    assert (tmp_path / "out/mine/all").read_text() == "beside the recipe"


@pytest.mark.parametrize(
    "kind", ["link to a file", "link to a folder above", "device", "pipe", "folder", "loop"]
)
def test_what_is_bundled_is_a_file_of_that_folder(tmp_path: Path, kind: str) -> None:
    put(tmp_path, "evil", "bundled: data/x")
    (tmp_path / "secret").write_text("secret")
    place = tmp_path / "r/data"
    if kind == "link to a folder above":
        place.symlink_to(tmp_path)
        (tmp_path / "x").write_text("secret")
    else:
        place.mkdir()
    match kind:
        case "link to a file":
            (place / "x").symlink_to(tmp_path / "secret")
        case "device":
            (place / "x").symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(place / "x")
        case "folder":
            (place / "x").mkdir()
        case "loop":
            (place / "x").symlink_to("x")
    ended = get(tmp_path, "evil")
    assert ended.code == 2 and "key bundled: data/x " in ended.err, ended.err
    assert not (tmp_path / "out/evil").exists()


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch ran']", "!!python/name:os.system", "!x y"]
)
def test_a_tag_runs_nothing(tmp_path: Path, tag: str) -> None:
    put(tmp_path, "evil", f"url: {tag}")
    ended = get(tmp_path, "evil")
    assert ended.code == 2
    assert os.listdir(tmp_path) == ["r"]


def test_aliases_that_double_cost_nothing(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    doubled = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))
    (tmp_path / "r/evil.yaml").write_text(f"a0: &a0 [x]\n{doubled}\n")
    ended = get(tmp_path, "evil")
    assert ended.code == 2 and "anchors and aliases are not part of the language" in ended.err


# Each of 90,000 unknown keys was compared with all known ones, and told: half a minute for every command.
def test_a_neighbour_with_a_million_faults_is_read_no_further_than_to_the_hundredth(tmp_path: Path) -> None:
    put(tmp_path, "good", "bundled: ids.txt")
    (tmp_path / "r/ids.txt").write_text("x")
    (tmp_path / "r/a.yaml").write_text("name: a\n" + "".join(f"k{n}: 1\n" for n in range(80_000)))
    assert get(tmp_path, "good").code == 0
    ended = datafetch_("lint", "r", cwd=tmp_path)
    assert ended.code == 2 and ended.err.count("\n") + ended.out.count("\n") < 120


def test_the_name_of_a_file_cannot_move_the_cursor(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r/\x1b[2J.yaml").write_text("name: [")
    for words in (("list", "--registry", "r"), ("lint", "r")):
        ended = datafetch_(*words, cwd=tmp_path)
        assert "\x1b" not in ended.out + ended.err
        assert "\\x1b[2J.yaml" in ended.out + ended.err


@pytest.mark.parametrize("host", [host for host in SPELLINGS if host.isascii()][::4])
def test_no_recipe_speaks_to_a_private_address(tmp_path: Path, host: str) -> None:
    with canary() as (port, came):
        put(tmp_path, "evil", f"url: 'http://{host}:{port}/x', checksums: unknown")
        ended = get(tmp_path, "evil", "--retries", "0")
        assert ended.code not in (0, 1) and came == []


def test_a_recipe_cannot_permit_private_addresses_by_itself(tmp_path: Path) -> None:
    put(tmp_path, "evil", "url: 'https://h.invalid/x', allow_private: true")
    assert "allow_private" in get(tmp_path, "evil").err


def test_no_variable_of_the_environment_is_filled_in(tmp_path: Path) -> None:
    seen: list[str] = []
    with FaultServer(lambda path: seen.append(path) or Thing(b"x")) as server:
        put(tmp_path, "evil", f"url: '{server.url}/$HOME/${{HOME}}/~', checksums: unknown")
        get(tmp_path, "evil", "--allow-private", "--retries", "0")
    assert not any(str(tmp_path) in path for path in seen)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_a_folder_that_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    put(tmp_path, "good", "bundled: x")
    (tmp_path / "r").chmod(0)
    try:
        ended = get(tmp_path, "good")
    finally:
        (tmp_path / "r").chmod(0o755)
    assert ended.code == 2 and "no registry folder: permission denied" in ended.err
