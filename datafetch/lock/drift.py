"""What a lock file says of a file, held against what upstream says of it now: one line for a person; pure."""

from __future__ import annotations

from typing import Protocol

from datafetch.errors import DatafetchError, Drifted, TransferFailed
from datafetch.lock.document import LockedArtifact, LockedFile
from datafetch.model import Why

# After these a file is not there as it was; whatever else failed says nothing of that.
DRIFTS = frozenset((Why.CHECKSUM, Why.CHANGED, Why.GONE, Why.HTML, Why.TOO_LARGE))
_DAMAGED, _PERSON = 5, 7


class Told(Protocol):
    """What an address says of its file now."""

    @property
    def status(self) -> int: ...
    @property
    def size(self) -> int | None: ...
    @property
    def etag(self) -> str: ...
    @property
    def last_modified(self) -> str: ...
    @property
    def moved(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def fault(self) -> str: ...


def drifted(locked: LockedArtifact, error: TransferFailed, now: Told) -> DatafetchError:
    """The failure told as drift. Where the validators are those of the lock the bytes came damaged, and a later run may
    have them whole: exit code 5.
    """
    file = _shard(locked, error) or locked.file
    if error.why is Why.CHECKSUM and _is_same(file, now):
        return Drifted(
            f"{locked.name}: {error}; upstream says that it is still the locked file",
            "try again later",
            _DAMAGED,
        )
    parts = [
        f"drift: {file.name or locked.name}: locked {_locked(file)}",
        f"now {_now(now)}",
        since(file, now),
    ]
    hint = (
        "nothing was put in its place; a mirror may still have the locked file (--mirror URL), or get what is there now"
        " into another folder without --frozen, and lock that"
    )
    code = _PERSON if error.why is Why.HTML else 4
    return Drifted(f"{'; '.join(part for part in parts if part)} ({error})", hint, code)


def since(file: LockedFile, now: Told) -> str:
    """Since when, as far as anybody says."""
    then = (
        f"after {file.last_modified}"
        if file.last_modified
        else f"after it was seen on {file.seen}"
        if file.seen
        else ""
    )
    if now.last_modified and now.last_modified != file.last_modified:
        return f"changed on {now.last_modified}"
    if now.last_modified:
        return "changed without a new date"
    return f"since some day {then}" if then else ""


def _shard(locked: LockedArtifact, error: TransferFailed) -> LockedFile | None:
    if not locked.shard:
        return None
    path = error.url.partition("://")[2].partition("?")[0]
    return next(
        (
            one
            for one in locked.shard
            if path and path.endswith(one.url.partition("://")[2].partition("?")[0])
        ),
        None,
    )


def _is_same(file: LockedFile, now: Told) -> bool:
    told = [(file.etag, now.etag), (file.last_modified, now.last_modified)]
    both = [(then, is_) for then, is_ in told if then and is_]
    return bool(both) and all(then == is_ for then, is_ in both) and now.size in (None, file.size)


def _locked(file: LockedFile) -> str:
    size = "" if file.size is None else f"{file.size:,} bytes, "
    modified = f", modified {file.last_modified}" if file.last_modified else ""
    return f"{size}sha256 {file.sha256[:12]}…{modified}" if file.sha256 else f"{size}its files{modified}"


def _now(now: Told) -> str:
    if now.fault:
        return f"no answer: {now.fault}"
    said = []
    if now.status >= 400:
        said.append(f"the server answers {now.status}")
    elif now.size is not None:
        said.append(f"{now.size:,} bytes")
    if now.kind.startswith("text/html"):
        said.append("a page, text/html")
    if now.etag:
        said.append(f"ETag {now.etag}")
    if now.moved:
        said.append(f"redirected to {now.moved}")
    return ", ".join(said) or "nothing is known of it"
