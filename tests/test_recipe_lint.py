"""Lint tells everything a registry gets wrong, across keys, files and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from datafetch.errors import UsageError
from datafetch.recipe.lint import lint

TINY = "name: {name}\nartifacts: [{{name: all, url: 'https://h/{name}.zip', unpack: true{more}}}]\n"


def put(folder: Path, file: str, name: str, more: str = "", end: str = "") -> Path:
    path = folder / file
    path.write_text(TINY.format(name=name, more=more) + end)
    return path


def lines(*paths: Path) -> list[str]:
    return [f"{Path(issue.file).name}{str(issue).removeprefix(issue.file)}" for issue in lint(paths)]


def test_a_good_registry_has_no_issues(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml", "a", end='layout: [{from: "all/<root>/<file>", to: "<file>"}]\n')
    put(tmp_path, "b.yaml", "b", ", folder: b_extra", "checksums: b.md5\n")
    (tmp_path / "b.md5").write_text(f"{'a' * 32}  b.zip\n")
    assert lint([tmp_path]) == ()


def test_every_issue_of_every_file_is_listed(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml", "a", end="titel: x\nnot: x\n")
    put(tmp_path, "b.yaml", "b", ", status: gone")
    assert lines(tmp_path) == [
        'a.yaml:3: key titel: not a key of a recipe; nearest is "title"',
        'a.yaml:4: key not: not a key of a recipe; nearest is "note"',
        'b.yaml:2: artifact all, key status: expected live, manual, historic or withdrawn, found "gone"',
    ]


def test_a_rule_of_the_layout_is_named_by_its_line(tmp_path: Path) -> None:
    end = 'layout:\n  - {from: "all/<file>", to: "<file>"}\n  - {from: "al/<file>", to: "x/<file>"}\n'
    path = put(tmp_path, "a.yaml", "a", end=end)
    (issue,) = lint([path])
    assert (issue.line, issue.where) == (5, 'layout rule to "x/<file>"')


def test_an_artifact_that_no_rule_speaks_of_is_an_issue_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nartifacts:\n"
        "  - {name: x, url: 'https://h/x', unpack: true}\n"
        "  - {name: y, url: 'https://h/y', unpack: true}\n"
        "layout:\n  - {from: 'x/<file>', to: '<file>'}\n"
    )
    (issue,) = lint([path])
    assert issue.where == "key layout"
    assert "y" in issue.message


def test_a_name_in_a_checksum_file_that_no_artifact_has_is_an_issue(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml", "a", end="checksums: a.md5\n")
    (tmp_path / "a.md5").write_text(f"{'a' * 32}  a.zip\n{'b' * 32}  b.zip\n")
    assert lines(tmp_path) == ["a.md5:2: b.zip is the file of no artifact in a.yaml"]


def test_a_checksum_file_that_is_absent_is_an_issue(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml", "a", end="checksums: a.md5\n")
    assert lines(tmp_path) == ["a.yaml:3: key checksums: a.md5 cannot be read: no such file or directory"]


def test_a_bundled_file_that_is_absent_is_an_issue(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nartifacts:\n  - {name: ids, bundled: ids.txt}\n")
    assert lines(tmp_path) == [
        "a.yaml:3: artifact ids, key bundled: ids.txt cannot be read: no such file or directory"
    ]


def test_two_recipes_of_one_name_in_a_registry_are_an_issue(tmp_path: Path) -> None:
    first = put(tmp_path, "a.yaml", "same")
    put(tmp_path, "b.yaml", "same")
    assert lines(tmp_path) == [f'b.yaml:1: key name: "same" is the name of a recipe in {first}:1']


def test_two_recipes_that_build_one_folder_are_an_issue(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml", "a", ", folder: a_b")
    put(tmp_path, "b.yaml", "a_b")
    assert lines(tmp_path) == ['b.yaml:1: key folder: the folder "a_b" is built by a too']


def test_the_same_name_in_two_registries_is_an_override_and_fine(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        put(tmp_path / name, "a.yaml", "a")
    assert lint([tmp_path / "x", tmp_path / "y"]) == ()


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    path = put(tmp_path, "a.yaml", "a")
    assert lint([tmp_path, path]) == ()


def test_a_path_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        lint([tmp_path / "none.yaml"])
    assert str(caught.value) == f"{tmp_path}/none.yaml: expected a recipe or a registry folder, found nothing"
