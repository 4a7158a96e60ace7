"""Providers under their true names: through a proxy to a TLS server that stands for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from datafetch.demo.server import Exchange, Thing, redirect, status
from datafetch.errors import DatafetchError
from datafetch.model import Fetched
from datafetch.transfer.providers.known import providers
from tests.drive import WARNING, Attached
from tests.hub import TOKEN
from tests.internet import internet
from tests.s3 import ALONE, CREDENTIALS
from tests.transfers import Bench

DATA = b"PK\x03\x04" + bytes(range(256)) * 999
ID = "1nGpNS2GPLawMYiNNR8Z9AKlJWfYtmLJh"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


Ask = Callable[..., Fetched]


@pytest.fixture
def ask(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Ask:
    def fetch(env: dict[str, str], url: str, **own: str) -> Fetched:
        for name, value in {**env, **own}.items():
            monkeypatch.setenv(name, value)
        return bench(url, providers=providers(own), settings={"allow_private": False})

    return fetch


def test_the_hub_and_its_store(ask: Ask, bench: Bench) -> None:
    def hub(exchange: Exchange) -> None:
        assert exchange.seen.headers["authorization"] == f"Bearer {TOKEN}"
        digest = hashlib.sha256(DATA).hexdigest()
        where = "https://cas-bridge.xethub.hf.co/xet/1?X-Amz-Signature=abc"
        exchange.send(302, Location=where, X_Linked_Size=len(DATA), X_Linked_ETag=f'"{digest}"')

    hosts = {"huggingface.co": hub, "cas-bridge.xethub.hf.co": Thing(DATA)}
    with internet(hosts, bench.folder) as (server, env):
        ask(env, "hf://datasets/own/set/data.zip", HF_TOKEN=TOKEN)
        assert [seen.path for seen in server.seen] == [
            "/datasets/own/set/resolve/main/data.zip",
            "/xet/1?X-Amz-Signature=abc",
        ]
        assert "authorization" not in server.seen[1].headers
    assert bench.target.read_bytes() == DATA


@pytest.mark.parametrize("credentials", [{}, CREDENTIALS], ids=["anonymous", "signed"])
@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/a/b.zip",
        "https://bucket.s3.amazonaws.com/a/b.zip",
        "https://s3.amazonaws.com/bucket/a/b.zip",
    ],
)
def test_a_bucket_is_followed_to_its_region(
    url: str, credentials: dict[str, str], ask: Ask, bench: Bench
) -> None:
    body = b"<Error><Code>PermanentRedirect</Code></Error>"
    moved = status(301, body, x_amz_bucket_region="eu-west-1", Content_Type="application/xml")
    asked = url.split("/")[2] if url.startswith("https") else "bucket.s3.us-east-1.amazonaws.com"
    hosts = {asked: moved, "bucket.s3.eu-west-1.amazonaws.com": Thing(DATA)}
    with internet(hosts, bench.folder) as (server, env):
        ask(env, url, **ALONE, **credentials)
        first, second = server.seen
        assert second.path == "/a/b.zip"
        for seen, region in ((first, "us-east-1"), (second, "eu-west-1")):
            signed = seen.headers.get("authorization", "")
            assert (f"/{region}/s3/aws4_request" in signed) == bool(credentials)
    assert bench.target.read_bytes() == DATA


@pytest.mark.parametrize(
    "url",
    [
        f"gdrive://{ID}",
        f"https://drive.google.com/file/d/{ID}/view?usp=sharing",
        f"https://drive.google.com/uc?id={ID}&export=download",
    ],
)
def test_drive_with_its_form(url: str, ask: Ask, bench: Bench) -> None:
    def files(exchange: Exchange) -> None:
        page = WARNING.format(id=ID, action="https://drive.usercontent.google.com/download").encode()
        confirmed = "confirm=t" in exchange.seen.path
        warn = status(200, page, Content_Type="text/html; charset=utf-8")
        (Attached(DATA, etag="") if confirmed else warn)(exchange)

    site = redirect(f"https://drive.usercontent.google.com/download?id={ID}&export=download", 303)
    hosts = {"drive.google.com": site, "drive.usercontent.google.com": files}
    with internet(hosts, bench.folder) as (_, env):
        ask(env, url)
    assert bench.target.read_bytes() == DATA


def test_a_form_of_drive_is_never_followed_to_another_host(ask: Ask, bench: Bench) -> None:
    page = WARNING.format(id=ID, action="https://evil.example.org/download").encode()
    files = status(200, page, Content_Type="text/html; charset=utf-8")
    hosts = {"drive.usercontent.google.com": files, "evil.example.org": Thing(DATA)}
    with internet(hosts, bench.folder) as (server, env):
        with pytest.raises(DatafetchError, match="somebody else"):
            ask(env, f"gdrive://{ID}")
        assert len(server.seen) == 1
    assert not bench.target.exists()
