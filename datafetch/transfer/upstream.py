"""What a server says of the version of a file that it has, and whether that is the one that was got; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from datafetch.identity import identity
from datafetch.store.journal import Upstream
from datafetch.transfer.addresses import clean_url, safe_url
from datafetch.transfer.numbers import count
from datafetch.transfer.resume import Validators, content_length

_TOTAL = re.compile(r"bytes (?:\d{1,18}-\d{1,18}|\*)/(\d{1,18})\Z")
_DIGEST = re.compile(r'"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})"\Z')
_SENDABLE = re.compile(r"[\x20-\x7e]{1,500}\Z")  # what is longer, or not ASCII, is not sent back


def upstream(url: str, headers: Mapping[str, str], total: int | None, at: str) -> Upstream:
    """What an answer says; `headers` have their names in lower case. `total` is None where it says no size, `at` is
    when it came, as the manifest has it.
    """
    clean = clean_url(url)
    return Upstream(
        identity(clean),
        safe_url(clean),
        _sendable(headers.get("etag", "")),
        _sendable(headers.get("last-modified", "")),
        total,
        at,
    )


def by_validators(url: str, found: Validators, at: str) -> Upstream:
    """The same of a file that was read by pieces, all of one version."""
    clean = clean_url(url)
    return Upstream(identity(clean), safe_url(clean), found.etag, found.last_modified, found.total, at)


def total_of(status: int, headers: Mapping[str, str]) -> int | None:
    """Bytes of the whole file, by the head of an answer to HEAD, to GET or to GET with a range."""
    match = _TOTAL.match(headers.get("content-range", ""))
    if match is not None:
        return count(match[1])
    return content_length(headers) if status == 200 else None


def conditions(known: Upstream) -> tuple[tuple[str, str], ...]:
    """Headers that ask a server to answer 304 while the file is that one."""
    found = (("If-None-Match", known.etag), ("If-Modified-Since", known.last_modified))
    return tuple((name, value) for name, value in found if value)


@dataclass(frozen=True, slots=True)
class Difference:
    """In what a version differs from an earlier one."""

    what: str  # size, ETag or Last-Modified
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.what} was {self.was}, now {self.now}"


def differences(was: Upstream, now: Upstream) -> tuple[Difference, ...]:
    """What tells that `now` is another version; only what both say counts. A date alone, beside equal ETags, does not:
    a file that was copied to another machine of the same service has another.
    """
    found = []
    if None not in (was.size, now.size) and was.size != now.size:
        found.append(Difference("size", f"{was.size:,}", f"{now.size:,}"))
    same_tag = False
    if was.etag and now.etag:
        same_tag = was.etag.removeprefix("W/") == now.etag.removeprefix("W/")
        if not same_tag:
            found.append(Difference("ETag", was.etag, now.etag))
    dated = was.last_modified and now.last_modified and was.last_modified != now.last_modified
    if dated and not (same_tag and not found):
        found.append(Difference("Last-Modified", was.last_modified, now.last_modified))
    return tuple(found)


def is_other(was: Upstream, now: Upstream) -> bool:
    """Whether `now` is other bytes for certain, as far as tags go: both are digests, by their form, and differ. Dates,
    and tags made of dates, change when a file is moved to another machine.
    """
    tags = was.etag.lower(), now.etag.lower()
    return tags[0] != tags[1] and all(map(_DIGEST.match, tags)) and len(tags[0]) == len(tags[1])


def _sendable(value: str) -> str:
    text = value.strip()
    return text if _SENDABLE.match(text) else ""
