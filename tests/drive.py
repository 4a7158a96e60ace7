"""Google Drive as a mirror on loopback keeps it: its redirects, forms, pages and lists, as the true one has them."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing

USER = "drive.usercontent.google.com"
SITE = "drive.google.com"

WARNING = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<p class="uc-warning-subcaption"><span class="uc-name-size"><a href="/open?id={id}">big.zip</a> (1.2G)</span> is too
large for Google to scan for viruses. Would you still like to download this file?</p>
<form id="download-form" action="{action}" method="get"><input type="submit" id="uc-download-link"
class="goog-inline-block jfk-button jfk-button-action" value="Download anyway"/>
<input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a1b2c3&amp;d4">
<input type="hidden" name="at" value="AT:17"></form></body></html>"""
QUOTA = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please try accessing the
file again later. If the file you are trying to access is particularly large or is shared with many people, it may
take up to 24 hours to be able to view or download the file.</p></body></html>"""
NO_ACCESS = (
    "<!DOCTYPE html><html><title>Google Drive: You need access</title><body>You need access</body></html>"
)
ENTRY = """<div class="flip-entry" id="entry-{id}" tabindex="0" role="link"><div class="flip-entry-info">
<a href="https://drive.google.com/{link}/{id}{view}" target="_blank"><div class="flip-entry-visual"><div
class="flip-entry-visual-card"><img src="x.png" alt="Zip"/></div></div>
<div class="flip-entry-title">{name}</div></a></div>
<div class="flip-entry-last-modified"><div>6/26/23</div></div></div>"""


@dataclass
class FakeDrive:
    """Files by id. `warned` ones come behind the form, `pages` are what comes instead."""

    files: dict[str, bytes] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)
    pages: dict[str, str] = field(default_factory=dict)
    logins: set[str] = field(default_factory=set)
    folders: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # id -> (id, name)
    action: str = f"https://{USER}/download"
    serve: dict[str, Answer] = field(default_factory=dict)  # how a file comes, instead of whole

    def find(self, path: str) -> Answer | None:
        return self._answer

    def _answer(self, exchange: Exchange) -> None:
        parts = urlsplit(exchange.seen.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        id = query.get("id", "")
        if id in self.logins:
            where = f"https://accounts.google.com/ServiceLogin?continue={SITE}"
            exchange.send(302, Location=where)
        elif parts.path in (f"/{SITE}/uc", f"/{SITE}/open"):
            exchange.send(303, Location=f"https://{USER}/download?id={id}&export=download")
        elif parts.path == f"/{SITE}/embeddedfolderview" and id in self.folders:
            self._list(exchange, id)
        elif parts.path == f"/{USER}/download" and (id in self.pages or id in self.files):
            self._download(exchange, id, query)
        else:
            page = "<!DOCTYPE html><html><title>Error 404 (Not Found)!!1</title></html>"
            exchange.send(404, page.encode(), Content_Type="text/html; charset=UTF-8")

    def _download(self, exchange: Exchange, id: str, query: dict[str, str]) -> None:
        confirmed = (query.get("confirm"), query.get("uuid"), query.get("at")) == ("t", "a1b2c3&d4", "AT:17")
        if id in self.pages:
            self._page(exchange, self.pages[id])
        elif id in self.warned and not confirmed:
            self._page(exchange, WARNING.format(id=id, action=html.escape(self.action)))
        else:
            thing = Attached(self.files[id], etag="")
            self.serve.get(id, thing)(exchange)

    def _page(self, exchange: Exchange, page: str) -> None:
        exchange.send(200, page.encode(), Content_Type="text/html; charset=utf-8")

    def _list(self, exchange: Exchange, id: str) -> None:
        made = [
            ENTRY.format(
                id=entry,
                name=html.escape(name),
                link="drive/folders" if entry in self.folders else "file/d",
                view="" if entry in self.folders else "/view?usp=drive_web",
            )
            for entry, name in self.folders[id]
        ]
        self._page(exchange, f'<html><body><div class="flip-entries">{"".join(made)}</div></body></html>')


class Attached(Thing):
    """A file as Drive gives it."""

    @property
    def headers(self) -> dict[str, str | int]:
        named = {"Content-Disposition": 'attachment; filename="x"', "Content-Type": "text/html"}
        return {**Thing.headers.fget(self), **named}  # type: ignore[attr-defined]


@contextmanager
def drive() -> Iterator[tuple[FakeDrive, FaultServer]]:
    fake = FakeDrive()
    with FaultServer(fake.find) as running:
        yield fake, running
