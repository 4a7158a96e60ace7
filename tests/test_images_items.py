"""From rows to items: one path each, one fetch for equal addresses, a reason for what names nothing."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import BadList
from datafetch.images import paths
from datafetch.images.index import Index, Seen
from datafetch.images.items import Item, items
from datafetch.images.rows import BadRow, Row
from datafetch.layout.names import meeting
from datafetch.model import UrlList
from datafetch.transfer.addresses import clean_url

FIXED = 4 * 4096 * 150  # bytes of arrays with nothing in them
LIST = UrlList("list", "lines", ("id", "link"), ("<link>",), "<id>.jpg")


def rows(*pairs: tuple[str, str]) -> list[Row | BadRow]:
    return [Row(number, {"id": name, "link": link}) for number, (name, link) in enumerate(pairs, 1)]


def test_equal_addresses_are_twins_of_the_first() -> None:
    found = list(items(LIST, rows(("a", "http://x/1"), ("b", "http://x/2"), ("c", "http://x/1"))))
    assert found == [
        Item(1, "a.jpg", ("http://x/1",)),
        Item(2, "b.jpg", ("http://x/2",)),
        Item(3, "c.jpg", ("http://x/1",), twin=1),
    ]


def test_paths_that_fold_alike_get_a_stable_suffix() -> None:
    listed = rows(("A", "http://x/1"), ("a", "http://x/2"), ("a", "http://x/2"))
    found = [item for item in items(LIST, listed) if isinstance(item, Item)]
    assert found[0].path == "A.jpg"
    assert found[1].path.startswith("a-") and found[1].path.endswith(".jpg")
    assert len({item.path for item in found}) == 3
    assert found == list(items(LIST, listed, key=b"another"))


def test_rows_that_name_nothing_keep_their_number_and_get_a_reason() -> None:
    listed = rows(
        ("a", "ftp://x/1"), ("", "http://x/2"), ("c", ""), ("d", "http://"), ("e", "http://u:p@h/x")
    )
    found = list(items(LIST, listed))
    assert [row.number for row in found if isinstance(row, BadRow)] == [1, 2, 3, 4, 5]
    assert not any("u:p" in row.reason for row in found if isinstance(row, BadRow))


def paths_of(*wanted: str) -> list[str]:
    source = UrlList("list", "lines", (), ("<link>",), "<class>/<sub>/<id>.jpg")
    listed = [
        Row(number, {**dict(zip(("class", "sub", "id"), path.split("/"), strict=True)), "link": "http://x/1"})
        for number, path in enumerate(wanted, 1)
    ]
    return [item.path for item in items(source, listed) if isinstance(item, Item)]


# Publishing refused the whole list: `Dog` and `dog` are one folder on many file systems.
def test_folders_that_fold_alike_get_a_stable_suffix() -> None:
    found = paths_of("Dog/x/a", "dog/x/b", "Dog/x/c", "dog/x/d", "dog/X/e", "é/x/f", "e\u0301/x/g")
    dog = found[1].partition("/")[0]
    assert found[0] == "Dog/x/a.jpg" and found[2] == "Dog/x/c.jpg" and dog.startswith("dog-")
    assert found[1] == f"{dog}/x/b.jpg" and found[3] == f"{dog}/x/d.jpg"
    assert found[4].startswith(f"{dog}/X-") and found[4].endswith("/e.jpg")
    assert found[5] == "é/x/f.jpg" and not found[6].startswith("e\u0301/")
    assert meeting(found) is None
    assert paths_of("DOG/x/q", "dog/x/b")[1] == found[1]


ALIKE = st.sampled_from([*"aAéÉßſsS\u212b\u00e5", "e\u0301", "ss"])


@given(st.lists(st.builds("{}/{}/{}".format, ALIKE, ALIKE, ALIKE)))
def test_no_two_items_meet_where_case_and_form_do_not_count(wanted: list[str]) -> None:
    found = paths_of(*wanted)
    assert len(found) == len(wanted) and meeting(found) is None


def test_a_list_that_names_the_suffix_itself_still_has_one_path_each() -> None:
    taken = paths_of("Dog/x/a", "dog/x/b")[1].partition("/")[0]
    for listed in (("Dog/x/a", f"{taken}/x/b", "dog/x/b"), ("Dog/x/a", "dog/x/b", f"{taken}/x/b")):
        found = paths_of(*listed, *listed)
        assert len(set(found)) == 6 and meeting(found) is None


def test_a_list_of_more_folders_than_are_remembered_keeps_each_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = [f"{name}/x/{number}" for number in range(3) for name in ("Dog", "dog", "DOG", "cat")]
    found = paths_of(*listed)
    monkeypatch.setattr(paths, "FOLDERS", 1)
    assert paths_of(*listed) == found and len({path.partition("/")[0] for path in found}) == 4


HALF = "\ud800"


@pytest.mark.parametrize(
    ("name", "link"), [("a", f"http://x/{HALF}"), ("a", f"http://x{HALF}/"), (f"a{HALF}", "http://x/1")]
)
def test_half_a_character_in_address_or_key_is_a_bad_row(name: str, link: str) -> None:
    (found,) = items(LIST, rows((name, link)))
    assert isinstance(found, BadRow) and HALF not in found.reason


def test_the_next_address_is_used_when_one_holds_half_a_character() -> None:
    source = UrlList("list", "lines", (), ("<one>", "<two>"), "<row>.jpg")
    listed = [Row(1, {"one": f"http://x/{HALF}", "two": "http://x/2", "title": HALF})]
    assert list(items(source, listed)) == [Item(1, "1.jpg", ("http://x/2",))]


@given(st.lists(st.text(max_size=3), max_size=2000))
def test_an_index_remembers_who_came_first(texts: list[str]) -> None:
    index = Index()
    first: dict[str, int] = {}
    for number, text in enumerate(texts, 1):
        assert index.first(text, number) == first.setdefault(text, number)
    assert len(index) == len(first)


@given(st.lists(st.text(max_size=3), max_size=2000))
def test_a_set_of_texts_knows_what_is_new(texts: list[str]) -> None:
    seen, known = Seen(), set[str]()
    for text in texts:
        assert (text in seen) == (text in known)
        assert seen.add(text) == (text not in known)
        known.add(text)


def test_fourteen_million_rows_fit_in_300_megabytes() -> None:
    """A table of 36 bytes a text, and two of them, took a gigabyte for the list of fall 2011."""
    tracemalloc.start()
    index, seen = Index(), Seen()
    empty, texts = tracemalloc.get_traced_memory()[0], 100_000
    for number in range(1, texts + 1):
        index.first(f"http://host/{number}", number)
        seen.add(f"n/{number}.jpg")
    per_row = (tracemalloc.get_traced_memory()[0] - empty - FIXED) / texts
    tracemalloc.stop()
    assert per_row * 14_200_000 <= 280e6
    assert len(index) == texts and index.get("http://host/17") == 17 == index.first("http://host/17", 9)
    assert index.get("http://host/0") == 0


def test_a_row_beyond_what_an_index_can_number_is_no_other_row() -> None:
    index = Index()
    with pytest.raises(BadList):
        index.first("a", 1 << 26)


@given(st.text('abc.:/@%\\[]<" 019-', max_size=20))
def test_no_address_that_cannot_be_asked_becomes_an_item(tail: str) -> None:
    (found,) = items(LIST, rows(("a", f"http://{tail}")))
    if isinstance(found, Item):
        clean_url(found.urls[0])
