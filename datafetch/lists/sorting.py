"""Files of an archive put into the folders that lists tell, where their own names do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from datafetch.errors import BadList
from datafetch.images.fill import save_path
from datafetch.images.index import Index
from datafetch.images.rows import BadRow, Row, read
from datafetch.lists import held
from datafetch.model import Artifact, Join, Sorting
from datafetch.task import Task

# Names of an archive -> (index, name) of those that a list knows, each below its folder.
Sorter = Callable[[Sequence[str]], list[tuple[int, str]]]


def sorter(task: Task, artifact: Artifact) -> Sorter | None:
    """How the files of this artifact are sorted; None when it is not.

    A file that several lists name goes into the folder of each. What raises does so when the sorter is called:
    BadList for a list that is damaged, or that has not one row for each file.
    """
    if not artifact.sort:
        return None

    def sort(names: Sequence[str]) -> list[tuple[int, str]]:
        files = [at for at, name in enumerate(names) if not _is_junk(name)]
        found: list[tuple[int, str]] = []
        there: dict[str, bytearray] = {}  # folder -> which files two lists of it need not both put there
        for sorting in artifact.sort:
            path = held.file(task, sorting.file)
            rows = _rows(task, sorting, path)
            if sorting.stem:
                marks = there.setdefault(sorting.folder, bytearray(len(names)))
                found += _by_stem(sorting, rows, files, names, marks)
            else:
                found += _in_order(sorting, rows, files, names, path.name)
        return found

    return sort


def _rows(task: Task, sorting: Sorting, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of the list with the fields that its table adds, blank lines left out."""
    table = _table(task, sorting.join) if sorting.join else {}
    on = sorting.join.on if sorting.join else ""
    for row in read(path, sorting.read, sorting.keys):
        if isinstance(row, BadRow):
            if not sorting.stem:
                raise BadList(f"{path.name}: row {row.number:,}: {row.reason}")
        elif not on:
            yield row.number, row.fields
        elif (more := table.get(row.fields.get(on, ""))) is not None:
            yield row.number, {**row.fields, **more}
        else:
            raise BadList(
                f"{path.name}: row {row.number:,}: no row of the table has {on} {row.fields.get(on)!r}"
            )


def _table(task: Task, join: Join) -> dict[str, dict[str, str]]:
    path = held.file(task, join.file)
    found: dict[str, dict[str, str]] = {}
    for row in read(path, join.read, ()):
        if isinstance(row, Row) and (key := row.fields.get(join.on)) is not None:
            if key in found:
                raise BadList(f"{path.name}: two rows with {join.on} {key!r}")
            found[key] = row.fields
    return found


def _in_order(
    sorting: Sorting,
    rows: Iterator[tuple[int, dict[str, str]]],
    files: Sequence[int],
    names: Sequence[str],
    listed: str,
) -> Iterator[tuple[int, str]]:
    ordered = sorted(files, key=names.__getitem__)
    count = 0
    for count, (number, fields) in enumerate(rows, 1):
        if count <= len(ordered):
            at = ordered[count - 1]
            yield at, _below(sorting, number, fields, names[at])
    if count != len(ordered):
        raise BadList(f"{listed}: {count:,} rows for {len(ordered):,} files; expected one for each")


def _by_stem(
    sorting: Sorting,
    rows: Iterator[tuple[int, dict[str, str]]],
    files: Sequence[int],
    names: Sequence[str],
    there: bytearray,
) -> Iterator[tuple[int, str]]:
    here = Index()  # stem -> index of its first file, from 1
    twins: dict[int, list[int]] = {}
    for at in files:
        first = here.first(_stem(names[at]), at + 1) - 1
        if first != at:
            twins.setdefault(first, []).append(at)  # placing refuses them, by name
    for number, fields in rows:
        stem = save_path(sorting.stem, number, fields)
        found = here.get(stem) if stem else 0
        for at in (found - 1, *twins.get(found - 1, ())) if found else ():
            if there[at] and "<" not in sorting.folder:
                continue
            there[at] = True
            yield at, _below(sorting, number, fields, names[at])


def _below(sorting: Sorting, number: int, fields: dict[str, str], name: str) -> str:
    folder = save_path(sorting.folder, number, fields)
    if folder is None:
        raise BadList(f"row {number:,} of {sorting.file}: {sorting.folder} cannot be filled")
    above, slash, last = name.rpartition("/")
    # A list that tells files by name knows them wherever they lie; one that counts them keeps them where they are.
    return f"{folder}/{last}" if sorting.stem else f"{above}{slash}{folder}/{last}"


def _stem(name: str) -> str:
    last = name.rpartition("/")[2]
    stem, dot, _ = last.rpartition(".")
    return stem if dot and stem else last


def _is_junk(name: str) -> bool:
    """What archivers add: `._x`, `.DS_Store`, `__MACOSX`."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")
