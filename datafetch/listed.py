"""Documents that tell of the files of a URL list, written beside them in the staging folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import tee

import msgspec

from datafetch import lists
from datafetch.annotate.entries import ENTRY_MAKERS, Entry
from datafetch.finish import write_document
from datafetch.images.items import Item, items
from datafetch.images.rows import Row
from datafetch.model import Artifact, FileRecord, UrlList
from datafetch.store.home import slug
from datafetch.task import Task


def write_listed(
    task: Task, artifact: Artifact, source: UrlList, place: Callable[[str], str], files: Iterable[FileRecord]
) -> Iterator[FileRecord]:
    """The documents that the recipe wants of this list, each with a record for each of `files`, in the order of
    the rows. The list is read once more; memory is that of its items.
    """
    for wanted in task.recipe.finish:
        if wanted.list != artifact.name:
            continue
        make = ENTRY_MAKERS[wanted.make]
        entries = _entries(task, artifact, source, place, iter(files))
        path = f"{artifact.folder}/{wanted.to}"
        file = task.home.staging(artifact.name) / path
        size, sha256 = write_document(file, (msgspec.json.encode(make(entry)) for entry in entries))
        origin = f"{slug(wanted.make)}:{source.file}"
        yield FileRecord(path, size, sha256, origin, _now(), artifact.name)


def _entries(
    task: Task, artifact: Artifact, source: UrlList, place: Callable[[str], str], files: Iterator[FileRecord]
) -> Iterator[Entry]:
    """Rows and files come in one order, so that they meet without either being held."""
    rows, again = tee(lists.rows(task, artifact, source, place))
    file = next(files, None)
    for row, item in zip(rows, items(source, again), strict=True):
        if file is None:
            return
        if isinstance(row, Row) and isinstance(item, Item) and place(item.path) == file.path:
            path = file.path.removeprefix(f"{artifact.folder}/")
            yield Entry(row.line or row.number, row.fields, path, file.url)
            file = next(files, None)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
