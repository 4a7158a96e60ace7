"""Google Drive: files by their id, by their link, or by their name in a folder that everyone may read.

A file that Google cannot scan for viruses comes behind a form, which is filled in once, and to Google Drive
only. No account, no cookie: what is not shared with everyone has to be brought by a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.schemes import DRIVE_HOSTS, DriveEntry, DriveFile, drive_link
from datafetch.transfer.addresses import host_of, origin, unmirrored
from datafetch.transfer.asking import Asking, Headers
from datafetch.transfer.failures import failed
from datafetch.transfer.http import Answer
from datafetch.transfer.providers.address import parsed
from datafetch.transfer.providers.drive_pages import Entry, Unreadable, entries, form, named, refusal
from datafetch.transfer.retry import why_of_status

_DOWNLOAD = "https://drive.usercontent.google.com/download"
_FOLDER = "https://drive.google.com/embeddedfolderview"
_PAGE = 1 << 20  # bytes of a page that are read
_LIST = 4 << 20  # … and of a folder's list, at a KiB for each file
_SHOWN = 5  # names of a folder that an error lists


def _download(id: str) -> str:
    return f"{_DOWNLOAD}?{urlencode({'id': id, 'export': 'download'})}"


@dataclass(slots=True)
class Drive:
    _confirmed: dict[str, str] = field(default_factory=dict)  # where a file is asked for -> behind its form
    _lists: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def address(self, url: str) -> str | None:
        match parsed(url):
            case DriveFile(id=id):
                return _download(id)
            case DriveEntry(folder=folder, path=path):
                return f"{_FOLDER}?{urlencode({'id': folder, 'name': '/'.join(path)})}"
            case _:
                return None

    def answers_at(self, url: str) -> bool:
        return drive_link(url) is not None or _entry(url) is not None

    @asynccontextmanager
    async def open(self, asking: Asking, url: str, headers: Headers) -> AsyncIterator[Answer]:
        plain = await self._file(asking, url)
        target = self._confirmed.get(asking.at(plain), plain)
        for last in (False, True):
            async with asking.open(target, headers, follow=_following(asking)) as answer:
                if not _is_page(answer):
                    if target != plain:
                        self._confirmed[asking.at(plain)] = target
                    yield answer
                    return
                page = (await answer.start(_PAGE))[:_PAGE].decode("utf-8", "replace")
                behind = await _behind(page, _own(asking, answer.url))
                if behind is None or last:
                    raise await asyncio.to_thread(_refused, asking.at(target), answer, page)
                if not _is_drive(asking, behind):
                    text = "a form of Google Drive leads to somebody else"
                    raise failed(Why.REFUSED, asking.at(target), text)
            target = behind

    async def _file(self, asking: Asking, url: str) -> str:
        """Where the file that an address names is downloaded; a mirror is asked for a link as it is written."""
        entry = _entry(url)
        if entry is not None:
            return await self._in_folder(asking, entry)
        link = drive_link(url)
        page = urlsplit(url).path not in ("/uc", "/download")
        return _download(link.id) if link and page and not asking.mirror else url

    async def _in_folder(self, asking: Asking, entry: DriveEntry) -> str:
        """The file of a name, looked for from folder to folder. Raises TransferFailed when it is not one file."""
        id = entry.folder
        for number, name in enumerate(entry.path, 1):
            listed = await self._list(asking, id)
            folder = number < len(entry.path)
            found = named([one for one in listed if one.folder == folder], name)
            if len(found) != 1:
                raise _not_one(asking.at(f"{_FOLDER}?id={id}"), name, listed, len(found), folder)
            id = found[0].id
        return _download(id)

    async def _list(self, asking: Asking, folder: str) -> tuple[Entry, ...]:
        """What a folder holds, asked for once a run."""
        url = f"{_FOLDER}?id={folder}"
        at = asking.at(url)
        async with self._reading:
            if at not in self._lists:
                async with asking.open(url, follow=_following(asking)) as answer:
                    page = (await answer.start(_LIST))[:_LIST].decode("utf-8", "replace")
                if answer.status != 200:
                    raise failed(why_of_status(answer.status), at, f"the folder answered {answer.status}")
                self._lists[at] = await asyncio.to_thread(_listed, page, at)
            return self._lists[at]


async def _behind(page: str, base: str) -> str | None:
    """Where the form of a page leads, found beside the loop; None for a page without one, readable or not."""
    try:
        return await asyncio.to_thread(form, page, base)
    except Unreadable:
        return None


def _listed(page: str, url: str) -> tuple[Entry, ...]:
    """What the list of a folder holds. Raises TransferFailed for another page, and for a longer one than is read."""
    if len(page) >= _LIST:
        raise failed(Why.TOO_LARGE, url, "the list of the folder is longer than any that is read")
    try:
        found = entries(page)
    except Unreadable:
        raise failed(Why.HTML, url, "the list of the folder cannot be read") from None
    if not found and "flip-" not in page:
        why, text = refusal(page)
        raise failed(why, url, text.replace("the file", "the folder"))
    return found


def _entry(url: str) -> DriveEntry | None:
    """What an address made by `Drive.address` of a name in a folder stands for."""
    if url.partition("?")[0] != _FOLDER:
        return None
    query = parse_qs(urlsplit(url).query)
    if "id" not in query or "name" not in query:
        return None
    return DriveEntry(query["id"][0], tuple(query["name"][0].split("/")))


def _own(asking: Asking, url: str) -> str:
    """The address of Google that one below the mirror stands for; any other as it is."""
    inner = unmirrored(url, (asking.mirror,) if asking.mirror else ())[0][1]
    return inner if host_of(inner).endswith((".google.com", ".googleusercontent.com")) else url


def _is_drive(asking: Asking, url: str) -> bool:
    """Whether an address is Google Drive's, or the mirror's that stands for it."""
    own = _own(asking, url)
    if asking.mirror and origin(own) == origin(asking.mirror):
        return True
    return own.startswith("https://") and host_of(own) in DRIVE_HOSTS


def _following(asking: Asking) -> Callable[[Answer, str], str]:
    """Redirects to Google's files are followed, through the mirror if there is one; those to a login are not."""

    def follow(answer: Answer, target: str) -> str:
        own = _own(asking, target)
        host = host_of(own)
        if host == "accounts.google.com":
            text = "the file is not shared with everyone: Google Drive asks for a login"
            raise failed(Why.FORBIDDEN, answer.url, text, hint=_BRING)
        if host.endswith(".google.com") and urlsplit(own).path.startswith("/sorry"):
            text = "Google takes this network for a robot and asks for a person"
            raise failed(Why.FORBIDDEN, answer.url, text, hint=_BRING)
        theirs = host in DRIVE_HOSTS or host.endswith(".googleusercontent.com")
        return asking.at(own) if theirs else target

    return follow


