"""Sizes, rates, durations and shares, as a person writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from datafetch.errors import UsageError

T = TypeVar("T")

SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
DURATIONS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def given(parse: Callable[[str], T], text: str) -> T | None:
    """What an option says, read by `parse`; None when it was not given."""
    return parse(text) if text else None


def parse_size(text: str) -> int:
    """Bytes of "50G", "4.2M" or "1048576"; K, M, G and T are powers of 1000. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f"{text!r} is not a size", hint="write it like 500M or 1.5G")
    return int(float(match[1]) * SIZES[match[2].upper()])


def parse_rate(text: str) -> int:
    """Bytes per second of "4.2M", "500K" or "4.2M/s". Raises UsageError; at least 1K is asked for."""
    words = text.strip()
    rate = parse_size(words[:-2] if words.lower().endswith("/s") else words)
    if rate < 1000:
        raise UsageError(f"{text!r} is too slow to end", hint="write a rate of 1K or more, like 4.2M")
    return rate


def parse_duration(text: str) -> float:
    """Seconds of "90", "90s", "15m", "2h", "1h30m" or "1d". Raises UsageError."""
    said = text.strip().lower()
    if re.fullmatch(r"(?:\d+(?:\.\d+)?\s*[smhd]\s*)+|\d+(?:\.\d+)?", said) is None:
        raise UsageError(f"{text!r} is not a duration", hint="write it like 90s, 15m or 1h30m")
    return sum(float(n) * DURATIONS[unit] for n, unit in re.findall(r"(\d+(?:\.\d+)?)\s*([smhd]?)", said))


def parse_percent(text: str) -> float:
    """The number of "99.5%" or "99.5". Raises UsageError outside 0 to 100."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%?", text.strip())
    if match is None or float(match[1]) > 100:
        raise UsageError(f"{text!r} is not a percentage", hint="write it like 99.5%")
    return float(match[1])
