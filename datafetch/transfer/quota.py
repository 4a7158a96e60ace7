"""What a host says in headers of how much it may still be asked; pure.

Read are `RateLimit` and `RateLimit-Policy` of the IETF's httpapi working group, as structured fields
(`"default";r=50;t=30`) and as its drafts had them before (`limit=100, remaining=50, reset=30`), the three fields
`RateLimit-Limit`, `-Remaining` and `-Reset` of the earliest drafts, and the same with `X-` as many services have
them, whose reset may also be a moment in Unix time. Nothing here is promised by the host: what cannot be read says
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

MOMENT = 10**8  # a larger reset is a moment, not a duration: three years are no window
SPREAD = 0.5  # of a window's requests; while more are left, they may be sent as fast as the host serves them

_NUMBER = re.compile(r"\s*(\d{1,15})(?:\.\d*)?\s*")
_NAMED = re.compile(r"(?:^|[;,\s])(limit|remaining|reset|r|t|q|w)\s*=\s*\"?(\d{1,15})\b", re.I)


class Quota(msgspec.Struct, array_like=True, frozen=True):
    """So many more requests in so many seconds."""

    remaining: int
    reset: float
    limit: int | None = None

    def pace(self, left: float) -> float | None:
        """Requests a second that last until the reset, `left` seconds away; None while there is plenty."""
        if self.limit is not None and self.remaining > SPREAD * self.limit:
            return None
        return max(self.remaining, 1) / max(left, 1.0)


def quota(headers: Mapping[str, str], moment: float) -> Quota | None:
    """The tightest quota that the headers (names in lower case) state; `moment` is now in Unix time."""
    found = [*_fields(headers), *_trio(headers, "ratelimit", moment), *_trio(headers, "x-ratelimit", moment)]
    return min(found, key=lambda each: each.remaining / max(each.reset, 1.0), default=None)


def _fields(headers: Mapping[str, str]) -> list[Quota]:
    value = headers.get("ratelimit", "")
    policies = {_label(item): _numbers(item) for item in _items(headers.get("ratelimit-policy", ""))}
    # The drafts in between were one dictionary; a list of items begins each with its policy's name.
    items = [value] if "remaining" in value.lower() else _items(value)
    found = []
    for item in items:
        numbers, policy = _numbers(item), policies.get(_label(item), {})
        remaining = numbers.get("r", numbers.get("remaining"))
        reset = numbers.get("t", numbers.get("reset", policy.get("w")))
        if remaining is not None and reset is not None:
            found.append(Quota(remaining, float(reset), numbers.get("limit", policy.get("q"))))
    return found


def _trio(headers: Mapping[str, str], prefix: str, moment: float) -> list[Quota]:
    remaining, reset = _number(headers, f"{prefix}-remaining"), _number(headers, f"{prefix}-reset")
    if remaining is None or reset is None:
        return []
    seconds = float(reset)
    if reset >= 1000 * MOMENT * 10:
        seconds = reset / 1000 - moment  # in milliseconds
    elif reset >= MOMENT:
        seconds = reset - moment
    return [Quota(remaining, max(0.0, seconds), _number(headers, f"{prefix}-limit"))]


def _number(headers: Mapping[str, str], name: str) -> int | None:
    found = _NUMBER.match(headers.get(name, ""))  # `100, 100;w=60` begins with the limit itself
    return int(found[1]) if found else None


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _label(item: str) -> str:
    return item.partition(";")[0].strip()


def _numbers(item: str) -> dict[str, int]:
    return {name.lower(): int(number) for name, number in _NAMED.findall(item)}
