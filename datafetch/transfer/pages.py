"""Tells a page from the file that was asked for: logins, quota notices and errors sent with 200; pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from datafetch.model import Why

SNIFF = 1024  # bytes of the body that are looked at

_PAGE = re.compile(
    # Nothing that was passed is looked at again: there are 2^n ways to read n comments.
    rb"\s*+(?>(?><!--.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body|title|script|meta)\b",
    re.I | re.S,
)
_ERROR_XML = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<(?:Error|ServiceException|AccessDenied)[\s>]", re.I)
_ERROR_JSON = re.compile(rb'\s*\{\s*"(?:error|errors|message|detail|code)"\s*:', re.I)
_QUOTA = re.compile(
    rb"quota|too many users|download limit|bandwidth limit|limit exceeded|bandwidth exceeded", re.I
)
_PAGE_TYPES = ("text/html", "application/xhtml")
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/problem+")
_MAGIC = (b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd", b"PAR1")


def page(first: bytes, content_type: str, url: str, archive: bool) -> tuple[Why, str] | None:
    """Why the body that begins with `first` is not the file, with words for it; None when it may be.

    A page is right only where its name says so; where an archive is expected no text is.
    """
    kind = content_type.partition(";")[0].strip().lower()
    name = urlsplit(url).path.lower()
    start = first[:SNIFF].removeprefix(b"\xef\xbb\xbf")
    if start.startswith(_MAGIC) or start[257:262] == b"ustar":
        return None
    looks = _PAGE.match(start) is not None
    if not archive and name.endswith((".html", ".htm", ".xhtml")):
        return None
    if looks or (kind.startswith(_PAGE_TYPES) and (archive or start.lstrip().startswith(b"<"))):
        if _QUOTA.search(start):
            return Why.QUOTA, "the server sent a page about a quota instead of the file"
        return Why.HTML, "the server sent a web page instead of the file"
    if _ERROR_XML.match(start) and (archive or not name.endswith(".xml")):
        return Why.HTML, "the server sent an error document instead of the file"
    if archive and kind.startswith(_TEXT_TYPES) and (_ERROR_JSON.match(start) or kind != "text/plain"):
        return Why.HTML, f"the server sent {kind} instead of an archive"
    return None


def squeezed(first: bytes, encoding: str, url: str) -> bool:
    """True when the body was compressed for the wire, unasked, and its name does not say so."""
    named = urlsplit(url).path.lower().endswith((".gz", ".tgz", ".bz2", ".xz", ".zst", ".br", ".z"))
    coding = encoding.strip().lower()
    if coding in ("", "identity") or named:
        return False
    # A label alone is a misconfigured server; with `gzip` the bytes tell.
    return first.startswith(b"\x1f\x8b") if coding in ("gzip", "x-gzip") else True
