"""Files of JSON lines, read block by block and in the order of their paths: never all of one in memory."""

from __future__ import annotations

import heapq
import os
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import msgspec

T = TypeVar("T")
_BLOCK = 1 << 18  # bytes that are decoded at a time …
_RUN = 1 << 21  # … and sorted at a time: each such run is read line by line when it is merged with the others


class Placed(Protocol):
    @property
    def path(self) -> str: ...


P = TypeVar("P", bound=Placed)


class _Path(msgspec.Struct, gc=False):
    path: str


class _First(msgspec.Struct, array_like=True, gc=False):
    """The path of a line that is an array and begins with it."""

    path: str


def read_lines(path: Path, kind: type[T]) -> Iterator[T]:
    """Each line of a file as a `kind`; none when the file is absent. Raises MsgspecError or UnicodeDecodeError for a
    line that is none, once those of the blocks before it have come.
    """
    decode = msgspec.json.Decoder(kind).decode_lines
    for block in _blocks_of(path):
        yield from decode(block)


def salvaged(path: Path, kind: type[T]) -> Iterator[T]:
    """`read_lines`, but lines that are no such thing are passed over."""
    decoder = msgspec.json.Decoder(kind)
    for block in _blocks_of(path):
        yield from _readable(block, decoder)


def merged(paths: Iterable[Path], kind: type[P]) -> Iterator[P]:
    """The lines of all these files in the order of the bytes of their paths, each path once: as its last file, and
    the last line of that, has it. An absent file has none, and lines that are no such thing are passed over. A
    `kind` that is written as an array has its path first.

    Takes 12 bytes a line for a file that is not in order, nothing for one that is. The files must stay as they are
    while they are read; one that is replaced meanwhile is fine.
    """
    runs: list[Iterator[P]] = []
    with ExitStack() as opened:
        for path in paths:
            with suppress(FileNotFoundError):
                runs += _runs(opened.enter_context(path.open("rb")), kind)
        # Texts sort as their UTF-8 bytes do.
        ordered = runs[0] if len(runs) == 1 else heapq.merge(*runs, key=attrgetter("path"))
        before: P | None = None
        for line in ordered:
            if before is not None and before.path != line.path:
                yield before
            before = line
        if before is not None:
            yield before


def _runs(file: BinaryIO, kind: type[P]) -> list[Iterator[P]]:
    """Parts of a file, each of them in order, in the order of the file."""
    found: list[Iterator[P]] = []
    decoder = msgspec.json.Decoder(kind)
    array_like = getattr(getattr(kind, "__struct_config__", None), "array_like", False)
    named = msgspec.json.Decoder[_Path | _First](_First if array_like else _Path)
    begun = end = 0  # of the stretch that is in order as it stands
    last = ""
    for block in _blocks(file, _RUN):
        names, starts, lengths = _names(block, named)
        if _ascending(names):
            if names and names[0] < last:
                found.append(_stretch(file, begun, end, decoder))
                begun = end
            last = names[-1] if names else last
        else:
            if begun < end:
                found.append(_stretch(file, begun, end, decoder))
            order = sorted(range(len(names)), key=names.__getitem__)
            places = array("Q", (end + starts[at] for at in order))
            found.append(_jumps(file, places, array("I", (lengths[at] for at in order)), decoder))
            begun, last = end + len(block), ""
        end += len(block)
    if begun < end:
        found.append(_stretch(file, begun, end, decoder))
    return found


def _names(
    block: bytes, decoder: msgspec.json.Decoder[_Path | _First]
) -> tuple[list[str], list[int], list[int]]:
    """The paths of the lines of a block that have one, where each line begins, and its length."""
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    lengths = [len(line) for line in lines]
    starts, at = [], 0
    for length in lengths:
        starts.append(at)
        at += length + 1
    try:
        names = [line.path for line in decoder.decode_lines(block)]
        if len(names) == len(lines):
            return names, starts, lengths
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    names, kept = [], []
    for at, line in enumerate(lines):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            names.append(decoder.decode(line).path)
            kept.append(at)
    return names, [starts[at] for at in kept], [lengths[at] for at in kept]


def _ascending(names: list[str]) -> bool:
    return all(map(str.__le__, names, names[1:]))


def _stretch(file: BinaryIO, begun: int, end: int, decoder: msgspec.json.Decoder[P]) -> Iterator[P]:
    """The lines between two places of a file that is read elsewhere at the same time."""
    size = _BLOCK
    while data := os.pread(file.fileno(), min(size, end - begun), begun):
        cut = len(data) if begun + len(data) == end else data.rfind(b"\n") + 1
        if not cut:  # within a very long line
            size *= 2
            continue
        yield from _readable(data[:cut], decoder)
        begun, size = begun + cut, _BLOCK


def _jumps(
    file: BinaryIO, places: array[int], lengths: array[int], decoder: msgspec.json.Decoder[P]
) -> Iterator[P]:
    fd = file.fileno()
    for place, length in zip(places, lengths, strict=True):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            yield decoder.decode(os.pread(fd, length, place))


def _readable(block: bytes, decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
    try:
        yield from decoder.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        for line in block.splitlines():
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                yield decoder.decode(line)


def _blocks_of(path: Path) -> Iterator[bytes]:
    with suppress(FileNotFoundError), open(path, "rb") as file:
        yield from _blocks(file, _BLOCK)


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The whole of a file, in pieces of whole lines."""
    while block := file.read(size):
        yield block if block.endswith(b"\n") else block + file.readline()
