"""Numbers as servers state them; pure."""

from __future__ import annotations

_DIGITS = 18  # what is longer is no size of anything, and Python refuses to read thousands of digits


def count(text: str) -> int | None:
    """The number that a header states; None when that is none, or an absurd one."""
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else None
