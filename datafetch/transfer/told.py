"""What one answer tells of how hard its host may be asked: made where the answer comes in, sent to where it counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from datafetch.model import Why
from datafetch.transfer.quota import Quota, quota
from datafetch.transfer.retry import retry_after, why_of_status
from datafetch.transfer.signs import Heard

# Without one of these an answer says nothing but its status: most do, and there are millions.
_TELLING = frozenset(("retry-after", "ratelimit", "ratelimit-remaining", "x-ratelimit-remaining"))


class Told(msgspec.Struct, array_like=True, frozen=True):
    """Small and plain, so that it can travel between processes."""

    status: int
    took: float | None = None  # seconds until the head came; None: as long as the turn was held
    retry_after: float | None = None
    quota: Quota | None = None

    @property
    def heard(self) -> Heard:
        if self.status in (200, 206, 304):
            return Heard.OK
        return Heard.REFUSED if why_of_status(self.status) is Why.THROTTLED else Heard.OTHER


def told(status: int, headers: Mapping[str, str], took: float | None = None) -> Told:
    """Of an answer that just came; `headers` have their names in lower case."""
    if _TELLING.isdisjoint(headers):
        return Told(status, took)
    now = datetime.now(UTC)
    asked = headers.get("retry-after")
    return Told(
        status,
        took,
        None if asked is None or status in (200, 206, 304) else retry_after(asked, now),
        quota(headers, now.timestamp()),
    )
