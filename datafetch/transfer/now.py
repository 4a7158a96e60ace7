"""What an address says of its file now: size, validators and where it leads, without taking the body."""

from __future__ import annotations

import re
from dataclasses import dataclass

from datafetch.errors import TransferFailed
from datafetch.transfer.addresses import clean_url, origin, safe_url, shown_host
from datafetch.transfer.resume import Said, content_length
from datafetch.transfer.wanted import Wanted, Ways

_TOTAL = re.compile(r"bytes \d+-\d+/(\d{1,18})\Z")


@dataclass(frozen=True, slots=True)
class Now:
    """Empty is not known."""

    status: int = 0  # 0: there was no answer
    size: int | None = None
    etag: str = ""
    last_modified: str = ""
    moved: str = ""  # where it leads, when that is another host
    kind: str = ""  # its Content-Type
    fault: str = ""  # why there was no answer


async def now_of(wanted: Wanted, ways: Ways) -> Now:
    """Of the first address, mirrors before the origin, by a request for one byte. Never raises TransferFailed."""
    try:
        url = ways.addresses(wanted)[0]
        async with (
            ways.hosts.turn(shown_host(url)),
            ways.open(wanted, url, (("Range", "bytes=0-0"),)) as answer,
        ):
            said = Said.by(answer.headers)
            total = _TOTAL.match(answer.headers.get("content-range", ""))
            size = (
                int(total[1]) if total else content_length(answer.headers) if answer.status == 200 else None
            )
            moved = "" if origin(answer.url) == origin(clean_url(url)) else safe_url(answer.url)
            kind = answer.headers.get("content-type", "")[:100]
            return Now(answer.status, size, said.etag, said.last_modified, moved, kind)
    except TransferFailed as error:
        return Now(fault=str(error))
