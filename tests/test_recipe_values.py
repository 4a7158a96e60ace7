"""Single values: what is accepted, and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.model import Checksum
from datafetch.recipe import checksums, values
from datafetch.recipe.issues import Bad, Issues, printable
from datafetch.recipe.nodes import Scalar, read


@pytest.mark.parametrize(
    "url",
    [
        "https://data.csail.mit.edu/personal_rep/pods.zip",
        "http://msvocds.blob.core.windows.net/annotations-1-0-3/x.zip",
        "HTTP://h/x",
        "http://127.0.0.1:8080/x",
        "http://[::1]:80/x",
        "https://h",
        "https://h/?a=b&c=%20",
        "https://s3.amazonaws.com/bucket_1/x",
        "https://h/a@b",
    ],
)
def test_addresses_that_a_recipe_may_name(url: str) -> None:
    assert values.url(url) == url


@given(st.text(max_size=40))
def test_an_address_is_accepted_or_refused_never_a_crash(text: str) -> None:
    try:
        assert values.url(text) == text
    except Bad as bad:
        assert "\n" not in str(bad)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/x.zip", "x.zip"),
        ("https://h/a/x.zip?v=/1", "x.zip"),
        ("https://h/a/", ""),
        ("https://h", ""),
    ],
)
def test_the_last_part_of_an_address(url: str, name: str) -> None:
    assert values.last_part(url) == name


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("250 GB", 250 * 10**9),
        ("12GB", 12 * 10**9),
        ("1.5 TB", 1_500_000_000_000),
        ("4 GiB", 4 << 30),
        ("10 kB", 10_000),
        ("7 B", 7),
        (5, 5),
        ("unknown", None),
    ],
)
def test_needs_in_human_units(text: int | str, size: int | None) -> None:
    assert values.needs(text) == size


@pytest.mark.parametrize(("text", "percent"), [(100, 100.0), (99.5, 99.5), ("99.5%", 99.5), ("0", 0.0)])
def test_percentages(text: int | float | str, percent: float) -> None:
    assert values.percent(text) == percent


@pytest.mark.parametrize(("given", "count"), [(300, "300"), (">=71", ">=71"), ("71..201", "71..201")])
def test_counts(given: int | str, count: str) -> None:
    assert values.count(given) == count


def test_a_digest_is_lower_case_and_keeps_its_source() -> None:
    assert values.digest("md5", "AB" * 16, "the authors") == Checksum("md5", "ab" * 16, "the authors")


def test_two_algorithms_of_one_file_may_stand_together() -> None:
    both = (Checksum("md5", "a" * 32, "x"), Checksum("sha256", "b" * 64, "y"), Checksum("md5", "a" * 32, "z"))
    assert values.agree(both) == both[:2]


@given(st.text(max_size=60))
def test_a_path_that_is_accepted_stays_inside(text: str) -> None:
    try:
        path = values.relative_path(text)
    except Bad:
        return
    assert not path.startswith("/")
    assert ".." not in path.split("/")
    assert "\\" not in path
    assert "\0" not in path


@given(st.text(max_size=200))
def test_what_a_message_repeats_cannot_move_a_cursor(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) <= 80


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("12", 12),
        ("-3", -3),
        ("007", "007"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1e5", "1e5"),
        ("7.5", 7.5),
        ("1:30", "1:30"),
        ("2025-02-27", "2025-02-27"),
        ("~", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("9" * 30, "9" * 30),
    ],
)
def test_plain_words_mean_what_they_look_like(text: str, value: object) -> None:
    issues = Issues("r.yaml")
    node = read(text.encode(), issues)
    assert isinstance(node, Scalar)
    assert (node.value, type(node.value)) == (value, type(value))
    assert issues.all == ()


def test_a_checksum_file_as_md5sum_prints_it() -> None:
    text = f"# from the authors\n{'a' * 32}  x.zip\r\n\n{'B' * 32} *with blank.zip\n"
    known = checksums.read("x.md5", text.encode())
    assert known.of == {
        "x.zip": (Checksum("md5", "a" * 32, "x.md5"),),
        "with blank.zip": (Checksum("md5", "b" * 32, "x.md5"),),
    }
    assert known.lines == {"x.zip": ("x.md5", 2), "with blank.zip": ("x.md5", 4)}


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("x.crc", b"", 'expected a file that ends in .md5, .sha1 or .sha256, found "x.crc"'),
        ("x.md5", b"hello", 'x.md5:1: expected "digest  name", found "hello"'),
        ("x.md5", b"abc  x", 'x.md5:1: expected 32 hex digits, found 3 characters "abc"'),
        ("x.md5", b"a" * 32 + b"  x\n" + b"b" * 32 + b"  x", "x.md5:2: x stands twice, first in line 1"),
        ("x.md5", b"\xff", "x.md5: expected UTF-8 text, found byte 0xff"),
    ],
)
def test_a_broken_checksum_file_names_its_line(file: str, data: bytes, message: str) -> None:
    with pytest.raises(Bad) as caught:
        checksums.read(file, data)
    assert str(caught.value) == message
