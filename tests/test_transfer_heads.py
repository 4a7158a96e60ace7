"""Heads of answers that no honest server sends: each ends in a word of ours, and never in the whole run."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing
from datafetch.errors import TransferFailed
from datafetch.model import Settings, Why
from datafetch.transfer.addresses import Policy, redirected
from datafetch.transfer.direct import Direct, Got
from datafetch.transfer.engine import Engine, Limits
from datafetch.transfer.environment import Environment
from datafetch.transfer.http import client, open_url
from datafetch.transfer.resume import content_length, strong_validators
from datafetch.transfer.retry import retry_after
from tests.transfers import Bench, sha256

DATA = bytes(range(256)) * 2000
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def raw(head: bytes, body: bytes = DATA) -> Answer:
    """An answer whose head is these very bytes, but for the length."""
    return lambda exchange: exchange.raw(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


STRANGE = [
    b'Content-Disposition: attachment; filename="caf\xe9.zip"',
    b"Content-Type: text/\xff",
    b'ETag: "\xe9"',
    b"Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT\xe9",
    b"Retry-After: \xb2",
    b"Accept-Ranges: \xb2",
    b"X-\xe9: 1",
    b"X-Name: \x80\xc3\xa9",
]


# A header of that kind ended the whole run: httpx was given text, which it takes for ASCII.
@pytest.mark.parametrize("line", STRANGE)
def test_a_header_that_is_no_ascii_does_not_keep_a_file_away(line: bytes, bench: Bench) -> None:
    with FaultServer({"/a": raw(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n")}.get) as server:
        assert bench(f"{server.url}/a").size == len(DATA)
    assert bench.target.read_bytes() == DATA


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 200\xb2 OK",
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
        b"HTTP/1.1 " + b"2" * 5000 + b" OK",
        b"HTTP/1.1 2x0 OK",
        b"HTTP/1.1 000 OK",
        b"HTTP/1.1",
    ],
)
def test_a_status_that_is_no_number_is_a_bad_answer(
    line: bytes, bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    with FaultServer({"/a": raw(line + b"\r\n")}.get) as server:
        failure = bench.fails(f"{server.url}/a")
    assert isinstance(failure, TransferFailed)
    assert failure.why is Why.BAD_ANSWER
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("etag", [b'"\xe9"', b'"a b"'])
def test_a_validator_that_cannot_be_sent_back_is_none(etag: bytes, bench: Bench) -> None:
    def answer(exchange: Exchange) -> None:
        assert "if-range" not in exchange.seen.headers
        head = (
            b"HTTP/1.1 200 OK\r\nETag: " + etag + b"\r\nLast-Modified: Thu, 01 Jan 2015 00:00:00 GMT\xe9\r\n"
        )
        short = exchange.seen.nth == 1
        exchange.raw(head + b"Content-Length: %d\r\n\r\n" % len(DATA) + (DATA[:300_000] if short else DATA))
        if short:
            exchange.drop()

    with FaultServer({"/a": answer}.get) as server:
        bench(f"{server.url}/a", checksums=(sha256(DATA),))
        assert len(server.seen) == 2
    assert bench.target.read_bytes() == DATA


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"/caf\xe9", "/caf%E9"),
        (b"/caf\xc3\xa9", "/caf%C3%A9"),
        (b"/caf%C3%A9", "/caf%C3%A9"),
    ],
)
def test_a_redirect_leads_to_the_very_bytes_that_the_server_named(
    location: bytes, path: str, bench: Bench
) -> None:
    table = {"/a": raw(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n", b""), path: Thing(DATA)}
    with FaultServer(table.get) as server:
        bench(f"{server.url}/a")

        async def directly() -> bytes:
            engine = Engine(Environment.read().trust)
            try:
                direct = Direct(engine, Policy(allow_private=True), Environment.read())
                came: asyncio.Future[Got | TransferFailed] = asyncio.get_running_loop().create_future()
                direct.get(f"{server.url}/a", Limits(body_bytes=1 << 20), came.set_result)
                got = await came
                assert isinstance(got, Got)
                return got.answer.body
            finally:
                await engine.close()

        assert asyncio.run(directly()) == DATA
        assert [seen.path for seen in server.seen] == ["/a", path] * 2


@pytest.mark.parametrize(
    "location", ["http://[x/", "//[", "http://h:pp/x", "http://h:99999999999/", "http://\xe9/"]
)
def test_a_redirect_to_no_address_is_refused_in_our_words(location: str) -> None:
    with pytest.raises(TransferFailed) as caught:
        redirected("http://a.example/", location)
    assert caught.value.why in (Why.BAD_ANSWER, Why.BAD_URL)


@pytest.mark.parametrize("value", ["a\nX-Evil: 1", "a\rb", "“hf”", "a\0b", "\udce9"])
def test_a_header_of_ours_that_is_no_visible_ascii_is_refused_and_not_shown(value: str) -> None:
    async def ask(url: str) -> None:
        async with (
            client(Settings(root="/", allow_private=True)) as http,
            open_url(http, url, secrets=(("Authorization", f"Bearer {value}"),)),
        ):
            pass

    with FaultServer({"/a": Thing(DATA)}.get) as server:
        with pytest.raises(TransferFailed) as caught:
            asyncio.run(ask(f"{server.url}/a"))
        assert not server.seen
    assert "authorization" in str(caught.value).lower()
    assert value not in str(caught.value)


# --- Numbers and dates that servers state, whatever they are -------------------------------------------------


def test_no_text_in_a_header_is_more_than_a_number_or_none() -> None:
    seeded = random.Random(11)
    letters = '0123456789+-:,. \t\xb2\xe9JanFebMonGMTZ()"\\<>@'
    texts = ["9" * 5000, "-" * 65536, "1:" * 30000, "(" * 65536, "," * 65536, "Jan " * 15000]
    texts += [f"1 Jan 2015 00:00:00 {'+' * seeded.randrange(3)}{'9' * n}" for n in (4, 5, 30, 5000)]
    texts += ["".join(seeded.choices(letters, k=seeded.randrange(40))) for _ in range(5000)]
    for text in texts:
        seconds = retry_after(text, NOW)
        assert seconds is None or 0 <= seconds < 1e12, text
        content_length({"content-length": text})
        strong_validators({"last-modified": text, "date": "Thu, 01 Jan 2015 00:00:00 GMT"}, 1)
