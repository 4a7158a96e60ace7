"""The tables of `resume`, row by row: a part is continued only where nothing can be mixed."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.model import Why
from datafetch.transfer.pieces import Piece, Proof
from datafetch.transfer.resume import (
    Act,
    Asked,
    Held,
    Validators,
    Worth,
    ask,
    content_length,
    judge,
    strong_validators,
    trusted,
    worth,
)

URL, OTHER = "http://a/x", "http://b/x"
DATE = "Sat, 21 Nov 2026 12:00:00 GMT"
OLD = "Sat, 21 Nov 2026 11:59:00 GMT"  # just 60 s older
FRESH = "Sat, 21 Nov 2026 11:59:01 GMT"
TAGGED = Validators('"v1"', "", 100)
DATED = Validators("", OLD, 100)
BARE = Validators("", "", 100)
RANGE = ("Range", "bytes=40-")


@pytest.mark.parametrize(
    ("held", "url", "proven", "offset", "headers"),
    [
        (None, URL, True, 0, ()),
        (Held(URL, 0, TAGGED), URL, True, 0, ()),
        (Held(URL, 40, Validators('"v1"')), URL, True, 0, ()),  # total unknown
        (Held(URL, 101, TAGGED), URL, True, 0, ()),
        (Held(URL, 40, TAGGED), URL, False, 40, (RANGE, ("If-Range", '"v1"'))),
        (
            Held(URL, 40, TAGGED, 60),  # bytes 60 to 100 are held as well
            URL,
            False,
            40,
            (("Range", "bytes=40-59"), ("If-Range", '"v1"')),
        ),
        (Held(URL, 0, TAGGED, 40), URL, False, 0, (("Range", "bytes=0-39"), ("If-Range", '"v1"'))),
        (Held(URL, 0, BARE, 40), URL, True, 0, ()),
        (Held(URL, 40, DATED), URL, False, 40, (RANGE, ("If-Range", OLD))),
        (Held(URL, 40, BARE), URL, True, 0, ()),
        (Held(URL, 40, TAGGED), OTHER, True, 40, (RANGE,)),
        (Held(URL, 40, BARE), OTHER, True, 40, (RANGE,)),
        (Held(URL, 40, TAGGED), OTHER, False, 0, ()),
    ],
)
def test_what_is_asked(
    held: Held | None, url: str, proven: bool, offset: int, headers: tuple[tuple[str, str], ...]
) -> None:
    asked = ask(held, url, proven)
    assert (asked.offset, asked.headers) == (offset, headers)


ONE, TWO, STRANGER = "1", "2", "3"


@pytest.mark.parametrize(
    ("sources", "known", "promised", "found"),
    [
        ((ONE,), False, False, Worth.ALL),
        ((ONE, TWO), False, False, Worth.NOTHING),  # joined under a digest that is known no longer
        ((ONE, TWO), False, True, Worth.ALL),
        ((ONE, TWO), True, False, Worth.ALL),
        ((STRANGER,), False, False, Worth.NOTHING),
        ((STRANGER,), False, True, Worth.NOTHING),  # a promise of an address that is not the file's
        ((ONE, STRANGER), False, True, Worth.NOTHING),
        ((ONE, STRANGER), True, True, Worth.BYTES),
        ((), False, True, Worth.NOTHING),
        ((), True, False, Worth.BYTES),
    ],
)
def test_what_an_earlier_run_left_is_worth(
    sources: tuple[str, ...], known: bool, promised: bool, found: Worth
) -> None:
    assert worth(sources, {ONE, TWO}, known, promised) is found


ZERO = Asked()
FROM_40 = Asked(40, (RANGE, ("If-Range", '"v1"')), TAGGED)
ELSEWHERE = Asked(40, (RANGE,), TAGGED, same_url=False)
FIRST_40 = Asked(0, (("Range", "bytes=0-39"), ("If-Range", '"v1"')), Validators(etag='"v1"', total=100))
FIRST = {"content-range": "bytes 0-39/100", "content-length": "40", "etag": '"v1"'}
GOOD = {"content-range": "bytes 40-99/100", "content-length": "60", "etag": '"v1"'}


@pytest.mark.parametrize(
    ("asked", "status", "headers", "act"),
    [
        (ZERO, 200, {"content-length": "100"}, Act.START),
        (ZERO, 200, {}, Act.START),
        (ZERO, 200, {"content-range": "bytes 0-99/100"}, Act.START),
        (FROM_40, 200, {"content-range": "bytes 0-99/100", "content-length": "100"}, Act.START),
        (ZERO, 200, {"content-range": "bytes 0-98/100"}, Act.REJECT),
        (ZERO, 200, {"content-range": "bytes 1-99/100"}, Act.REJECT),
        (ZERO, 200, {"content-range": "bytes 0-99/100", "content-length": "60"}, Act.REJECT),
        (ZERO, 206, {"content-range": "bytes 0-99/100"}, Act.REJECT),
        (ZERO, 416, {"content-range": "bytes */0"}, Act.REJECT),
        (FIRST_40, 206, FIRST, Act.CONTINUE),
        (FIRST_40, 206, FIRST | {"etag": '"v2"'}, Act.AGAIN),
        (FIRST_40, 200, {"content-length": "100"}, Act.START),
        (FIRST_40, 416, {"content-range": "bytes */100"}, Act.AGAIN),
        (FROM_40, 206, GOOD, Act.CONTINUE),
        (FROM_40, 206, GOOD | {"content-range": "bytes 40-59/100", "content-length": "20"}, Act.CONTINUE),
        (FROM_40, 206, {"content-range": "bytes 40-99/100", "transfer-encoding": "chunked"}, Act.CONTINUE),
        (FROM_40, 206, GOOD | {"content-range": "bytes 0-99/100"}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"content-range": "bytes 41-99/100"}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"content-range": "bytes 40-99/101"}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"content-range": "bytes 40-99/*"}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"content-range": "bytes 40-100/100"}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"content-range": "bytes 40-39/100"}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"content-range": "rows 40-99/100"}, Act.AGAIN),
        (FROM_40, 206, {"content-type": "multipart/byteranges; boundary=x"}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"content-length": "61"}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"etag": '"v2"'}, Act.AGAIN),
        (FROM_40, 206, GOOD | {"etag": 'W/"v1"'}, Act.AGAIN),
        (ELSEWHERE, 206, GOOD | {"etag": '"v2"'}, Act.CONTINUE),
        (ELSEWHERE, 206, GOOD | {"content-range": "bytes 40-99/101"}, Act.AGAIN),
        (FROM_40, 200, {"content-length": "100"}, Act.START),
        (FROM_40, 200, {"content-length": "130"}, Act.START),
        (FROM_40, 200, {"content-length": "60"}, Act.AGAIN),
        (FROM_40, 200, {"content-length": "100", "content-range": "bytes 40-99/100"}, Act.AGAIN),
        (Asked(100, (), TAGGED), 416, {"content-range": "bytes */100"}, Act.COMPLETE),
        (FROM_40, 416, {"content-range": "bytes */40"}, Act.AGAIN),
        (FROM_40, 416, {"content-range": "bytes */100"}, Act.AGAIN),
        (FROM_40, 416, {}, Act.AGAIN),
        (FROM_40, 404, {}, Act.REJECT),
        (FROM_40, 503, {}, Act.REJECT),
        (FROM_40, 204, {}, Act.REJECT),
    ],
)
def test_how_an_answer_is_read(asked: Asked, status: int, headers: Mapping[str, str], act: Act) -> None:
    answer = judge(asked, status, headers)
    assert answer.act is act, answer
    if act is Act.AGAIN:
        assert answer.why is Why.CHANGED
    assert (answer.text != "") == (act in (Act.AGAIN, Act.REJECT))


def test_after_another_mirror_the_part_is_tied_to_that_one() -> None:
    answer = judge(ELSEWHERE, 206, GOOD | {"etag": '"v2"'})
    assert answer.validators == Validators('"v2"', "", 100)
    assert judge(FROM_40, 206, GOOD).validators == TAGGED


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"etag": '"v1"'}, ('"v1"', "")),
        ({"etag": 'W/"v1"'}, ("", "")),
        ({"etag": "v1"}, ("", "")),
        ({"etag": '"a"b"'}, ("", "")),
        ({"etag": '"v1"', "last-modified": OLD, "date": DATE}, ('"v1"', "")),
        ({"etag": 'W/"v1"', "last-modified": OLD, "date": DATE}, ("", "")),
        ({"last-modified": OLD, "date": DATE}, ("", OLD)),
        ({"last-modified": FRESH, "date": DATE}, ("", "")),
        ({"last-modified": OLD}, ("", "")),
        ({"last-modified": "yesterday", "date": DATE}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_only_strong_validators_are_kept(headers: Mapping[str, str], found: tuple[str, str]) -> None:
    kept = strong_validators(headers, 100)
    assert (kept.etag, kept.last_modified, kept.total) == (*found, 100)


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"content-length": "5"}, 5),
        ({"content-length": "5", "transfer-encoding": "chunked"}, None),
        ({"content-length": "-5"}, None),
        ({"content-length": "5x"}, None),
        ({}, None),
    ],
)
def test_the_length_of_a_body(headers: Mapping[str, str], length: int | None) -> None:
    assert content_length(headers) == length


def test_a_kill_costs_nothing_and_a_power_cut_only_what_was_not_synced() -> None:
    synced, wrote = (piece(0, 500),), (piece(500, 900),)
    assert trusted(900, synced, wrote, same_boot=True) == (piece(0, 900),)
    assert trusted(900, synced, wrote, same_boot=False) == (piece(0, 500),)
    assert trusted(300, synced, (), same_boot=False) == ()


def test_of_a_part_with_gaps_only_what_was_said_to_be_written_counts() -> None:
    synced = (piece(0, 500), piece(600, 650))
    wrote = (piece(500, 520), piece(700, 710), piece(880, 990))
    assert trusted(900, synced, wrote, same_boot=True) == (piece(0, 520), piece(600, 650), piece(700, 710))
    assert trusted(900, synced, wrote, same_boot=False) == synced
    assert trusted(0, synced, wrote, same_boot=True) == ()


def test_a_row_that_says_again_what_was_synced_takes_its_place() -> None:
    synced, again = (piece(0, 500), piece(600, 650)), (piece(0, 700), piece(700, 800))
    assert trusted(900, synced, again, same_boot=True) == (piece(0, 800),)


def test_a_row_that_cuts_a_piece_in_two_is_not_believed() -> None:
    assert trusted(900, (piece(0, 500),), (piece(400, 600),), same_boot=True) == (piece(0, 500),)


def test_of_a_part_that_was_changed_the_changed_piece_is_found() -> None:
    pieces = (piece(10, 200), piece(300, 700))
    good, bad = bytearray(CONTENT), bytearray(CONTENT)
    bad[650] ^= 1
    for size in (1, 7, 100, 1000):
        for data, whole in ((good, True), (bad, False)):
            proof = Proof(pieces)
            reads = (proof.take(at, bytes(data[at : at + size])) for at in range(0, 1000, size))
            assert all(reads) is whole


CONTENT = random.Random(7).randbytes(1000)


def piece(start: int, end: int) -> Piece:
    return start, end, zlib.crc32(CONTENT[start:end])


headers_like = st.dictionaries(
    st.sampled_from(
        ["content-range", "content-length", "etag", "last-modified", "date", "transfer-encoding"]
    ),
    st.one_of(
        st.text(),
        st.sampled_from(['"v1"', "100", "60", OLD, DATE, "chunked", "bytes 40-99/100", "bytes */40"]),
    ),
)


@given(st.sampled_from([ZERO, FROM_40, ELSEWHERE]), st.integers(0, 999), headers_like)
def test_bytes_are_appended_only_at_our_offset_of_our_total(
    asked: Asked, status: int, headers: Mapping[str, str]
) -> None:
    answer = judge(asked, status, headers)
    if answer.act is Act.CONTINUE:
        assert status == 206
        assert headers["content-range"].startswith(f"bytes {asked.offset}-")
        assert headers["content-range"].endswith(f"/{asked.validators.total}")
    if answer.act is Act.START:
        assert status == 200
