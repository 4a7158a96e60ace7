"""The lock file as values, and as TOML that a person can read and `diff` can compare: equal locks are equal bytes.

    version = 1
    [[dataset]]                what was asked for, and what it came to
    [[dataset.artifact]]       a file, archive or list of it, in the order of the recipe
    [[dataset.artifact.shard]] the parts of one in shards

Nothing in it is of one machine: no absolute paths, no times of a run. `seen` is the day on which a file was fetched
for the first time, kept only where upstream gives no Last-Modified: without either nobody could say since when a file
is another one.
"""

from __future__ import annotations

import json
import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec

from datafetch.errors import UsageError

VERSION = 1
NAME = "datafetch.lock"
HEAD = (
    "# What `datafetch get NAME --frozen` holds to. Written by `datafetch lock`: not to be edited by hand.\n"
)
_AGAIN = "datafetch lock NAME writes it"


class LockedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One file as it was fetched and hashed here; empty is unknown."""

    name: str = ""  # of a shard
    url: str = ""  # the origin's, free of secrets
    size: int | None = None
    sha256: str = ""
    etag: str = ""
    last_modified: str = ""
    seen: str = ""  # a day, UTC


class LockedArtifact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An artifact. `digest` is that of the files which it brought, as the tree digest is made: documents that are made
    here stand in the tree digest of the dataset only.
    """

    name: str
    url: str = ""
    size: int | None = None
    sha256: str = ""  # of the whole file; empty where only members or rows were fetched
    etag: str = ""
    last_modified: str = ""
    seen: str = ""
    rows: str = ""  # of a list, those that gave a file, as 1-4,6
    files: int = 0
    bytes: int = 0
    digest: str = ""
    shard: tuple[LockedFile, ...] = ()
    sketch: tuple[str, ...] = ()  # of a list: by which a row with another file is found, see `sketch`

    @property
    def file(self) -> LockedFile:
        return LockedFile("", self.url, self.size, self.sha256, self.etag, self.last_modified, self.seen)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A dataset and a choice of it."""

    name: str
    choices: tuple[str, ...] = ()  # as they are typed, sorted
    recipe: str = ""  # digests
    layout: str = ""
    tree: str = ""
    files: int = 0
    bytes: int = 0
    artifact: tuple[LockedArtifact, ...] = ()

    @property
    def typed(self) -> str:
        return " ".join((self.name, *self.choices))

    def of(self, name: str) -> LockedArtifact | None:
        """The artifact of this name."""
        return next((one for one in self.artifact if one.name == name), None)


class LockFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    version: int = VERSION
    dataset: tuple[Entry, ...] = ()

    def of(self, name: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.dataset if entry.name == name)

    def find(self, name: str, choices: tuple[str, ...]) -> Entry | None:
        return next((entry for entry in self.of(name) if entry.choices == choices), None)

    def holding(self, entries: Iterable[Entry]) -> LockFile:
        """The same with these entries, in place of those for the same choices."""
        found = {(entry.name, entry.choices): entry for entry in (*self.dataset, *entries)}
        return LockFile(VERSION, tuple(found[key] for key in sorted(found)))


def parse(data: bytes, file: str) -> LockFile:
    """What a lock file says. Raises UsageError, with its name and the key, for what is none."""
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: no lock file: {error}", _AGAIN) from None
    if (version := found.get("version")) != VERSION:
        text = f"{file}: version {version!r} of the lock file, expected {VERSION}"
        raise UsageError(text, "write it anew with datafetch lock, or take the datafetch that wrote it")
    try:
        return msgspec.convert(found, LockFile)
    except msgspec.ValidationError as error:
        text = str(error)
        raise UsageError(f"{file}: no lock file: {text[:1].lower()}{text[1:]}", _AGAIN) from None


def text(lock: LockFile) -> str:
    """The inverse of `parse`."""
    return "".join(f"{line}\n" for line in _lines(lock)).join((HEAD, ""))


def _lines(lock: LockFile) -> Iterator[str]:
    yield f"version = {VERSION}"
    for entry in lock.dataset:
        yield from ("", "[[dataset]]", *_keys(entry))
        for artifact in entry.artifact:
            yield from ("", "[[dataset.artifact]]", *_keys(artifact))
            for shard in artifact.shard:
                yield from ("", "[[dataset.artifact.shard]]", *_keys(shard))


def _keys(struct: msgspec.Struct) -> Iterator[str]:
    """Every key that says something, in the order of the fields; tables follow by themselves."""
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, str) and value:
            yield f"{name} = {_quoted(value)}"
        elif isinstance(value, int):
            yield f"{name} = {value}"
        elif isinstance(value, tuple) and value and isinstance(value[0], str):
            yield f"{name} = [{', '.join(map(_quoted, value))}]"


def _quoted(value: str) -> str:
    """A basic string of TOML: JSON's, but that a DEL must be escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers as "1-4,6"."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


class Rows:
    """The inverse: the numbers, to be asked with `in`. Raises UsageError for what is no ranges."""

    def __init__(self, said: str) -> None:
        try:
            pairs = [part.partition("-") for part in said.split(",") if part]
            self._first = [int(first) for first, _, _ in pairs]
            self._last = [int(last or first) for first, _, last in pairs]
        except ValueError:
            text = f'a lock file with "{said[:40]}" for rows, expected as in 1-4,6'
            raise UsageError(text, _AGAIN) from None

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._first, number) - 1
        return at >= 0 and number <= self._last[at]
