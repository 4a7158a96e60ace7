"""A page is told from the file by its first bytes, its label and the name that was asked for."""

from __future__ import annotations

import pytest

from datafetch.model import Why
from datafetch.transfer.pages import page, squeezed

HTML = b"<!DOCTYPE html><html><title>Sign in</title>"
S3 = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>'


@pytest.mark.parametrize(
    ("first", "kind", "name", "archive", "why"),
    [
        (b"PK\x03\x04", "text/html", "a.zip", True, None),
        (b"\x1f\x8b\x08", "text/plain", "a.tar.gz", True, None),
        (b"name".ljust(257, b"\0") + b"ustar", "text/html", "a.tar", True, None),
        (b"PAR1\x15\x04", "text/plain; charset=utf-8", "a.parquet", True, None),
        (b"\x00\x01", "application/octet-stream", "a.bin", True, None),
        (HTML, "text/html", "a.zip", True, Why.HTML),
        (HTML, "application/zip", "a.zip", True, Why.HTML),
        (b"\xef\xbb\xbf\r\n<!-- c --><HTML>", "", "a.json", False, Why.HTML),
        (HTML, "text/html", "index.html", False, None),
        (HTML, "text/html", "index.html", True, Why.HTML),
        (b"<div>sign in", "text/html; charset=utf-8", "a.json", False, Why.HTML),
        (b'{"a": 1}', "text/html", "a.json", False, None),
        (b'{"a": 1}', "application/json", "a.json", False, None),
        (b'{"error": "no"}', "application/json", "a.zip", True, Why.HTML),
        (b'{"error": "no"}', "text/plain", "a.zip", True, Why.HTML),
        (b"plain words", "text/plain", "a.zip", True, None),
        (S3, "application/xml", "a.zip", True, Why.HTML),
        (S3, "binary/octet-stream", "a.json", False, Why.HTML),
        (S3, "application/xml", "a.xml", False, None),
        (b"<html>Quota exceeded", "text/html", "a.zip", True, Why.QUOTA),
        (b"<html>Too many users have viewed", "text/html", "a.zip", True, Why.QUOTA),
        (b"", "text/html", "a.zip", False, None),
    ],
)
def test_pages(first: bytes, kind: str, name: str, archive: bool, why: Why | None) -> None:
    found = page(first, kind, f"https://h/d/{name}?x=y.html", archive)
    assert (found[0] if found else None) is why


@pytest.mark.parametrize(
    ("first", "encoding", "name", "packed"),
    [
        (b"\x1f\x8b", "gzip", "a.json", True),
        (b"{}", "gzip", "a.json", False),
        (b"\x1f\x8b", "gzip", "a.tar.gz", False),
        (b"\x1f\x8b", "", "a.json", False),
        (b"{}", "identity", "a.json", False),
        (b"??", "br", "a.json", True),
    ],
)
def test_only_what_was_packed_for_the_wire_counts_as_packed(
    first: bytes, encoding: str, name: str, packed: bool
) -> None:
    assert squeezed(first, encoding, f"https://h/{name}") is packed
