"""`rows` and `alternatives` in recipes: what they mean, and every way to get them wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from datafetch.errors import RecipeError
from datafetch.recipe.expand import read
from datafetch.recipe.lint import lint

HEAD = b"""name: shapes
artifacts:
  - name: train
    url: https://host.example/train-00000-of-00001.parquet
"""


def issues(text: bytes) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(text, "shapes.yaml", lambda file: b"")
    return [f"{issue.where}: {issue.message}" for issue in caught.value.issues]


def test_rows_are_columns_with_templates_in_the_order_written_and_are_unpacked() -> None:
    (found,) = read(
        b"let: {folder: pictures}\n"
        + HEAD
        + b'    rows: {image: "{folder}/<label>/<n>.<ext>", mask: "masks/<label>/<n>.png"}\n',
        "shapes.yaml",
        lambda file: b"",
    )
    (artifact,) = found.recipe.artifacts
    assert artifact.rows == (("image", "pictures/<label>/<n>.<ext>"), ("mask", "masks/<label>/<n>.png"))
    assert artifact.unpack


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{image: "../<n>.<ext>"}', 'expected a path without empty, "." or ".." parts'),
        ('{image: "picture.<ext>"}', "expected <n> or a column such as <label>, else all rows have one name"),
        ('{image: "<label/<n>"}', "expected captures such as <label>"),
        (
            '{image: "<label>/<n>.<ext>", mask: "masks/<n>.<ext>"}',
            "expected the captures of <label>/<n>.<ext>",
        ),
        ('{image: "<n>.<ext>", mask: "<n>.<ext>"}', "expected names that differ"),
        ('{image: "{label}/<n>"}', "{label} is not defined"),
    ],
)
def test_a_template_that_cannot_name_every_row_apart_is_an_issue(rows: str, message: str) -> None:
    (found,) = issues(HEAD + f"    rows: {rows}\n".encode())
    assert found.startswith("artifact train, key rows.") and message in found, found


def test_rows_go_with_files_only() -> None:
    text = HEAD.replace(b"    url: https://host.example/train-00000-of-00001.parquet\n", b"") + (
        b"    url_list: {file: train, read: lines, url: <line>, save_as: <line>}\n"
        b'    rows: {image: "<n>.<ext>"}\n'
    )
    assert issues(text) == ["artifact train, key rows: goes with a file, not with url_list"]


WAYS = b"""name: shapes
artifacts:
  - {name: a, url: https://host.example/a.zip, choose: {source: zip}}
  - {name: b, url: https://host.example/b.zip, choose: {source: hf}}
  - {name: c, url: https://host.example/c.zip, choose: {more: true}}
choices:
"""


def test_alternatives_are_an_option_of_which_one_value_is_taken() -> None:
    (found,) = read(WAYS + b"  source: {default: zip, alternatives: true}\n", "shapes.yaml", lambda file: b"")
    option = found.recipe.options[0]
    assert (option.values, option.default, option.alternatives) == (("zip", "hf"), "zip", True)


def test_alternatives_need_values_and_one_that_is_taken_unasked() -> None:
    assert issues(WAYS + b"  source: {alternatives: true}\n  more: {alternatives: true}\n") == [
        "choice source, key alternatives: expected a default as well: the way that is taken unasked",
        "choice more, key alternatives: expected values to take one of, found a flag",
    ]


def test_a_choice_of_one_recipe_of_a_family_is_no_issue_of_the_others(tmp_path: Path) -> None:
    text = """name: "{kind}"
matrix: {kind: [shapes, colours]}
artifacts:
  - {name: a, matrix: {kind: [shapes]}, url: https://host.example/a.zip, choose: {extra: big}}
  - {name: b, url: https://host.example/b.zip}
choices: {extra: {help: add more}}
"""
    (tmp_path / "shapes.yaml").write_text(text)
    assert lint([tmp_path]) == ()
    (tmp_path / "shapes.yaml").write_text(text.replace("choices: {extra", "choices: {ekstra"))
    (issue,) = lint([tmp_path])
    assert issue.where == "choice ekstra" and 'nearest is "extra"' in issue.message