def _is_page(answer: Answer) -> bool:
    """Whether Google speaks to a person: a file comes as an attachment, whatever its type."""
    if answer.status not in (200, 401, 403, 429):
        return False
    kind = answer.headers.get("content-type", "").lower()
    saved = answer.headers.get("content-disposition", "").lower().startswith("attachment")
    return kind.startswith("text/html") and not saved


def _refused(url: str, answer: Answer, page: str) -> TransferFailed:
    why, text = refusal(page)
    if why is Why.HTML and answer.status != 200:
        why, text = why_of_status(answer.status), f"Google Drive answered {answer.status}"
    hint = _BRING if why is Why.FORBIDDEN else ""
    if why is Why.QUOTA:
        when = datetime.now(UTC) + timedelta(hours=24)
        hint = f"try again in 24 hours, after {when:%Y-%m-%d %H:%M} UTC, or {_BRING}"
    return failed(why, url, text, hint=hint)


def _not_one(url: str, name: str, listed: tuple[Entry, ...], hits: int, folder: bool) -> TransferFailed:
    kind = "folder" if folder else "file"
    if hits:
        text = f'the folder holds {hits} {kind}s of the name "{name}": name one as gdrive://ID'
        return failed(Why.BAD_URL, url, text)
    names = ["".join(c if c.isprintable() else "?" for c in entry.name)[:80] for entry in listed[:_SHOWN]]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    holds = f"it holds {', '.join(names)}{more}" if names else "it is empty"
    return failed(Why.GONE, url, f'the folder has no {kind} "{name}"; {holds}')


_BRING = (
    "open the link in a browser that is logged in, download it, and bring it with --from DIR"
    " (by id: named as its artifact)"
)
