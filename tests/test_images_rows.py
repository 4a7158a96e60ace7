"""Readers of lists: every shape upstream uses, and every bad line told with its number."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import BadList
from datafetch.images import jsonstream, tables
from datafetch.images.lines import LONGEST_LINE
from datafetch.images.rows import BadRow, Row, one_after_another, only, read
from datafetch.model import Outcome, Window

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
    assert rows[0] == Row(1, {"u": "1", "id": "a"})
    assert rows[2] == BadRow(3, "a: key stands twice in the list; the first is used")


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
        ("x", "guess"),
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


# --- Documents that stream by ---


def test_a_nested_key_that_comes_again_goes_on_where_it_was(listed: Listed) -> None:
    rows = listed(
        '{"a": {"1": {"u": "x"}}, "b": {}, "a": {"2": {"u": "y"}, "1": {"u": "z"}}}', "map", "d", "id"
    )
    assert rows == [
        Row(1, {"u": "x", "d": "a", "id": "1"}),
        Row(2, {"u": "y", "d": "a", "id": "2"}),
        BadRow(3, "a/1: key stands twice in the list; the first is used"),
    ]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
RECORD = st.dictionaries(
    TEXT, TEXT | st.integers() | st.none() | st.booleans() | st.lists(TEXT, max_size=2), max_size=3
)


def spelled(document: object, raw: bool, indent: int | None) -> bytes:
    return json.dumps(document, ensure_ascii=not raw, indent=indent).encode()


@given(
    st.dictionaries(TEXT, st.dictionaries(TEXT, RECORD, max_size=4), max_size=4),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.integers(1, 40),
)
def test_every_record_of_a_map_is_a_row_wherever_the_buffer_ends(
    document: dict[str, dict[str, dict[str, object]]], raw: bool, indent: int | None, buffer: int
) -> None:
    expected = [
        {key: str(value) for key, value in record.items() if type(value) in (str, int)}
        | {"<d>": domain, "<i>": name}
        for domain, records in document.items()
        for name, record in records.items()
    ]
    rows = read_cut(spelled(document, raw, indent), buffer, "map", "<d>", "<i>")
    assert [row.fields for row in rows if isinstance(row, Row)] == expected
    assert [row.number for row in rows] == list(range(1, len(expected) + 1))


@given(
    st.lists(st.tuples(TEXT, TEXT | st.none(), st.integers()), min_size=1),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.integers(1, 40),
)
def test_columns_stay_side_by_side_wherever_the_buffer_ends(
    rows: list[tuple[str, str | None, int]], raw: bool, indent: int | None, buffer: int
) -> None:
    names = ("one", "two", "three")
    document: dict[str, object] = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    found = read_cut(spelled({"note": {"a": [[1], "]"]}} | document, raw, indent), buffer, "columns")
    assert found == [
        Row(number, {name: str(value) for name, value in zip(names, row, strict=True) if value is not None})
        for number, row in enumerate(rows, 1)
    ]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(st.text('{}[]",: \\ux0e-1.tn', max_size=24), st.integers(1, 9))
def test_what_is_no_json_is_refused_and_what_is_json_never_called_none(tail: str, buffer: int) -> None:
    for how in ("map", "columns"):
        text = '{"k": [' + tail
        try:
            read_cut(text.encode(), buffer, how, "k")
        except BadList as error:
            assert not (_is_json(text) and "not JSON" in str(error))
        else:
            assert _is_json(text)


def read_cut(content: bytes, buffer: int, how: str, *keys: str) -> list[Row | BadRow]:
    """Read with a buffer of so many bytes."""
    before, jsonstream.BUFFER = jsonstream.BUFFER, buffer
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            return list(read(Path(file.name), how, keys))
    finally:
        jsonstream.BUFFER = before


# Read whole before: an error of a document told nothing of the rows before it, and took its size in memory.
def test_the_rows_before_a_fault_of_the_document_come_first(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text('{"1": {"u": "a"}, "2": {"u": "b"}, "3": {"u": }}')
    rows = read(path, "map", ("id",))
    assert [next(rows).number, next(rows).number] == [1, 2]
    with pytest.raises(BadList, match="list: not JSON: Expecting value, at byte 46"):
        next(rows)


def test_a_value_without_end_is_refused_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list"
    path.write_text('{"1": {"u": "' + "x" * (1 << 20))
    monkeypatch.setattr(jsonstream, "LONGEST_VALUE", 1 << 18)
    with pytest.raises(BadList, match="longer than 262144 characters"):
        list(read(path, "map", ("id",)))


MEASURED = """
import re, sys
from pathlib import Path
from datafetch.images.rows import Row, read
count = sum(isinstance(row, Row) for row in read(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
print(count, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10)
"""


def measured(path: Path, how: str, *keys: str) -> tuple[int, int]:
    """Rows, and megabytes at most, of reading a list in a process of its own."""
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells the peak of one process")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path), how, *keys], capture_output=True, text=True, check=True
    )
    count, megabytes = done.stdout.split()
    return int(count), int(megabytes)


def test_a_million_records_of_a_map_take_less_than_80_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    with path.open("w") as file:
        file.write('{"d": {')
        file.writelines(f'"{number}": {{"u": "http://h/{number}"}},\n' for number in range(1_000_000))
        file.write('"x": {"u": "y"}}}')
    count, megabytes = measured(path, "map", "domain", "id")
    assert count == 1_000_001 and megabytes < 80


def test_a_million_rows_of_columns_take_less_than_40_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    with path.open("w") as file:
        for name in ("image_urls", "captions"):
            file.write(f'{"{" if name == "image_urls" else ","}"{name}": [')
            file.writelines(f'"{name} {number}", ' for number in range(1_000_000))
            file.write('"last"]')
        file.write("}")
    count, megabytes = measured(path, "columns")
    assert count == 1_000_001 and megabytes < 40


# --- Files side by side, one after another, in part ---


def test_line_n_of_one_file_belongs_to_line_n_of_the_other(tmp_path: Path) -> None:
    """Captions lost the blank that they begin with, which the same rows in the JSON have."""
    urls, captions = tmp_path / "urls.txt", tmp_path / "captions.txt"
    urls.write_bytes(b"\xef\xbb\xbfhttp://a\r\n\r\nhttp://c\r\nhttp://d\r\nhttp://e\r\n")
    captions.write_bytes(b" a caption, with; signs\r\nlost\r\n\r\nvoil\xe0\r\n")
    assert list(read(urls, "beside", ("link", "caption"), (captions,))) == [
        Row(1, {"link": "http://a", "caption": " a caption, with; signs"}),
        BadRow(2, "blank line", Outcome.SKIPPED),
        Row(3, {"link": "http://c", "caption": ""}),
        Row(4, {"link": "http://d", "caption": "voilà"}),
        BadRow(5, "captions.txt ends at line 4"),
    ]


def test_rows_of_several_files_are_numbered_through_and_keep_their_lines(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("a\n\nb\n")
    (tmp_path / "two").write_text("c d e\nf g\n")
    lists = (
        ({"synset": name}, read(tmp_path / name, "lines", ("link", "x")[:n]))
        for name, n in (("one", 1), ("two", 2))
    )
    assert list(one_after_another(lists)) == [
        Row(1, {"link": "a", "synset": "one"}, 1),
        BadRow(2, "one, row 2: blank line", Outcome.SKIPPED),
        Row(3, {"link": "b", "synset": "one"}, 3),
        Row(4, {"link": "c", "x": "d e", "synset": "two"}, 1),
        Row(5, {"link": "f", "x": "g", "synset": "two"}, 2),
    ]


@given(st.lists(st.tuples(st.integers(1, 12), st.none() | st.integers(1, 12)), max_size=3))
def test_windows_are_the_rows_with_those_numbers(bounds: list[tuple[int, int | None]]) -> None:
    rows = [Row(number, {}) for number in range(1, 11)]
    wanted = [row for row in rows if any(a <= row.number <= (b or 99) for a, b in bounds)]
    assert list(only(iter(rows), [Window(*bound) for bound in bounds])) == wanted


def test_a_key_takes_its_column_apart(listed: Listed) -> None:
    rows = listed("n00004475_6590 http://h/a b.jpg\nn1 x\n", "lines", "<wnid>_<serial>", "link")
    assert isinstance(rows[0], Row)
    assert {"wnid": "n00004475", "serial": "6590", "link": "http://h/a b.jpg"}.items() <= rows[
        0
    ].fields.items()
    assert rows[1] == BadRow(2, "'n1' where <wnid>_<serial> was expected")


# --- Tables of a user's own ---


def test_csv_cells_in_quotes_hold_commas_quotes_and_line_ends(listed: Listed) -> None:
    rows = listed(
        '\ufeffid,url,title\r\n1,http://a,"red, ""and""\r\nblue"\r\n\r\n2,http://b\r\n3,http://c,x\r\n', "csv"
    )
    assert rows == [
        Row(1, {"id": "1", "url": "http://a", "title": 'red, "and"\nblue'}),
        BadRow(2, "blank line", Outcome.SKIPPED),
        BadRow(3, "2 columns where the head has 3"),
        Row(4, {"id": "3", "url": "http://c", "title": "x"}),
    ]


def test_a_quote_that_is_never_closed_is_told_and_does_not_fill_memory(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LONGEST_LINE", 40)
    rows = listed('id,url\n1,a\n2,"b\n' + "3,c\n" * 20 + '4,"x"y\n5,e\n6,"f', "csv")
    assert rows[0] == Row(1, {"id": "1", "url": "a"})
    assert isinstance(rows[1], BadRow) and "left open" in rows[1].reason
    told = [row.reason for row in rows if isinstance(row, BadRow)]
    assert any("not CSV" in reason for reason in told[1:])
    assert Row(rows[-2].number, {"id": "5", "url": "e"}) == rows[-2]
    assert isinstance(rows[-1], BadRow)


def test_tsv_has_no_quotes(listed: Listed) -> None:
    rows = listed('id\turl\n1\t"a\n2\n', "tsv")
    assert rows == [Row(1, {"id": "1", "url": '"a'}), BadRow(2, "1 columns where the head has 2")]


@pytest.mark.parametrize("how", ["csv", "tsv"])
@pytest.mark.parametrize("content", ["", "\n\n", "id,id\n1,2\n" * 2])
def test_a_table_without_a_head_is_one_clear_error(listed: Listed, how: str, content: str) -> None:
    with pytest.raises(BadList, match="list"):
        listed(content.replace(",", "\t" if how == "tsv" else ","), how)


def test_words_and_numbers_of_parquet_are_fields(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "list"
    table = pyarrow.table({"url": ["http://a", None], "id": [12, 13], "blob": [b"x", b"y"]})
    parquet.write_table(table, path)
    assert list(read(path, "parquet", ())) == [Row(1, {"url": "http://a", "id": "12"}), Row(2, {"id": "13"})]


def test_a_list_in_gzip_is_read_as_it_unpacks_and_damage_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "list.txt.gz"
    whole = gzip.compress(b"http://a\n" * 20_000 + random.Random(1).randbytes(20_000) + b"\n")
    path.write_bytes(whole)
    assert next(read(path, "lines", ("link",))) == Row(1, {"link": "http://a"})
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadList, match=r"list\.txt\.gz: damaged gzip"):
        list(read(path, "lines", ("link",)))
    path.write_bytes(gzip.compress(b'{"1": {"u": "x"}}'))
    assert list(read(path, "map", ("id",))) == [Row(1, {"u": "x", "id": "1"})]
