"""Documents that tell of the files of a URL list, written beside them in the staging folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import groupby, tee

import msgspec

from datafetch.annotate.entries import Entry, entry_maker
from datafetch.documents.finish import write_document
from datafetch.images.fill import save_path
from datafetch.images.items import Item, items
from datafetch.images.rows import Row
from datafetch.lists import held
from datafetch.lists import rows as lists
from datafetch.model import Artifact, FileRecord, Finish, UrlList
from datafetch.task import Task


def write_listed(
    task: Task, artifact: Artifact, source: UrlList, place: Callable[[str], str], files: Iterable[FileRecord]
) -> Iterator[FileRecord]:
    """The documents that the recipe wants of this list, each with a record for each of `files`, in the order of
    the rows. The list is read once more; memory is that of its items.
    """
    for wanted in task.recipe.finish:
        if wanted.list == artifact.name:
            entries = _entries(task, artifact, source, place, iter(files))
            yield from _write(task, artifact, source, wanted, entries)


def _write(
    task: Task, artifact: Artifact, source: UrlList, wanted: Finish, entries: Iterator[Entry]
) -> Iterator[FileRecord]:
    """One document, or one for each value of what `to` captures: the rows of each stand together."""
    with ExitStack() as stack:
        path = held.file(task, wanted.beside) if wanted.beside else None
        make = entry_maker(wanted.make, stack.enter_context(path.open("rb")) if path else None)
        for to, together in groupby(entries, lambda entry: _path(wanted, artifact, entry)):
            file = task.home.staging(artifact.name) / to
            size, sha256 = write_document(file, (msgspec.json.encode(make(entry)) for entry in together))
            yield FileRecord(to, size, sha256, f"{wanted.make}:{source.file}", _now(), artifact.name)


def _path(wanted: Finish, artifact: Artifact, entry: Entry) -> str:
    return f"{artifact.folder}/{save_path(wanted.to, entry.row, entry.fields)}"


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
