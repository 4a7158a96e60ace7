"""How hosts say that their pictures are not for training, and what robots.txt forbids."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.transfer.optout import opted_out
from datafetch.transfer.robots import Robots, Rules, parse

URL = "https://images.example.org"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([("X-Robots-Tag", "noai")], "X-Robots-Tag: noai"),
        ([("x-robots-tag", "noindex, NoImageAI")], "X-Robots-Tag: noimageai"),
        ([("x-robots-tag", "datafetch: noai")], "X-Robots-Tag: noai"),
        ([("x-robots-tag", "*: noindex, noai")], "X-Robots-Tag: noai"),
        ([("x-robots-tag", "otherbot: noindex, noai")], None),
        ([("x-robots-tag", "otherbot: noai"), ("x-robots-tag", "noai")], "X-Robots-Tag: noai"),
        ([("x-robots-tag", "otherbot: noindex, datafetch: noai")], "X-Robots-Tag: noai"),
        ([("x-robots-tag", "unavailable_after: 25 Jun 2027 15:00:00 PST, noai")], "X-Robots-Tag: noai"),
        ([("x-robots-tag", "max-snippet: 20, noimageai")], "X-Robots-Tag: noimageai"),
        ([("x-robots-tag", "noindex, noarchive, nosnippet")], None),
        ([("tdm-reservation", "1")], "TDM-Reservation: 1"),
        ([("TDM-Reservation", " 1 ")], "TDM-Reservation: 1"),
        ([("tdm-reservation", "0")], None),
        ([], None),
    ],
)
def test_headers_that_opt_out_are_seen_and_others_are_not(
    headers: list[tuple[str, str]], found: str | None
) -> None:
    assert opted_out(headers) == found


ROBOTS = """\ufeff# who may come
User-agent: otherbot
Disallow: /

user-agent: thirdbot
User-Agent: DataFetch   # both of them
Disallow: /private/
Allow: /private/but-this
Disallow: /*.gif$
Disallow: /*/secret/*/x
Disallow:
nonsense
Sitemap: https://images.example.org/map.xml

User-agent: *
Disallow: /
"""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/a.jpg", True),
        ("/private/a.jpg", False),
        ("/private/but-this.jpg", True),
        ("/a.gif", False),
        ("/a.gif?size=1", True),
        ("/a/secret/b/x.jpg", False),
        ("/secret/b/x.jpg", True),
        ("", True),
        ("/robots.txt", True),
    ],
)
def test_the_longest_rule_for_us_decides(path: str, allowed: bool) -> None:
    assert parse(ROBOTS).allow(URL + path) is allowed


def test_rules_for_everybody_count_where_none_name_us() -> None:
    rules = parse("User-agent: *\nDisallow: /x\n\nUser-agent: other\nDisallow: /")
    assert not rules.allow(f"{URL}/x/a.jpg")
    assert rules.allow(f"{URL}/y/a.jpg")


def test_a_group_that_names_us_and_forbids_nothing_allows_all() -> None:
    assert parse("User-agent: datafetch\nDisallow:\n\nUser-agent: *\nDisallow: /").allow(f"{URL}/a.jpg")


def test_names_of_files_are_compared_as_they_are_sent() -> None:
    rules = parse("User-agent: *\nDisallow: /caf\u00e9/\nDisallow: /a%20b")
    assert not rules.allow(f"{URL}/caf%C3%A9/a.jpg")
    assert not rules.allow(f"{URL}/caf\u00e9/a.jpg")
    assert not rules.allow(f"{URL}/a%20b.jpg")


@given(st.text(max_size=300), st.text(max_size=80))
def test_no_file_of_rules_is_an_error(text: str, path: str) -> None:
    assert parse(f"User-agent: *\nDisallow: {text}").allow(f"{URL}/{path}") in (True, False)


def test_a_pattern_full_of_stars_is_no_trap() -> None:
    rules = Rules((("/" + "*a" * 2000 + "$", False),))
    assert rules.allow(f"{URL}/" + "a" * 1999)


@pytest.mark.parametrize(
    ("status", "allowed"), [(200, False), (404, True), (403, True), (503, True), (429, True), (0, True)]
)
def test_each_host_is_asked_for_all_rows_together_and_its_answer_is_obeyed(
    status: int, allowed: bool
) -> None:
    asked = []

    async def get(url: str) -> tuple[int, bytes]:
        asked.append(url)
        await asyncio.sleep(0)
        if not status:
            raise TransferFailed(Why.DNS, "no such host", url)
        return status, b"User-agent: *\nDisallow: /"

    async def ask() -> list[bool]:
        robots = Robots(get)
        urls = [f"{URL}/{number}.jpg" for number in range(5)]
        found = await asyncio.gather(*(robots.rules(url) for url in urls))
        return [rules.allow(url) for rules, url in zip(found, urls, strict=True)]

    assert asyncio.run(ask()) == [allowed] * 5
    assert asked == [f"{URL}/robots.txt"] * (3 if status == 429 or status >= 500 else 1)
