"""A look at what an address has without getting it: the head of an answer, and first bytes where they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datafetch.transfer.asking import Headers
from datafetch.transfer.http import Answer
from datafetch.transfer.promise import Promise
from datafetch.transfer.upstream import total_of
from datafetch.transfer.wanted import Wanted, Ways

NO_HEAD = frozenset(
    (400, 401, 403, 405, 406, 501)
)  # what servers answer that serve GET alone, or sign it alone


@dataclass(frozen=True, slots=True)
class Glance:
    """Any status is an answer."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    size: int | None  # bytes of the whole file, where the answer says it
    promise: Promise
    first: bytes = b""
    url: str = ""  # where the redirects led
    later: float | None = None  # seconds after which the server wants to be asked again


async def head(ways: Ways, wanted: Wanted, url: str, headers: Headers = ()) -> Glance:
    """What HEAD says of `url`; where that is not served, or is a provider's, what a GET of one byte says.

    Raises TransferFailed when no answer comes, or a provider refuses.
    """
    if not ways.provided(url):
        async with ways.head(wanted, url, headers) as answer:
            found = _of(answer)
            await answer.discard()
        if found.status not in NO_HEAD:
            return found
    return await begin(ways, wanted, url, headers, 1)


async def begin(ways: Ways, wanted: Wanted, url: str, headers: Headers = (), most: int = 512) -> Glance:
    """The head of GET `url` and the first bytes, of which `most` are asked for. A server that sends all of them is left
    in the midst of it. Raises as `head` does.
    """
    by_range = (*headers, ("Range", f"bytes=0-{most - 1}"))
    async with ways.open(wanted, url, by_range) as answer:
        first = b"" if answer.status == 304 else (await answer.start(most))[:most]
        return _of(answer, first)


def _of(answer: Answer, first: bytes = b"") -> Glance:
    size = total_of(answer.status, answer.headers)
    if size is None and answer.promise.size is not None:
        size = answer.promise.size
    return Glance(answer.status, answer.headers, size, answer.promise, first, answer.url, answer.later)
