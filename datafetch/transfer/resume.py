"""When bytes are part of *this* file, when they may be continued, and what an answer to that means; pure.

Three things say that bytes belong to the file that is wanted now:

- the address they are from is one of its addresses: by `identity`, a digest of the full address, never by what
  is shown of it. Two versions behind one address are told apart by strong validators (If-Range).
- a digest in the recipe, or of an earlier use: it proves any join, of whatever bytes.
- a digest that an address of the file has promised with bytes that are held: it proves a join as long as those
  bytes are held. So it is kept with them, on disk too, and a later promise adds to it and takes nothing away.

What an earlier run left is worth:

    its bytes are from                      a digest of recipe or earlier use    none
    one address of the file                 all of it                            all of it
    several addresses of the file           all of it                            all, if a digest was promised
    any other address too, or none said     the bytes, not the promise           nothing: from 0

What is worth something and has all its bytes is asked for no more, but hashed and judged as if it had just come.

What is asked for, with `n` bytes held of `total`, from the front on; none of them may be, and others behind them:

    held                                                   request (up to the next byte held, if there is one)
    nothing, or total unknown, or n > total                GET from 0
    same address, strong ETag                              Range: bytes=n-, If-Range: the ETag
    same address, no ETag, strong Last-Modified            Range: bytes=n-, If-Range: the date
    same address, weak or no validator                     GET from 0
    other address, a checksum of the whole is known        Range: bytes=n-  (the checksum proves the join)
    other address, no checksum                             GET from 0

How the answer is read:

    asked      answer                                                    verdict
    from 0     200, also with a Content-Range of the whole file          START
    from 0     200 with any other Content-Range, 206                     REJECT bad answer
    from n     206, one range, from n, same total, same validator        CONTINUE
    from n     206, anything else about it (also multipart/byteranges)   AGAIN from 0, changed
    from n     200 with Content-Range, or exactly as long as the rest    AGAIN from 0: a slice without label
    from n     200                                                       START: the same answer, from 0
    from n     416, total is n                                           COMPLETE: size fits, the hash decides
    from n     416, anything else                                        AGAIN from 0, changed
    any        another status                                            REJECT, why by status
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from datafetch.model import Why
from datafetch.transfer.numbers import count
from datafetch.transfer.pieces import Piece, Pieces
from datafetch.transfer.retry import why_of_status

# RFC 9110, 8.8.2.2: a date is strong when it is clearly older than the answer that carries it.
STRONG_AFTER = 60.0
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})\Z")
_RANGE_UNMET = re.compile(r"bytes \*/(\d{1,18})\Z")
# Bytes above ASCII may stand in one, but not in a header of ours.
_ETAG = re.compile(r'"[\x21\x23-\x7e]*"\Z')
_LONGEST = 256  # characters of a validator that is kept to be shown
_VISIBLE = re.compile(r"[\x20-\x7e]+\Z")


@dataclass(frozen=True, slots=True)
class Validators:
    """What a later request can be tied to. Only strong ones are kept; empty is none."""

    etag: str = ""
    last_modified: str = ""
    total: int | None = None  # bytes of the whole file

    @property
    def strong(self) -> bool:
        return bool(self.etag or self.last_modified)


@dataclass(frozen=True, slots=True)
class Said:
    """The validators of an answer as they came: enough to tell a person that a file is another one, never to join."""

    etag: str = ""
    last_modified: str = ""

    @classmethod
    def by(cls, headers: Mapping[str, str]) -> Said:
        """Those of an answer, whose header names are in lower case; what cannot be printed is none."""
        told = (headers.get(name, "").strip() for name in ("etag", "last-modified"))
        return cls(*(text if _VISIBLE.match(text) and len(text) <= _LONGEST else "" for text in told))


@dataclass(frozen=True, slots=True)
class Held:
    """A part on disk: `size` bytes of what `address`, by its identity, once described with `validators`."""

    address: str
    size: int
    validators: Validators
    end: int | None = None  # where what lacks after `size` ends, when something behind it is held as well


@dataclass(frozen=True, slots=True)
class Asked:
    offset: int = 0
    headers: tuple[tuple[str, str], ...] = ()  # none: the whole file
    validators: Validators = Validators()  # of the part that is being continued
    same_url: bool = True

    @property
    def part_only(self) -> bool:
        """Whether less than the whole file is asked for; it may be a part that begins at 0."""
        return bool(self.offset or self.headers)


class Worth(Enum):
    ALL = "all"
    BYTES = "bytes"
    NOTHING = "nothing"


class Act(Enum):
    START = "start"
    CONTINUE = "continue"
    COMPLETE = "complete"
    AGAIN = "again"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Answer:
    act: Act
    validators: Validators = Validators()
    length: int | None = None  # bytes this body should bring; None is unknown
    why: Why = Why.UNKNOWN
    text: str = ""


def worth(sources: Collection[str], addresses: Collection[str], known: bool, promised: bool) -> Worth:
    """Of a part with bytes from `sources`; `known` when the recipe or an earlier use has a digest of the file,
    `promised` when one was promised with the bytes.
    """
    if not sources or not all(source in addresses for source in sources):
        return Worth.BYTES if known else Worth.NOTHING
    return Worth.ALL if len(sources) == 1 or known or promised else Worth.NOTHING


def ask(held: Held | None, address: str, proven: bool) -> Asked:
    """The request given what is held; `address` is the identity of the one that is asked, `proven` when a checksum
    of the whole file is known.
    """
    if held is None or held.validators.total is None or (held.size == 0 and held.end is None):
        return Asked()
    if held.size > held.validators.total:
        return Asked()
    known = held.validators
    last = "" if held.end is None else held.end - 1
    by_range = ("Range", f"bytes={held.size}-{last}")
    if held.address == address:
        tie = known.etag or known.last_modified
        return Asked(held.size, (by_range, ("If-Range", tie)), known) if tie else Asked()
    return Asked(held.size, (by_range,), known, same_url=False) if proven else Asked()


def ask_piece(start: int, end: int, known: Validators) -> Asked:
    """The request for one piece of a file whose other pieces are being fetched from the same address."""
    by_range = ("Range", f"bytes={start}-{end - 1}")
    tie = known.etag or known.last_modified
    return Asked(start, (by_range, ("If-Range", tie)) if tie else (by_range,), known, same_url=known.strong)


def judge(asked: Asked, status: int, headers: Mapping[str, str]) -> Answer:
    """What to do with an answer whose body has not been read. `headers` has lower-case names."""
    if status == 200:
        return _whole(asked, headers)
    if status == 206 and asked.part_only:
        return _range(asked, headers)
    if status == 206:
        return Answer(Act.REJECT, why=Why.BAD_ANSWER, text="the server sent a range that nobody asked for")
    if status == 416 and asked.part_only:
        return _unmet(asked, headers)
    said = "the proxy wants a user and a password" if status == 407 else f"the server answered {status}"
    return Answer(Act.REJECT, why=why_of_status(status), text=said)


def _whole(asked: Asked, headers: Mapping[str, str]) -> Answer:
    length = content_length(headers)
    if "content-range" in headers and not _spans_all(headers["content-range"], length):
        if asked.part_only:
            return _again("the server sent a range labelled as the whole file")
        return Answer(Act.REJECT, why=Why.BAD_ANSWER, text="the server sent a range that nobody asked for")
    total = asked.validators.total
    if asked.offset and total is not None and length == total - asked.offset and length != total:
        return _again("the server sent the rest labelled as the whole file")
    return Answer(Act.START, strong_validators(headers, length), length)


def _spans_all(content_range: str, length: int | None) -> bool:
    """Whether a range that nobody asked for is the whole file, which some servers say of a 200."""
    match = _RANGE.match(content_range)
    if match is None:
        return False
    first, last, total = (int(number) for number in match.groups())
    return first == 0 and last + 1 == total and length in (None, total)


def _range(asked: Asked, headers: Mapping[str, str]) -> Answer:
    match = _RANGE.match(headers.get("content-range", ""))
    if match is None:
        return _again("the server's answer names no single range")
    first, last, total = (int(number) for number in match.groups())
    if first != asked.offset or last < first or last >= total:
        return _again(f"asked from byte {asked.offset}, the server sent {first}-{last}")
    if total != asked.validators.total:
        return _again(f"the file had {asked.validators.total} bytes and now has {total}")
    length = content_length(headers)
    if length is not None and length != last - first + 1:
        return _again("the range and the length of the answer differ")
    found = strong_validators(headers, total)
    if asked.same_url and not _agree(asked.validators, headers):
        return _again("the file on the server is another one now")
    kept = asked.validators if asked.same_url else found
    return Answer(Act.CONTINUE, kept, last - first + 1)


def _unmet(asked: Asked, headers: Mapping[str, str]) -> Answer:
    match = _RANGE_UNMET.match(headers.get("content-range", ""))
    if match is not None and int(match[1]) == asked.offset == asked.validators.total:
        return Answer(Act.COMPLETE, asked.validators, 0)
    return _again("the server does not have the range that is missing")


def _again(text: str) -> Answer:
    return Answer(Act.AGAIN, why=Why.CHANGED, text=text)


def _agree(known: Validators, headers: Mapping[str, str]) -> bool:
    """False when the answer carries a validator that contradicts the one its request was tied to."""
    if known.etag:
        return headers.get("etag", known.etag) == known.etag
    return headers.get("last-modified", known.last_modified) == known.last_modified


def strong_validators(headers: Mapping[str, str], total: int | None) -> Validators:
    """The validators that prove byte equality. A weak ETag says that bytes may differ: then none do."""
    etag = headers.get("etag", "").strip()
    if etag:
        return Validators(etag=etag if _ETAG.match(etag) else "", total=total)
    modified, date = _date(headers.get("last-modified", "")), _date(headers.get("date", ""))
    sendable = _VISIBLE.match(headers.get("last-modified", ""))
    if sendable and modified and date and (date - modified).total_seconds() >= STRONG_AFTER:
        return Validators(last_modified=headers["last-modified"], total=total)
    return Validators(total=total)


def content_length(headers: Mapping[str, str]) -> int | None:
    """The length of body that an answer promises; None when it is chunked or ends with the connection."""
    return None if "transfer-encoding" in headers else count(headers.get("content-length", ""))


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else None


def trusted(
    on_disk: int, durable: Iterable[Piece], wrote: Iterable[Piece], same_boot: bool
) -> tuple[Piece, ...]:
    """Pieces of a part of that length that count: all written since the machine started, else what was synced."""
    pieces = Pieces(durable)
    for piece in wrote if same_boot else ():
        pieces.add(piece)
    return tuple(piece for piece in pieces.all() if piece[1] <= on_disk)
