"""Rubbish in what providers are read from: variables of the environment, pages of Drive, what S3 says."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from datafetch.demo.server import FaultServer, Thing, redirect, status
from datafetch.errors import TransferFailed, UsageError
from datafetch.model import Why
from datafetch.transfer.addresses import candidates, unmirrored
from datafetch.transfer.pages import page
from datafetch.transfer.providers import buckets
from datafetch.transfer.providers.drive_pages import Unreadable, entries, form
from datafetch.transfer.providers.hub import Hub
from datafetch.transfer.providers.known import providers
from datafetch.transfer.providers.s3 import S3
from tests.drive import drive
from tests.s3 import ALONE, CREDENTIALS, SESSION
from tests.transfers import Bench, sha256

DATA = b"\x01\x02 some bytes \xff" * 5000
ID = "1nGpNS2GPLawMYiNNR8Z9AKlJWfYtmLJh"
FOLDER = "1LR6trJhN4XbgTtqZo1zfe272cAkXqA7e"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# --- The environment ----------------------------------------------------------------------------------------

BAD = ["http://[bad", "http://h:pp", "ftp://h", "nothing", "http://u:p@h", "http://h/?a=b", "http://h\ud800/"]
ENDPOINTS = [
    ("HF_ENDPOINT", "hf://own/set/a"),
    ("AWS_ENDPOINT_URL", "s3://buck/a"),
    ("AWS_ENDPOINT_URL_S3", "s3://buck/a"),
]


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize(("name", "url"), ENDPOINTS)
def test_an_endpoint_that_is_no_address_ends_only_what_needs_it(
    name: str, url: str, text: str, bench: Bench
) -> None:
    known = providers({name: text})
    with FaultServer({"/a": Thing(DATA)}.get) as server:
        bench(f"{server.url}/a", providers=known)
        error = bench.fails(url, providers=known, checksums=(sha256(b"other"),))
        assert len(server.seen) == 1
    assert isinstance(error, UsageError)
    assert str(error).startswith(f"{name}: ")
    assert name in error.hint


def test_a_region_that_is_none_is_named(bench: Bench) -> None:
    error = bench.fails("s3://buck/a", providers=providers({"AWS_REGION": "evil.example/"}))
    assert isinstance(error, UsageError)
    assert "AWS_REGION" in str(error)


@pytest.mark.parametrize("token", ["hf_“abc”", "a\nX-Evil: 1", "a\rb", "hf_\udce9"])
def test_a_token_that_is_no_header_is_never_sent_and_named(token: str, bench: Bench) -> None:
    with FaultServer(lambda path: Thing(DATA)) as server:
        known = providers({"HF_ENDPOINT": server.url, "HF_TOKEN": token})
        error = bench.fails("hf://own/set/a", providers=known)
        assert not server.seen
        bench(f"{server.url}/a", providers=known)
        assert [seen.path for seen in server.seen] == ["/a"]
    assert isinstance(error, UsageError)
    assert "HF_TOKEN" in str(error)
    assert "abc" not in str(error)


@pytest.mark.parametrize("token", ["t“”", "t\nX-Evil: 1"])
def test_a_session_token_that_is_no_header_is_never_sent(
    token: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {**ALONE, **CREDENTIALS, "AWS_SESSION_TOKEN": token}
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    with FaultServer(lambda path: Thing(DATA)) as server:
        error = bench.fails("s3://buck/a", providers=providers({**env, "AWS_ENDPOINT_URL": server.url}))
        assert not server.seen
    assert isinstance(error, TransferFailed)
    assert error.why is Why.REFUSED


@pytest.mark.parametrize(
    "env",
    [
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nope", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x"},
        {"AWS_PROFILE": "absent"},
        {"AWS_PROFILE": "program"},
        {"AWS_PROFILE": "rubbish"},
    ],
)
def test_aws_settings_that_cannot_be_used_are_our_error(
    env: dict[str, str], bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile program]\ncredential_process = /nope/nothing\n[profile rubbish]\ncredential_process = /bin/echo []\n"
    )
    for name, text in {**ALONE, **env, "AWS_CONFIG_FILE": str(config)}.items():
        monkeypatch.setenv(name, text)
    with FaultServer(lambda path: status(403)) as server:
        error = bench.fails("s3://buck/a", providers=providers({**env, "AWS_ENDPOINT_URL": server.url}))
    assert isinstance(error, TransferFailed)
    assert error.why is Why.FORBIDDEN
    assert "the AWS settings cannot be used" in str(error)


@pytest.mark.parametrize("name", ["http_proxy", "NETRC"])
def test_a_proxy_or_login_that_is_no_ascii_ends_no_run(
    name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    logins = tmp_path / "logins"
    logins.write_text("machine 127.0.0.1 login ü password ß“\n", encoding="utf-8")
    with FaultServer({"/a": Thing(DATA)}.get) as server:
        monkeypatch.setenv(name, str(logins) if name == "NETRC" else "http://u:ü“@127.0.0.1:1/")
        if name == "NETRC":
            bench(f"{server.url}/a")
        else:
            assert isinstance(bench.fails(f"{server.url}/a"), TransferFailed)


# --- Secrets of S3 ------------------------------------------------------------------------------------------


def test_an_http_address_of_an_https_endpoint_gets_no_signature(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {**ALONE, **CREDENTIALS, "AWS_SESSION_TOKEN": SESSION}
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    with FaultServer(lambda path: Thing(DATA)) as server:
        https = server.url.replace("http:", "https:")
        bench(f"{server.url}/buck/a", providers=providers({**env, "AWS_ENDPOINT_URL": https}))
        (seen,) = server.seen
    assert not {"authorization", "x-amz-security-token", "x-amz-date"} & set(seen.headers)


def test_what_goes_to_aws_in_clear_is_not_signed() -> None:
    for url, endpoint, may in [
        ("http://bucket.s3.amazonaws.com/k", "", False),
        ("https://bucket.s3.amazonaws.com/k", "", True),
        ("http://h:9/b/k", "http://h:9", True),
        ("http://h/b/k", "http://h:9", False),
    ]:
        assert buckets.may_sign(url, endpoint) is may


@pytest.mark.parametrize(
    "said", ["evil.com/", "evil.com#", "a@evil.com", "..", "us-east-1.evil.com", "x" * 5000, "é"]
)
def test_a_region_that_a_server_makes_up_leads_nowhere(said: str) -> None:
    spot = buckets.spot_of("https://bucket.s3.amazonaws.com/k", "")
    assert spot is not None
    assert buckets.region_said(spot, said) == ""
    assert buckets.region_said(spot, " eu-west-1 ") == "eu-west-1"


def test_a_region_is_taken_only_from_who_was_asked(bench: Bench) -> None:
    made_up = status(400, b"<Error/>", x_amz_bucket_region="eu-west-1")
    with (
        FaultServer(lambda path: made_up) as other,
        FaultServer(lambda path: redirect(f"{other.url}/x")) as server,
    ):
        known = providers({**ALONE, "AWS_ENDPOINT_URL": server.url})
        assert isinstance(bench.fails("s3://buck/a", providers=known), TransferFailed)
        assert len(server.seen) == 2  # a bad answer is asked for twice; a region, once more each time


@pytest.mark.parametrize("size", ["9" * 5000, "9" * 19, "²", "-1", "1_0"])
def test_a_size_of_the_hub_that_is_no_size_is_no_promise(size: str, bench: Bench) -> None:
    with FaultServer(lambda path: lambda exchange: exchange.send(200, DATA, X_Linked_Size=size)) as server:
        bench("hf://own/set/a", providers=providers({"HF_ENDPOINT": server.url}))
    assert bench.target.read_bytes() == DATA


# --- Pages --------------------------------------------------------------------------------------------------

FORM = '<form id="download-form" action="{}"><input name="id" value="x"></form>'
RUBBISH = [
    "<html><![ x",
    "<html><!x",
    "<html><![if x",
    "<a " * 20_000,
    "<a href='" * 20_000,
    "</" * 50_000,
    "<!--" * 50_000,
    "<?" * 50_000,
    "&#" + "9" * 5000 + ";",
    f'<a href="&#{"9" * 5000};">',
    '<a b=""' + " ," * 50_000 + "x>",
    "<script>" + "</s" * 50_000,
    "\0<\0!\0[",
]


@pytest.mark.parametrize("text", RUBBISH, ids=lambda text: text[:12])
def test_no_page_takes_long_or_ends_in_an_error_of_somebody_else(text: str) -> None:
    began = time.process_time()
    for read in (entries, lambda page: form(page, "https://drive.google.com/")):
        with suppress(Unreadable):
            assert not read(text)
    assert time.process_time() - began < 2  # closing the reader took 30 s for the same


@pytest.mark.parametrize(
    "action", ["http://[x/", "http://h:pp/x", "//[", "javascript:x", "file:///x", "http://h:99999/"]
)
def test_a_form_that_leads_to_no_address_is_no_error_of_somebody_else(action: str, bench: Bench) -> None:
    with drive() as (fake, server):
        fake.pages[ID] = FORM.format(action)
        error = bench.fails(
            f"gdrive://{ID}",
            providers=providers({}),
            settings={"mirrors": (server.url,), "mirror_only": True},
        )
        assert len(server.seen) == 1
    assert isinstance(error, TransferFailed)
    assert error.why in (Why.HTML, Why.REFUSED, Why.BAD_URL)


@pytest.mark.parametrize("text", ["<html><![ x", "<html>" + "flip-entry" * 500_000], ids=["broken", "long"])
def test_a_list_that_cannot_be_read_is_no_empty_folder(text: str, bench: Bench) -> None:
    with FaultServer(lambda path: lambda it: it.send(200, text.encode(), Content_Type="text/html")) as server:
        error = bench.fails(
            f"gdrive://folders/{FOLDER}/a.csv",
            providers=providers({}),
            settings={"mirrors": (server.url,), "mirror_only": True},
        )
    assert isinstance(error, TransferFailed)
    assert error.why in (Why.HTML, Why.TOO_LARGE)


# 25 comments took 11 s and each one more twice as long: the loop would have stood still for ever.
@pytest.mark.parametrize("comment", [b"<!---->", b"<!-- -->", b"<!--a--> "])
def test_comments_before_what_is_no_page_cost_no_time(comment: bytes) -> None:
    began = time.process_time()
    assert page(comment * 140, "text/plain", "http://a.example/x", archive=False) is None
    assert page(comment * 20 + b"<html>", "text/plain", "http://a.example/x", archive=False) is not None
    assert time.process_time() - began < 1


@pytest.mark.parametrize("rest", ["[x/a", "h:pp/a", "[", "", "a b/c"])
def test_what_a_mirror_keeps_of_no_address_is_nobodys(rest: str) -> None:
    for _, inner in unmirrored(f"http://mirror.example/{rest}", ("http://mirror.example",)):
        for provider in (Hub(), S3(), *providers({})):
            assert not provider.answers_at(inner)
    assert candidates((f"http://{rest}",), ("http://mirror.example",))
