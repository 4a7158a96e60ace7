"""What the pages of Google Drive say: the form before a large file, refusals, the list of a folder; pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from datafetch.model import Why
from datafetch.transfer.addresses import clean_url

_QUOTA = re.compile(
    r"quota exceeded|too many users have viewed or downloaded this file recently|download quota", re.I
)
_LOGIN = re.compile(
    r"accounts\.google\.com/(?:v3/)?(?:signin|servicelogin)|you need access|request access", re.I
)
_VIRUS = re.compile(r"infected with a virus", re.I)
_CONFIRM = ("id", "export", "authuser", "resourcekey", "confirm", "uuid", "at")  # the fields of that form


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a folder's list."""

    id: str
    name: str
    folder: bool


class Unreadable(Exception):
    """A page that Google Drive did not make."""


def _read(reader: HTMLParser, page: str) -> None:
    """Feeds a page. Never closes the reader: on what is left unfinished it would spend the square of its length."""
    try:
        reader.feed(page)
    except (
        AssertionError,
        ValueError,
    ) as error:  # a declaration without a name, a character's number of a mile
        raise Unreadable(str(error)) from None


def form(page: str, base: str) -> str | None:
    """The clean address that the form `download-form` of a page at `base` asks for; None without such a form.

    Raises Unreadable for a page that is none, TransferFailed when its form leads to what is no address of the web.
    """
    found = _Form()
    _read(found, page)
    if found.action is None:
        return None
    try:
        parts = urlsplit(clean_url(urljoin(base, found.action)))
    except ValueError as error:
        raise Unreadable(str(error)) from None
    fields = dict(parse_qsl(parts.query)) | found.fields
    return parts._replace(query=urlencode({n: v for n, v in fields.items() if n in _CONFIRM})).geturl()


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form" and named.get("id") == "download-form" and self.action is None:
            self.action, self._inside = named.get("action", ""), True
        elif tag == "input" and self._inside and named.get("name"):
            self.fields[named["name"]] = named.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def refusal(page: str) -> tuple[Why, str]:
    """Why a page came instead of a file, with words for it."""
    if _QUOTA.search(page):
        return Why.QUOTA, "Google Drive gives this file to nobody for now: too many have downloaded it lately"
    if _VIRUS.search(page):
        return Why.FORBIDDEN, "Google Drive holds the file back: it says that it is infected with a virus"
    if _LOGIN.search(page):
        return Why.FORBIDDEN, "the file is not shared with everyone: Google Drive asks for a login"
    return Why.HTML, "Google Drive sent a web page instead of the file"


def entries(page: str) -> tuple[Entry, ...]:
    """The files and folders of an embedded folder view, in its order. Raises Unreadable."""
    found = _List()
    _read(found, page)
    return tuple(found.entries)


class _List(HTMLParser):
    """Reads `div.flip-entry#entry-ID`, the link in it, and `div.flip-entry-title`."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self._id = ""
        self._folder = False
        self._title: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        classes = named.get("class", "").split()
        if "flip-entry" in classes:
            self._id, self._folder = named.get("id", "").removeprefix("entry-"), False
        elif tag == "a" and self._id:
            self._folder = "/folders/" in named.get("href", "")
        elif "flip-entry-title" in classes and self._id:
            self._title = []

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self._title.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._title is not None:
            self.entries.append(Entry(self._id, "".join(self._title), self._folder))
            self._title, self._id = None, ""


def named(found: Sequence[Entry], name: str) -> tuple[Entry, ...]:
    """The entries of that name; if none has it exactly, those that differ in blanks or a copy's number."""
    exact = tuple(entry for entry in found if entry.name == name)
    return exact or tuple(entry for entry in found if loose(entry.name) == loose(name))


def loose(name: str) -> str:
    """`name (1).zip ` and `name.zip` are one file: the browser or a person's upload made the difference."""
    plain = unicodedata.normalize("NFC", name).strip()
    return re.sub(r" ?\(\d{1,3}\)(?=(?:\.\w{1,5}){0,2}\Z)", "", plain)
