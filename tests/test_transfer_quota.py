"""What is read from the headers in which hosts state how much they may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.transfer.quota import Quota, quota

NOW = 1_800_000_000.0
NAMES = st.sampled_from(
    ["ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"ratelimit": '"default";r=50;t=30'}, Quota(50, 30)),
        (
            {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'},
            Quota(50, 30, 100),
        ),
        ({"ratelimit": '"a";r=50', "ratelimit-policy": '"a";q=100;w=60'}, Quota(50, 60, 100)),
        ({"ratelimit": '"burst";r=5;t=1, "day";r=100;t=80000'}, Quota(100, 80000)),
        (
            {"ratelimit": "limit=100, remaining=40, reset=20", "ratelimit-policy": "100;w=60"},
            Quota(40, 20, 100),
        ),
        (
            {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "7", "ratelimit-reset": "9"},
            Quota(7, 9, 100),
        ),
        (
            {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000090"},
            Quota(0, 90, 60),
        ),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1800000090000"}, Quota(3, 90)),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1700000000"}, Quota(3, 0)),
        ({"x-ratelimit-remaining": "3.0", "x-ratelimit-reset": "1.5"}, Quota(3, 1)),
        ({"x-ratelimit-remaining": "3"}, None),
        ({"ratelimit": "who knows", "x-ratelimit-remaining": "some", "x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_every_form_of_the_fields_is_read(headers: dict[str, str], found: Quota | None) -> None:
    assert quota(headers, NOW) == found


@given(st.dictionaries(NAMES, st.text(max_size=60)))
def test_nothing_that_a_host_writes_is_an_error(headers: dict[str, str]) -> None:
    found = quota(headers, NOW)
    assert found is None or (found.remaining >= 0 and found.reset >= 0)
