"""The schemes of addresses beside http and https, as a recipe writes them: hf, s3 and gdrive; pure.

    hf://datasets/owner/name@revision/path     a file of a data set at that revision (main when left out)
    hf://spaces/owner/name@revision/path       the same of a space; without a first word, of a model
    s3://bucket/key                            an object; ?versionId=… names a version of it
    gdrive://ID                                a file that anyone with its link may read
    gdrive://folders/ID/name                   the file of that name in such a folder, or in folders below it

All parts are percent-encoded as in every address; a revision that holds a slash is written with %2F.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

SCHEMES = ("hf", "s3", "gdrive")

_HUB = re.compile(
    r"hf://(?:(?P<kind>datasets|spaces)/)?(?P<owner>(?!(?:datasets|spaces|models)/)[\w.-]{1,96})/(?P<name>[\w.-]{1,96})"
    r"(?:@(?P<revision>refs/convert/[\w.-]+|refs/pr/\d+|[^/@?]+))?/(?P<path>[^?]+)",
    re.ASCII,
)
_S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>[^?]+)(?:\?(?P<query>.*))?")
_FILE_ID = r"(?!folders\b)[A-Za-z0-9_-]{5,200}"
_DRIVE = re.compile(rf"gdrive://(?P<id>{_FILE_ID})")
_FOLDER = re.compile(rf"gdrive://folders/(?P<id>{_FILE_ID})/(?P<path>[^?]+)")
_FORMS = {
    "hf": "hf://datasets/owner/name@revision/path",
    "s3": "s3://bucket/key",
    "gdrive": "gdrive://ID or gdrive://folders/ID/name",
}


@dataclass(frozen=True, slots=True)
class HubFile:
    kind: str  # datasets, spaces, or empty for a model
    repository: str  # owner/name
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Object:
    bucket: str
    key: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class DriveFile:
    id: str


@dataclass(frozen=True, slots=True)
class DriveEntry:
    folder: str  # its id
    path: tuple[str, ...]  # names of folders below it, then of the file


Address = HubFile | Object | DriveFile | DriveEntry


def scheme_of(url: str) -> str:
    """The lower-case scheme of an address; empty without one."""
    head, colon, _ = url.partition(":")
    return head.lower() if colon else ""


def read(url: str) -> Address | None:
    """What an address of one of these schemes names; None for any other. Raises ValueError when malformed."""
    scheme = scheme_of(url)
    if scheme not in SCHEMES:
        return None
    found = _read(url)
    if found is None:
        raise ValueError(f"expected {_FORMS[scheme]}")
    return found


def _read(url: str) -> Address | None:
    if match := _HUB.fullmatch(url):
        revision = unquote(match["revision"] or "main")
        path = unquote(match["path"])
        whole = _plain(path) and _plain(revision) and _plain(match["owner"]) and _plain(match["name"])
        repository = f"{match['owner']}/{match['name']}"
        return HubFile(match["kind"] or "", repository, revision, path) if whole else None
    if match := _S3.fullmatch(url):
        key, query = unquote(match["key"]), parse_qs(match["query"] or "", keep_blank_values=True)
        version = query.pop("versionId", [""])[0]
        dots = {".", ".."} & set(key.split("/"))  # a client on the way would take them away
        return None if query or dots or ".." in match["bucket"] else Object(match["bucket"], key, version)
    if match := _FOLDER.fullmatch(url):
        path = unquote(match["path"])
        return DriveEntry(match["id"], tuple(path.split("/"))) if _plain(path) else None
    match = _DRIVE.fullmatch(url)
    return DriveFile(match["id"]) if match else None


def _plain(path: str) -> bool:
    return not {"", ".", ".."} & set(path.split("/"))


def file_name(url: str) -> str:
    """The file name that any address ends in, as a person sees it; empty where a file has only an id."""
    if (scheme_of(url) == "gdrive" and isinstance(read(url), DriveFile)) or drive_link(url):
        return ""
    return unquote(url.partition("?")[0].rpartition("/")[2])


DRIVE_HOSTS = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")


def drive_link(url: str) -> DriveFile | None:
    """The file that a link to Google Drive is about, in any of its usual forms; None for what is none."""
    parts = urlsplit(url)
    if parts.hostname not in DRIVE_HOSTS:
        return None
    in_path = re.match(rf"/file/(?:u/\d+/)?d/({_FILE_ID})(?:/|\Z)", parts.path)
    if in_path:
        return DriveFile(in_path[1])
    found = parse_qs(parts.query).get("id", [""])[0]
    named = re.fullmatch(_FILE_ID, found) and parts.path in ("/uc", "/open", "/download")
    return DriveFile(found) if named else None
