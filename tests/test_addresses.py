"""Which addresses may be dialled, and how they are shown."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.transfer.addresses import (
    Policy,
    candidates,
    clean_url,
    is_public,
    literal,
    origin,
    redirected,
    safe_url,
    shown_host,
)

CLOSED = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
]
OPEN = [
    "8.8.8.8",
    "1.1.1.1",
    "128.30.2.155",
    "172.32.0.1",
    "2606:4700::1111",
    "2a00:1450::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", [*CLOSED, "", "localhost", "256.1.1.1", "1.2.3"])
def test_private_reserved_and_unreadable_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_nothing_that_python_calls_private_is_public(ip: ipaddress.IPv4Address) -> None:
    if ip.is_private or ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local:
        assert not is_public(str(ip))
    assert (
        is_public(str(ip))
        == is_public(f"::ffff:{ip}")
        == is_public(str(ipaddress.IPv6Address(0x64FF9B << 96 | int(ip))))
    )


@pytest.mark.parametrize(
    ("host", "found"),
    {
        "127.1": "127.0.0.1",
        "2130706433": "127.0.0.1",
        "0x7f.0.0.1": "127.0.0.1",
        "0x7F000001": "127.0.0.1",
        "017700000001": "127.0.0.1",
        "0251.0376.0251.0376": "169.254.169.254",
        "127.0.0.1.": "127.0.0.1",
        "localhost": "127.0.0.1",
        "a.localhost.": "127.0.0.1",
        "[::1]": "::1",
        "[fe80::1%25eth0]": "fe80::1",
        "8.8.8.8": "8.8.8.8",
        "example.org": None,
        "dead.beef": None,
        "cafe": None,
        "1.2.3.4.example": None,
    }.items(),
)
def test_every_spelling_of_an_address_is_read(host: str, found: str | None) -> None:
    assert literal(host) == found


@pytest.mark.parametrize(
    ("url", "clean"),
    {
        "HTTP://Example.ORG": "http://example.org/",
        "https://example.org/a b?c d#e": "https://example.org/a%20b?c%20d",
        "https://example.org/a%20b%2Fc": "https://example.org/a%20b%2Fc",
        "https://bücher.example/ä": "https://xn--bcher-kva.example/%C3%A4",
        "http://１２７.0.0.1/": "http://127.0.0.1/",
        "http://[::1]:80/x": "http://[::1]:80/x",
        "http://0177.1:80/x": "http://127.0.0.1:80/x",
        "http://0xa9fea9fe./x": "http://169.254.169.254/x",
        "http://cafe/x": "http://cafe/x",
        "https://h/?a=1;b=[2]": "https://h/?a=1;b=%5B2%5D",
    }.items(),
)
def test_a_url_is_cleaned(url: str, clean: str) -> None:
    assert clean_url(url) == clean
    assert clean_url(clean) == clean


@pytest.mark.parametrize(
    ("url", "why"),
    {
        "file:///etc/passwd": Why.REFUSED,
        "ftp://h/x": Why.REFUSED,
        "gopher://h/": Why.REFUSED,
        "//h/x": Why.REFUSED,
        "example.org/x": Why.REFUSED,
        "http://user:hunter2@h/": Why.REFUSED,
        "http://": Why.BAD_URL,
        "http:///x": Why.BAD_URL,
        "http://h:99999/": Why.BAD_URL,
        "http://h:x/": Why.BAD_URL,
        "http://h\\@evil/": Why.BAD_URL,
        "http://h/\r\nX: y": Why.BAD_URL,
        "http://h/\0": Why.BAD_URL,
        "http://%31%32%37.0.0.1/": Why.BAD_URL,
        "http://[::1/": Why.BAD_URL,
        "http://a b/": Why.BAD_URL,
    }.items(),
)
def test_a_url_that_is_none_is_refused_without_showing_secrets(url: str, why: Why) -> None:
    with pytest.raises(TransferFailed) as caught:
        clean_url(url)
    assert caught.value.why is why
    assert "hunter2" not in f"{caught.value} {caught.value.url} {caught.value.hint}"


@given(st.text())
def test_cleaning_raises_nothing_else_and_is_idempotent(text: str) -> None:
    for url in (text, f"http://{text}", f"http://h/{text}"):
        safe_url(url), shown_host(url)
        try:
            clean = clean_url(url)
        except TransferFailed:
            continue
        assert clean.isascii()
        assert clean_url(clean) == clean


@pytest.mark.parametrize(
    ("url", "shown"),
    {
        "https://u:p@h/x#f": "https://h/x",
        "https://h/x?a=1&token=t&b=2": "https://h/x?a=1&token=***&b=2",
        "https://h/x?X-Amz-Signature=s&X-Amz-Credential=c": "https://h/x?X-Amz-Signature=***&X-Amz-Credential=***",
        "https://h/x?design=1&author=2": "https://h/x?design=1&author=2",
        "https://h/a@b": "https://h/a@b",
        "nonsense": "nonsense",
    }.items(),
)
def test_secrets_are_not_shown(url: str, shown: str) -> None:
    assert safe_url(url) == shown


# A list in JSON may spell such an address; it ended the run.
@pytest.mark.parametrize("url", ["http://a.example/\ud800", "http://a.example/x?\udce9", "http://\ud800/"])
def test_an_address_with_half_a_character_is_none(url: str) -> None:
    with pytest.raises(TransferFailed) as caught:
        clean_url(url)
    assert caught.value.why is Why.BAD_URL
    caught.value.url.encode()


def test_redirects_never_lose_tls_nor_leave_http() -> None:
    assert redirected("https://a/b/c", "../d") == "https://a/d"
    assert redirected("http://a/", "https://b/") == "https://b/"
    for url, location in {"https://a/": "http://a/", "http://a/": "file:///etc/passwd"}.items():
        with pytest.raises(TransferFailed) as caught:
            redirected(url, location)
        assert caught.value.why is Why.REFUSED


def test_mirrors_come_first_for_every_address() -> None:
    urls = ("https://a/x?y=1#z", "https://b:81/x")
    mirrors = ("http://m/base/", "http://n")
    assert candidates(urls, mirrors) == (
        "http://m/base/a/x?y=1",
        "http://n/a/x?y=1",
        "https://a/x?y=1#z",
        "http://m/base/b:81/x",
        "http://n/b:81/x",
        "https://b:81/x",
    )
    assert candidates(urls, mirrors, mirror_only=True) == (
        "http://m/base/a/x?y=1",
        "http://n/a/x?y=1",
        "http://m/base/b:81/x",
        "http://n/b:81/x",
    )
    assert candidates(("https://a/",), ()) == ("https://a/",)


def test_a_permission_is_for_one_origin() -> None:
    policy = Policy.of(("http://127.0.0.1:8080/base",), allow_private=False)
    assert policy.permits_private("http://127.0.0.1:8080/other")
    for url in (
        "http://127.0.0.1/",
        "https://127.0.0.1:8080/",
        "http://127.0.0.2:8080/",
        "http://localhost:8080/",
    ):
        assert not policy.permits_private(url)
    assert Policy(allow_private=True).permits_private("http://10.0.0.1/")
    assert origin("https://H/x") == origin("https://h:443/")
