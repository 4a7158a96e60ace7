"""What an answer to a request for some bytes of a file is worth, when the file is read by pieces only; pure.

asked                     answer                                                     worth
the last n                206, one range, up to the end, n bytes or the whole file,  BYTES
                          with a strong validator, not packed
the last n                206 or 200 that lacks any of that, 416                     NO_RANGES
from a to b               206 from a, up to b or less, same total and validator      BYTES
from a to b               206 with another validator or total, 416                   CHANGED
from a to b               206, anything else about it (also multipart/byteranges)    NO_RANGES
from a to b               200 with the same validator                                NO_RANGES
from a to b               200 with another: If-Range found another version           CHANGED
any                       another status                                             FAILED, why by status
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from datafetch.model import Why
from datafetch.transfer.resume import Validators, content_length, strong_validators
from datafetch.transfer.retry import why_of_status

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})\Z")

_NONE = Validators()

Headers = tuple[tuple[str, str], ...]


class Worth(Enum):
    BYTES = "bytes"
    NO_RANGES = "no ranges"
    CHANGED = "changed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Given:
    """How an answer was read: for BYTES, the span that its body brings and what ties later requests to it."""

    worth: Worth
    start: int = 0
    end: int = 0
    validators: Validators = _NONE
    why: Why = Why.UNKNOWN
    text: str = ""


def ask_tail(length: int) -> Headers:
    """The request for the last so many bytes of a file of which nothing is known."""
    return (("Range", f"bytes=-{length}"),)


def ask_span(start: int, end: int, known: Validators) -> Headers:
    """The request for the bytes from `start` to before `end` of a file with a strong validator."""
    return ("Range", f"bytes={start}-{end - 1}"), ("If-Range", known.etag or known.last_modified)


def judge_tail(length: int, status: int, headers: Mapping[str, str]) -> Given:
    if status not in (200, 206, 416):
        return _refused(status)
    found = _RANGE.match(headers.get("content-range", ""))
    if status != 206 or found is None:
        return _no_ranges("the server ignores ranges")
    start, last, total = (int(number) for number in found.groups())
    if last + 1 != total or start != max(0, total - length) or _wrong_length(headers, start, last + 1):
        return _no_ranges("the server answers ranges wrongly")
    validators = strong_validators(headers, total)
    if not validators.strong:
        return _no_ranges("the server gives nothing that ties two ranges to one version of the file")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return _no_ranges("the server packs what it sends")
    return Given(Worth.BYTES, start, total, validators)


def judge_span(start: int, end: int, known: Validators, status: int, headers: Mapping[str, str]) -> Given:
    if status == 200:
        same = strong_validators(headers, content_length(headers)) == known
        return _no_ranges("the server ignores ranges") if same else _changed()
    if status == 416:
        return _changed()
    if status != 206:
        return _refused(status)
    found = _RANGE.match(headers.get("content-range", ""))
    if found is None:
        return _no_ranges("the server's answer names no single range")
    first, last, total = (int(number) for number in found.groups())
    if total != known.total or not _agree(known, headers):
        return _changed()
    if first != start or not first <= last < end or _wrong_length(headers, first, last + 1):
        return _no_ranges(f"asked from byte {start}, the server sent {first}-{last}")
    return Given(Worth.BYTES, start, last + 1, known)


def _agree(known: Validators, headers: Mapping[str, str]) -> bool:
    """False when the answer carries a validator that contradicts the one its request was tied to."""
    if known.etag:
        return headers.get("etag", known.etag).strip() == known.etag
    return headers.get("last-modified", known.last_modified) == known.last_modified


def _wrong_length(headers: Mapping[str, str], start: int, end: int) -> bool:
    return content_length(headers) not in (None, end - start)


def _no_ranges(text: str) -> Given:
    return Given(Worth.NO_RANGES, text=text)


def _changed() -> Given:
    return Given(Worth.CHANGED, why=Why.CHANGED, text="the file on the server is another one now")


def _refused(status: int) -> Given:
    return Given(Worth.FAILED, why=why_of_status(status), text=f"the server answered {status}")
