"""Whether an answer says that its bytes are not for training: the headers in which hosts opt out; pure.

`X-Robots-Tag: noai` and `noimageai`, to everybody or to us by name, and `TDM-Reservation: 1` of the W3C's TDM
Reservation Protocol, count. `noindex` and its like speak of search results and do not.
"""

from __future__ import annotations

from collections.abc import Iterable

AGENT = "datafetch"
SIGNS = frozenset(("x-robots-tag", "tdm-reservation"))  # the headers that may opt out, in lower case
_NO = frozenset(("noai", "noimageai"))
# Directives that have a colon of their own; before any other colon stands the name of a robot.
_VALUED = frozenset(("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"))


def opted_out(headers: Iterable[tuple[str, str]]) -> str | None:
    """The header that opts out, as text for a person; None when none does. Names in any case, as often as sent."""
    for name, value in headers:
        match name.lower():
            case "x-robots-tag" if (word := _forbidden(value)) is not None:
                return f"X-Robots-Tag: {word}"
            case "tdm-reservation" if value.strip() == "1":
                return "TDM-Reservation: 1"
    return None


def _forbidden(value: str) -> str | None:
    """The directive of one header line that is meant for us. A robot's name holds to the end of its line."""
    ours = True
    for directive in value.lower().split(","):
        before, colon, after = directive.partition(":")
        word = before.strip()
        if colon and word not in _VALUED:
            ours, word = word in (AGENT, "*"), after.strip()
        if ours and word in _NO:
            return word
    return None
