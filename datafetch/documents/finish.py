"""Documents written anew in the staging folder, to fit the files that they are about to stand beside.

A maker given its own document makes the same once more, so this may be cut off anywhere and done again; once the
document has left the staging folder, it was made.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from datafetch.annotate import MAKERS
from datafetch.errors import BadList
from datafetch.layout import manifest
from datafetch.layout.seals import seal, staged_paths, staged_records
from datafetch.model import Event, FileRecord, Finish
from datafetch.store.faults import user_errors
from datafetch.store.files import atomic_file
from datafetch.store.home import Home


def finish(
    home: Home, wanted: Iterable[Finish], folder: str, slugs: Sequence[str], emit: Callable[[Event], None]
) -> None:
    """Make each document whose source is among the staged artifacts `slugs` of this folder, and seal it anew.

    Raises BadList for a source that is no such document.
    """
    for each in (one for one in wanted if not one.list and not one.sources):
        path = f"{folder}/{each.to}"
        for slug in slugs:
            file = home.state / "staging" / slug / path
            if path in staged_paths(home.state, slug) and file.is_file():
                _make(home, each, folder, slug, slugs, file, emit)


def _make(
    home: Home,
    wanted: Finish,
    folder: str,
    slug: str,
    slugs: Sequence[str],
    file: Path,
    emit: Callable[[Event], None],
) -> None:
    with user_errors(file), open(file, "rb") as source:
        # Mapped, and each record decoded by itself: the whole as objects would take gigabytes.
        data = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) if file.stat().st_size else b""
        try:
            records = msgspec.json.decode(data, type=list[msgspec.Raw])
            made = MAKERS[wanted.make](records, beside(home, folder, slugs))
            size, sha256 = write_document(file, made.records)
        except BadList as error:
            raise BadList(f"{wanted.to}: {error}", error.hint) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadList(f"{wanted.to}: expected a JSON list of records: {error}") from error
    seal(home.state, slug, _changed(staged_records(home.state, slug), f"{folder}/{wanted.to}", size, sha256))
    told = "; ".join((f"{made.count:,} records", *made.notes))
    if made.notes:
        emit(Event("note", folder, text=f"{folder}/{wanted.to}: {told}"))


def beside(home: Home, folder: str, slugs: Sequence[str]) -> frozenset[str]:
    """The paths, relative to the folder, of all that stands in it or is about to."""
    below = f"{folder}/"
    paths = {path for slug in slugs for path in staged_paths(home.state, slug)}
    paths.update(path for path in manifest.sizes(home.manifest) if path.startswith(below))
    return frozenset(path.removeprefix(below) for path in paths)


def write_document(file: Path, records: Iterator[bytes]) -> tuple[int, str]:
    """A JSON list of records, durably; its size and SHA-256. One record a line, so that a person can look at it
    and `diff` can compare it.
    """
    digest, size = hashlib.sha256(), 0
    with atomic_file(file) as out:
        between = b"[\n"
        for record in records:
            for piece in (between, record):
                out.write(piece)
                digest.update(piece)
                size += len(piece)
            between = b",\n"
        end = b"\n]\n" if between == b",\n" else b"[]\n"
        out.write(end)
        digest.update(end)
    return size + len(end), digest.hexdigest()


def _changed(records: Iterable[FileRecord], path: str, size: int, sha256: str) -> Iterator[FileRecord]:
    for record in records:
        yield replace(record, size=size, sha256=sha256) if record.path == path else record
