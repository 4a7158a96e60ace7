"""Templates of a list: what fills them, and that no row can name a path outside its folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.images.fill import candidates, fill, save_path, suffixed


@pytest.mark.parametrize(
    ("template", "row", "fields", "filled"),
    [
        ("<id>.jpg", 1, {"id": "564970491434"}, "564970491434.jpg"),
        ("im2text_<row:012>.jpg", 42, {}, "im2text_000000000042.jpg"),
        ("<row>", 7, {}, "7"),
        ("<missing>.jpg", 1, {}, None),
        ("<empty>.jpg", 1, {"empty": ""}, None),
        ("<half>.jpg", 1, {"half": "a\ud800"}, None),
        ("plain", 1, {}, "plain"),
        ("<a><a>", 1, {"a": "<b>", "b": "no"}, "<b><b>"),
    ],
)
def test_blanks_are_filled_from_the_row(
    template: str, row: int, fields: dict[str, str], filled: str | None
) -> None:
    assert fill(template, row, fields) == filled


def test_the_first_address_that_can_be_filled_is_asked_first() -> None:
    templates = ("<image_link>", "<oss_url>")
    assert candidates(templates, 1, {"image_link": " http://a ", "oss_url": "http://b"}) == (
        "http://a",
        "http://b",
    )
    assert candidates(templates, 1, {"oss_url": "http://b"}) == ("http://b",)
    assert candidates(templates, 1, {"image_link": "http://b", "oss_url": "http://b"}) == ("http://b",)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("食品/保健", "食品-保健/x.jpg"),
        ("../../etc", "..-..-etc/x.jpg"),
        ("..", "_/x.jpg"),
        ("a\\b", "a-b/x.jpg"),
        ("a\nb\0c", "a-b-c/x.jpg"),
        ("trailing. ", "trailing/x.jpg"),
        ("CON", "CON_/x.jpg"),
        ("com1.txt", "com1_.txt/x.jpg"),
        ("console", "console/x.jpg"),
    ],
)
def test_a_captured_value_stays_one_safe_component(value: str, path: str) -> None:
    assert save_path("<class>/x.jpg", 1, {"class": value}) == path


def test_long_names_are_shortened_and_stay_different() -> None:
    one, two = (save_path("<id>.jpg", 1, {"id": "x" * 300 + end}) for end in "ab")
    assert one != two and one is not None and len(one.encode()) <= 255 and one.endswith(".jpg")


def test_a_suffix_stands_before_the_extension_and_follows_from_the_key() -> None:
    assert suffixed("a/b.jpg", "k") == suffixed("a/b.jpg", "k") != suffixed("a/b.jpg", "l")
    assert suffixed("a.b/c", "k").startswith("a.b/c-")
    assert suffixed("a/b.jpg", "k").endswith(".jpg")


@given(st.text(max_size=400), st.text(max_size=400))
def test_no_row_can_leave_its_folder(one: str, two: str) -> None:
    path = save_path("<one>/<two>.jpg", 1, {"one": one, "two": two})
    if path is None:
        assert not (one and two)
        return
    parts = path.split("/")
    assert len(parts) == 2
    for part in parts:
        assert part not in ("", ".", "..") and len(part.encode()) <= 255
        assert not set(part) & {"\0", "\\", "\n"}
