"""Names in a bundle, and files of sorted lines: tables and properties."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.bundle.names import names_of, target_asked, target_of
from datafetch.bundle.sums import Sums, add, pairs
from datafetch.errors import Damaged
from datafetch.transfer.addresses import clean_url, mirrored


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://example.org/a/b.zip", True),
        ("https://EXAMPLE.org/a%20b.zip#part", True),
        ("https://example.org/a b.zip", True),  # as it is asked: a%20b.zip
        ("https://example.org/a.zip?x=1", False),
        ("https://example.org/a/", False),
        ("https://example.org/", False),
        ("https://example.org/a/../b", False),
        ("https://example.org/.hidden", False),
        ("https://example.org/a.", False),
        ("https://example.org/con.txt", False),
        ("https://example.org:8080/a", False),  # exFAT takes no colon
        ("https://example.org/" + "a" * 201, False),
        ("https://example.org/" + "a/" * 50 + "b", False),
        ("https://~/ab/cd", False),
    ],
)
def test_an_address_has_its_own_name_where_every_file_system_takes_it(url: str, plain: bool) -> None:
    target = target_of(url)
    names = names_of(target)
    assert (names[0] == f"mirror/{target}") == plain
    assert names[-1].startswith("mirror/~/")


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\\"), max_size=60))
def test_what_a_mirror_is_asked_for_is_what_a_body_was_put_under(rest: str) -> None:
    url = f"https://example.org/{rest}"
    asked = clean_url(mirrored(url, "http://127.0.0.1:1234")).removeprefix("http://127.0.0.1:1234")
    assert target_asked(asked) == target_of(url)
    for name in names_of(target_of(url)):
        assert ".." not in name.split("/")
        assert not name.startswith("/")


@given(st.dictionaries(st.text(alphabet="ab/ ~é\U0001f600", min_size=1, max_size=6), st.sampled_from("xyz")))
def test_every_line_is_found_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, lines: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("sums") / "lines"
    lines = {key: word for key, word in lines.items() if not key.startswith(" ")}
    half = dict(list(lines.items())[::2])
    add(path, sorted((key, "old") for key in half))
    add(path, sorted(lines.items()))
    assert dict(pairs(path)) == lines
    keys = [key.encode() for key, _ in pairs(path)]
    assert keys == sorted(keys)
    with Sums(path) as sums:
        assert {key: sums.find(key) for key in lines} == lines
        assert sums.find("absent") == ""


def test_a_line_that_is_none_is_damage(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text("not a line\n")
    with pytest.raises(Damaged, match="SHA256SUMS:1"):
        list(pairs(tmp_path / "SHA256SUMS"))
    with Sums(tmp_path / "SHA256SUMS") as sums:
        assert sums.find("line") == ""


def test_an_absent_file_has_no_lines(tmp_path: Path) -> None:
    assert not list(pairs(tmp_path / "SHA256SUMS"))
    with Sums(tmp_path / "SHA256SUMS") as sums:
        assert sums.find("x") == ""
