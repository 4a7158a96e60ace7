"""The forms of JSON that name pictures, each written anew without some of its records, as they are spelled."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from datafetch.images.opened import opened

Key = tuple[str, ...]
Buffer = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Map:
    """Records below `depth` levels of keys; those with the keys in `without` go."""

    depth: int
    without: frozenset[Key]

    def kept(self, file: Path) -> Iterator[bytes]:
        with mapped(file) as data:
            yield from _branch(data, (), self.depth, self.without)
        yield b"\n"


@dataclass(frozen=True, slots=True)
class Columns:
    """Lists side by side; what stands at the places that `gone` marks goes from each of them."""

    gone: bytes

    def kept(self, file: Path) -> Iterator[bytes]:
        between = b"{\n"
        with mapped(file) as data:
            for key, column in msgspec.json.decode(data, type=dict[str, msgspec.Raw]).items():
                yield between + msgspec.json.encode(key) + b": "
                between = b",\n"
                if bytes(memoryview(column)[:1]) == b"[":
                    yield from _elements(column, self.gone)
                else:
                    yield bytes(column)
        yield b"\n}\n"


@dataclass(frozen=True, slots=True)
class Records:
    """A list of records; those at the places that `gone` marks go."""

    gone: bytes

    def kept(self, file: Path) -> Iterator[bytes]:
        with mapped(file) as data:
            yield from _elements(data, self.gone)
        yield b"\n"


@dataclass(frozen=True, slots=True)
class Lines:
    """A record a line; the lines that `gone` marks go."""

    gone: bytes

    def kept(self, file: Path) -> Iterator[bytes]:
        with opened(file) as lines:
            for gone, line in zip(self.gone, lines, strict=False):
                if not gone:
                    yield line if line.endswith(b"\n") else line + b"\n"


Form = Map | Columns | Records | Lines


@contextmanager
def mapped(path: Path) -> Iterator[Buffer]:
    """A file mapped, so that each record can be left as it is spelled: the whole as objects would take gigabytes."""
    with open(path, "rb") as file:
        yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _elements(data: Buffer | msgspec.Raw, gone: bytes) -> Iterator[bytes]:
    between = b"[\n"
    for at, element in enumerate(msgspec.json.decode(data, type=list[msgspec.Raw])):
        if at < len(gone) and gone[at]:
            continue
        yield between + bytes(element)
        between = b",\n"
    yield b"\n]" if between == b",\n" else b"[]"


def _branch(node: Buffer, above: Key, depth: int, without: frozenset[Key]) -> Iterator[bytes]:
    """The map below `node`, a record a line, without those named; `depth` levels of keys are left."""
    between = b"{\n"
    for key, child in msgspec.json.decode(node, type=dict[str, msgspec.Raw]).items():
        here = (*above, key)
        record = bytes(child)
        if depth == 1 and (here in without or not record.startswith(b"{")):
            continue
        yield between + msgspec.json.encode(key) + b": "
        between = b",\n"
        if depth == 1:
            yield record
        else:
            yield from _branch(record, here, depth - 1, without)
    yield b"\n}" if between == b",\n" else b"{}"
