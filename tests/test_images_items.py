"""From rows to items: one path each, one fetch for equal addresses, a reason for what names nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from datafetch.images.index import Index
from datafetch.images.items import Item, items
from datafetch.images.rows import BadRow, Row
from datafetch.model import UrlList
from datafetch.transfer.addresses import clean_url

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


@given(st.lists(st.text(max_size=3), max_size=2000))
def test_an_index_remembers_who_came_first(texts: list[str]) -> None:
    index = Index()
    first: dict[str, int] = {}
    for number, text in enumerate(texts, 1):
        assert index.first(text, number) == first.setdefault(text, number)
    assert len(index) == len(first)


def test_a_million_texts_fit_in_little_memory() -> None:
    index = Index()
    for number in range(1, 20_001):
        index.first(f"http://host/{number}", number)
    slots = len(index._numbers)
    assert len(index) == 20_000 and slots * 12 <= 36 * 20_000
    assert index.first("http://host/17", 30_000) == 17


@given(st.text('abc.:/@%\\[]<" 019-', max_size=20))
def test_no_address_that_cannot_be_asked_becomes_an_item(tail: str) -> None:
    (found,) = items(LIST, rows(("a", f"http://{tail}")))
    if isinstance(found, Item):
        clean_url(found.urls[0])
