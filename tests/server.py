"""The misbehaving server of the tests: every path is named by its fault, as /drop-after/500."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from urllib.parse import unquote

from datafetch.demo.server import (
    Answer,
    Exchange,
    FaultServer,
    Thing,
    corrupt,
    drop_after,
    first,
    redirect,
    status,
    web_page,
)

BODY = b"PK\x03\x04" + bytes((i * 7 + i // 256) % 251 for i in range(20_000))
OTHER = b"PK\x03\x04" + bytes((i * 11 + i // 128) % 241 for i in range(20_000))
THING = Thing(BODY)
QUOTA = "<html><title>Google Drive - Quota exceeded</title>Too many users have viewed this file</html>"
ERROR_XML = b'<?xml version="1.0"?>\n<Error><Code>SlowDown</Code></Error>'


def serve(thing: Thing = THING) -> FaultServer:
    """A server whose every path gives `thing`, through the fault that its first segment names."""

    def find(path: str) -> Answer | None:
        name, _, rest = path.strip("/").partition("/")
        made = FAULTS.get(name)
        return None if made is None else made(thing, rest)

    return FaultServer(find)


def number(rest: str) -> int:
    return int(rest.partition("/")[0] or 0)


def half_then(after: Callable[[Thing], Answer]) -> Callable[[Thing, str], Answer]:
    """Half of the file, then whatever `after` makes of it."""
    return lambda thing, rest: first(1, drop_after(len(thing.data) // 2, thing), after(thing))


def part(thing: Thing, start: int, end: int, total: int, **headers: str) -> Answer:
    """A 206 with the bytes from start to end, both labelled as given."""

    def answer(exchange: Exchange) -> None:
        body = thing.data[start:end]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        span = {"Content-Range": f"bytes {start}-{end - 1}/{total}", "Content-Length": len(body)}
        exchange.head(206, thing.headers | span | named)
        exchange.body(body)

    return answer


def multipart(thing: Thing) -> Answer:
    def answer(exchange: Exchange) -> None:
        start, total = exchange.seen.start, len(thing.data)
        head = f"--cut\r\nContent-Range: bytes {start}-{total - 1}/{total}\r\n\r\n".encode()
        body = head + thing.data[start:] + b"\r\n--cut--\r\n"
        kind = {"Content-Type": "multipart/byteranges; boundary=cut", "Content-Length": len(body)}
        exchange.head(206, thing.headers | kind)
        exchange.body(body)

    return answer


def slice_as_whole(thing: Thing) -> Answer:
    """The rest of the file, labelled 200."""

    def answer(exchange: Exchange) -> None:
        body = thing.data[exchange.seen.start :]
        exchange.head(200, thing.headers | {"Content-Length": len(body)})
        exchange.body(body)

    return answer


def chunks(data: bytes, size: int = 1000) -> bytes:
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in cut)


def chunked(thing: Thing, end: bytes = b"0\r\n\r\n") -> Answer:
    def answer(exchange: Exchange) -> None:
        code, body, headers = thing.rest(exchange.seen)
        headers.pop("Content-Length")
        exchange.head(code, headers | {"Transfer-Encoding": "chunked"})
        exchange.body(chunks(body) + end)
        if end != b"0\r\n\r\n":
            exchange.hang_up()

    return answer


def no_length(thing: Thing, size: int | None = None) -> Answer:
    def answer(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Type": thing.kind, "Connection": "close"})
        exchange.body(thing.data[:size])
        exchange.hang_up()

    return answer


def raw(data: bytes) -> Answer:
    def answer(exchange: Exchange) -> None:
        exchange.raw(data)
        exchange.hang_up()

    return answer


def slow(size: int, wait: float) -> Answer:
    """Sends `size` bytes at a time, `wait` seconds apart, until the other side has gone."""

    def answer(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": 10**9})
        for _ in range(int(20 / wait)):
            exchange.raw(b"x" * size)
            time.sleep(wait)

    return answer


def silent(exchange: Exchange) -> None:
    """Never answers; returns when the other side has gone."""
    exchange.wait_for_close(20)


def reset_after(size: int, thing: Thing) -> Answer:
    def answer(exchange: Exchange) -> None:
        code, body, headers = thing.rest(exchange.seen)
        exchange.head(code, headers)
        exchange.body(body[:size])
        exchange.reset()

    return answer


def hop(thing: Thing, rest: str) -> Answer:
    left = number(rest)
    return redirect(f"/hop/{left - 1}") if left else thing


def labelled(thing: Thing, encoding: str, data: bytes) -> Answer:
    return status(200, data, Content_Encoding=encoding, Content_Type=thing.kind)


def on_this_server(path: str) -> Answer:
    return lambda exchange: exchange.send(302, Location=f"{exchange.base}{path}")


def later(thing: Thing) -> Answer:
    return first(2, status(429, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"), thing)


WEAK = 'W/"weak"'
FLOOD = b"HTTP/1.1 200 OK\r\n" + b"X-Flood: %b\r\n" % (b"a" * 90) * 5000 + b"\r\n"
FAULTS: dict[str, Callable[[Thing, str], Answer]] = {
    "plain": lambda thing, rest: thing,
    "drop-after": lambda thing, rest: first(1, drop_after(number(rest), thing), thing),
    "drop-always": lambda thing, rest: drop_after(number(rest), thing),
    "reset-after": lambda thing, rest: first(1, reset_after(number(rest), thing), thing),
    "ignores-range": half_then(lambda thing: Ignoring(thing)),
    "throttle-twice": lambda thing, rest: first(2, status(429, Retry_After=rest or "7"), thing),
    "throttle-date": lambda thing, rest: later(thing),
    "throttle-always": lambda thing, rest: status(429, Retry_After=rest or "86400"),
    "unavailable-twice": lambda thing, rest: first(2, status(503), thing),
    "broken": lambda thing, rest: status(500),
    "html": lambda thing, rest: web_page(),
    "html-unlabelled": lambda thing, rest: status(
        200, b"\n<!DOCTYPE html><p>hello", Content_Type="application/zip"
    ),
    "quota": lambda thing, rest: web_page(QUOTA),
    "error-xml": lambda thing, rest: status(200, ERROR_XML, Content_Type="application/xml"),
    "error-json": lambda thing, rest: status(200, b'{"error": "no"}', Content_Type="application/json"),
    "corrupt-once": lambda thing, rest: first(1, corrupt(thing), thing),
    "corrupt-always": lambda thing, rest: corrupt(thing),
    "gone": lambda thing, rest: status(404),
    "gone-410": lambda thing, rest: status(410),
    "forbidden": lambda thing, rest: status(403),
    "login": lambda thing, rest: status(401, WWW_Authenticate="Basic"),
    "wrong-offset": half_then(
        lambda thing: first(2, part(thing, 100, len(thing.data), len(thing.data)), thing)
    ),
    "wrong-total": half_then(lambda thing: first(2, WrongTotal(thing), thing)),
    "multipart": half_then(lambda thing: first(2, multipart(thing), thing)),
    "slice-200": half_then(lambda thing: first(2, slice_as_whole(thing), thing)),
    "unmet": half_then(lambda thing: first(2, status(416, Content_Range="bytes */77"), thing)),
    "changed": half_then(lambda thing: Thing(OTHER)),
    "changed-unsaid": half_then(lambda thing: first(2, Unsaid(Thing(OTHER)), Thing(OTHER))),
    "chunked-206": half_then(chunked),
    "short-206": half_then(lambda thing: first(3, ShortRange(thing), thing)),
    "unasked-206": lambda thing, rest: part(thing, 0, len(thing.data), len(thing.data)),
    "weak": lambda thing, rest: halves(Thing(thing.data, etag=WEAK)),
    "no-validator": lambda thing, rest: halves(Thing(thing.data, etag="", modified=0)),
    "date-only": lambda thing, rest: halves(Thing(thing.data, etag="")),
    "date-fresh": lambda thing, rest: halves(Thing(thing.data, etag="", modified=time.time())),
    "chunked": lambda thing, rest: chunked(thing),
    "chunked-cut": lambda thing, rest: chunked(thing, b""),
    "bad-chunk": lambda thing, rest: chunked(thing, b"zz\r\n"),
    "no-length": lambda thing, rest: no_length(thing),
    "no-length-cut": lambda thing, rest: no_length(thing, 5000),
    "drip": lambda thing, rest: slow(1, 0.05),
    "endless": lambda thing, rest: slow(1 << 20, 0.01),
    "silent": lambda thing, rest: silent,
    "two-lengths": lambda thing, rest: raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
    ),
    "header-flood": lambda thing, rest: raw(FLOOD),
    "http09": lambda thing, rest: raw(thing.data),
    "nul-header": lambda thing, rest: raw(b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nhi"),
    "no-answer": lambda thing, rest: raw(b""),
    "half-head": lambda thing, rest: raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "loop": lambda thing, rest: redirect("/loop"),
    "hop": hop,
    "to-file": lambda thing, rest: redirect("file:///etc/passwd"),
    "to-ftp": lambda thing, rest: redirect("ftp://127.0.0.1/x"),
    "to-private": lambda thing, rest: redirect(f"http://{unquote(rest)}/x"),
    "to-metadata": lambda thing, rest: redirect("http://169.254.169.254/latest/meta-data/"),
    "to-credentials": lambda thing, rest: redirect("http://user:hunter2@127.0.0.1/x"),
    "to-nowhere": lambda thing, rest: redirect("http://[::bad/"),
    "to-plain": lambda thing, rest: on_this_server("/plain"),
    "gzip-labelled": lambda thing, rest: labelled(thing, "gzip", thing.data),
    "gzip-packed": lambda thing, rest: labelled(thing, "gzip", gzip.compress(thing.data, mtime=0)),
    "empty": lambda thing, rest: status(200),
    "interim": lambda thing, rest: raw(
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    ),
}


def halves(thing: Thing) -> Answer:
    return first(1, drop_after(len(thing.data) // 2, thing), thing)


class Ignoring:
    """Gives the whole file whatever range is asked for."""

    def __init__(self, thing: Thing) -> None:
        self._thing = thing

    def __call__(self, exchange: Exchange) -> None:
        exchange.head(200, self._thing.headers | {"Content-Length": len(self._thing.data)})
        exchange.body(self._thing.data)


class WrongTotal(Ignoring):
    """The right bytes of a file that claims to be longer than before."""

    def __call__(self, exchange: Exchange) -> None:
        start, end = exchange.seen.start, len(self._thing.data)
        part(self._thing, start, end, end + 5)(exchange)


class Unsaid(Ignoring):
    """Answers the range with 206 although If-Range names another version."""

    def __call__(self, exchange: Exchange) -> None:
        part(self._thing, exchange.seen.start, len(self._thing.data), len(self._thing.data))(exchange)


class ShortRange(Ignoring):
    """Gives only the next 3,000 bytes of what was asked for, honestly labelled."""

    def __call__(self, exchange: Exchange) -> None:
        start, total = exchange.seen.start, len(self._thing.data)
        part(self._thing, start, min(start + 3000, total), total)(exchange)
