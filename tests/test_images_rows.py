"""Readers of lists: every shape upstream uses, and every bad line told with its number."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from datafetch.errors import BadList
from datafetch.images.rows import LONGEST_LINE, BadRow, Row, read
from datafetch.model import Outcome

Listed = Callable[..., list[Row | BadRow]]


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    def read_back(content: str | bytes, how: str, *keys: str) -> list[Row | BadRow]:
        path = tmp_path / "list"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(read(path, how, keys))

    return read_back


def test_nested_maps_are_rows_by_domain_and_id(listed: Listed) -> None:
    document = {
        "食品/保健": {"1": {"image_link": "http://a", "n": 5}},
        "3C数码": {"2": {"image_link": "http://b"}},
    }
    assert listed(json.dumps(document), "map", "domain", "id") == [
        Row(1, {"image_link": "http://a", "n": "5", "domain": "食品/保健", "id": "1"}),
        Row(2, {"image_link": "http://b", "domain": "3C数码", "id": "2"}),
    ]


def test_flat_maps_and_lists_of_records_are_rows_too(listed: Listed) -> None:
    assert listed('{"7": {"u": "x"}}', "map", "id") == [Row(1, {"u": "x", "id": "7"})]
    assert listed('[{"u": "x"}, {"u": "y"}]', "map", "n") == [
        Row(1, {"u": "x", "n": "1"}),
        Row(2, {"u": "y", "n": "2"}),
    ]
    assert listed('{"7": "http://a"}', "map", "id", "link") == [Row(1, {"id": "7", "link": "http://a"})]


def test_entries_of_a_map_that_are_no_records_are_told(listed: Listed) -> None:
    rows = listed('{"a": {"1": {"u": "x"}, "2": 5}, "b": null}', "map", "domain", "id")
    assert rows[0] == Row(1, {"u": "x", "domain": "a", "id": "1"})
    assert rows[1:] == [
        BadRow(2, "a/2: a text or number where a record was expected"),
        BadRow(3, "b: nothing where a map by id was expected"),
    ]


def test_a_key_that_stands_twice_is_counted_not_dropped(listed: Listed) -> None:
    rows = listed('{"a": {"u": "1"}, "b": {"u": "2"}, "a": {"u": "3"}}', "map", "id")
    assert [row.number for row in rows] == [1, 2, 3]
    assert rows[0] == Row(1, {"u": "3", "id": "a"})
    assert rows[2] == BadRow(3, "a: key stands twice in the list; the last is used")


def test_columns_become_rows_and_a_short_column_is_told(listed: Listed) -> None:
    rows = listed('{"image_urls": ["a", "b"], "captions": ["x"], "note": "y"}', "columns")
    assert rows == [Row(1, {"image_urls": "a", "captions": "x"}), BadRow(2, "column captions ends at row 1")]


def test_lines_survive_a_byte_order_mark_crlf_and_blanks(listed: Listed) -> None:
    rows = listed(b"\xef\xbb\xbfhttp://a\r\n\r\nhttp://b\r\n\n\n", "lines", "link")
    assert rows == [
        Row(1, {"link": "http://a"}),
        BadRow(2, "blank line", Outcome.SKIPPED),
        Row(3, {"link": "http://b"}),
    ]


def test_lines_are_cut_at_the_first_blanks_and_need_not_be_utf_8(listed: Listed) -> None:
    rows = listed("n00004475_6590\thttp://h/a b\xe9.jpg\nlonely\n".encode("latin-1"), "lines", "id", "link")
    assert rows == [
        Row(1, {"id": "n00004475_6590", "link": "http://h/a b\xe9.jpg"}),
        BadRow(2, "1 of 2 columns"),
    ]


def test_the_last_column_of_a_table_holds_commas(listed: Listed) -> None:
    rows = listed("item_id,cate_id,title\n1,2,red, and blue\n3\n", "table", "item_id", "cate_id", "title")
    assert rows == [
        Row(2, {"item_id": "1", "cate_id": "2", "title": "red, and blue"}),
        BadRow(3, "1 of 3 columns"),
    ]


def test_a_line_that_is_no_object_is_told_with_its_number(listed: Listed) -> None:
    rows = listed('{"u": "a", "id": 12345678901234567890}\n{"u": \n[1]\n', "jsonl")
    assert rows[0] == Row(1, {"u": "a", "id": "12345678901234567890"})
    assert [row.number for row in rows if isinstance(row, BadRow)] == [2, 3]


def test_a_line_without_end_does_not_fill_memory(listed: Listed) -> None:
    rows = listed(b"a\n" + b"x" * (3 * LONGEST_LINE) + b"\nb\n", "lines", "link")
    assert rows == [
        Row(1, {"link": "a"}),
        BadRow(2, f"line longer than {LONGEST_LINE} bytes"),
        Row(3, {"link": "b"}),
    ]


@pytest.mark.parametrize(
    ("content", "how"),
    [
        ("<html>", "map"),
        ("[" * 200_000, "map"),
        ("5", "map"),
        ("[]", "columns"),
        (b"\xff\xfe", "columns"),
        ("x", "parquet"),
    ],
)
def test_a_list_that_is_no_list_is_one_clear_error(listed: Listed, content: str | bytes, how: str) -> None:
    with pytest.raises(BadList, match="list"):
        listed(content, how, "id")


def test_an_absent_list_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BadList, match="No such file"):
        list(read(tmp_path / "list", "lines", ("link",)))


def test_a_long_list_is_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("".join(f"http://host/{number}.jpg\n" for number in range(50_000)))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(path, "lines", ("link",))) == 50_000
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
