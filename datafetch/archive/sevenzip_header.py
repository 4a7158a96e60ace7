"""The header of a 7z archive: bytes in, packed streams and members out, everything doubtful refused."""

from __future__ import annotations

import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from datafetch.archive.members import Limits, Member, safe_name
from datafetch.errors import DamagedArchive, UnsafeArchive

_END, _HEADER, _ARCHIVE, _ADDITIONAL, _STREAMS, _FILES = range(6)
_PACK, _UNPACK, _SUBSTREAMS, _SIZE, _CRC, _FOLDER, _CODER_SIZES, _COUNTS = range(6, 14)
_EMPTY_STREAM, _EMPTY_FILE, _ANTI, _NAMES, _ATTRIBUTES = 14, 15, 16, 17, 21
_UNIX, _REPARSE, _DIRECTORY = 0x8000, 0x400, 0x10  # of attributes
_MOST_CODERS = 8


@dataclass(frozen=True, slots=True)
class Coder:
    id: bytes
    properties: bytes
    size: int = 0  # bytes that it unpacks to


@dataclass(frozen=True, slots=True)
class Folder:
    """Bytes packed together, whatever files they are; `coders` in the order in which they unpack."""

    coders: tuple[Coder, ...]
    start: int = 0  # of its packed bytes, in the file
    packed: int = 0
    crc: int | None = None  # of all of it

    @property
    def size(self) -> int:
        return self.coders[-1].size


@dataclass(slots=True)
class Streams:
    """Folders, and the sizes and checksums of the files that each holds."""

    folders: list[Folder] = field(default_factory=list)
    files: list[list[tuple[int, int | None]]] = field(default_factory=list)


class Reader:
    """Takes numbers and bytes off a header; ValueError where it ends early."""

    def __init__(self, data: bytes) -> None:
        self.data, self._at = data, 0

    def bytes(self, length: int) -> bytes:
        if length > len(self.data) - self._at:
            raise ValueError("its header ends early")
        self._at += length
        return self.data[self._at - length : self._at]

    def byte(self) -> int:
        return self.bytes(1)[0]

    def number(self) -> int:
        """As many bytes follow the first as it has leading ones; its other bits are the highest."""
        first, value, mask = self.byte(), 0, 0x80
        for place in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << 8 * place
            value |= self.byte() << 8 * place
            mask >>= 1
        return value

    def count(self) -> int:
        """A number of things that take a byte or a bit each, at least."""
        value = self.number()
        if value > 8 * len(self.data):
            raise ValueError(f"its header speaks of {value:,} things, and is too short for them")
        return value

    def bits(self, count: int) -> list[bool]:
        raw = self.bytes(-(-count // 8))
        return [bool(raw[k >> 3] & 0x80 >> (k & 7)) for k in range(count)]

    def defined(self, count: int) -> list[bool]:
        return [True] * count if self.byte() else self.bits(count)

    def crcs(self, count: int) -> list[int | None]:
        return [struct.unpack("<I", self.bytes(4))[0] if one else None for one in self.defined(count)]

    def expect(self, kind: int) -> None:
        if self.byte() != kind:
            raise ValueError("its header is not in order")

    def here(self) -> None:
        """What follows stands in this header, and not in a stream of its own."""
        if self.byte():
            raise UnsafeArchive("the 7z keeps parts of its header elsewhere, which is not supported")


def read_streams(header: Reader, base: int, end: int) -> Streams:
    """What is packed, between `base` and `end` of the file."""
    start, sizes, found = 0, [], Streams()
    kind = header.byte()
    if kind == _PACK:
        start, count = header.number(), header.count()
        while (part := header.byte()) != _END:
            if part == _SIZE:
                sizes = [header.number() for _ in range(count)]
            elif part == _CRC:
                header.crcs(count)
            else:
                raise ValueError("its header is not in order")
        kind = header.byte()
    if kind == _UNPACK:
        found.folders = _read_folders(header)
        kind = header.byte()
    _lay(found.folders, [base + start + at for at in accumulate(sizes, initial=0)], end)
    found.files = [[(folder.size, folder.crc)] for folder in found.folders]
    if kind == _SUBSTREAMS:
        found.files = _read_substreams(header, found.folders)
        kind = header.byte()
    if kind != _END:
        raise ValueError("its header is not in order")
    return found


def _lay(folders: list[Folder], ends: Sequence[int], end: int) -> None:
    """Say where the bytes of each folder are; each has one packed stream."""
    if len(ends) - 1 < len(folders) or ends[-1] > end:
        raise DamagedArchive("the 7z is cut short: its bytes lie outside of it")
    for index, folder in enumerate(folders):
        folders[index] = replace(folder, start=ends[index], packed=ends[index + 1] - ends[index])


def _read_folders(header: Reader) -> list[Folder]:
    header.expect(_FOLDER)
    count = header.count()
    header.here()
    chains = [_read_chain(header) for _ in range(count)]
    header.expect(_CODER_SIZES)
    folders = []
    for coders, order in chains:
        sizes = [header.number() for _ in coders]
        folders.append(Folder(tuple(replace(coders[k], size=sizes[k]) for k in order)))
    kind = header.byte()
    if kind == _CRC:
        folders = [replace(one, crc=crc) for one, crc in zip(folders, header.crcs(count), strict=True)]
        kind = header.byte()
    if kind != _END:
        raise ValueError("its header is not in order")
    return folders


def _read_chain(header: Reader) -> tuple[list[Coder], list[int]]:
    """The coders of a folder as they stand, and the order in which they unpack."""
    coders = []
    for _ in range(header.number()):
        flags = header.byte()
        name = header.bytes(flags & 0xF)
        if flags & 0x10 and (header.number(), header.number()) != (1, 1):
            raise UnsafeArchive("the 7z is packed with BCJ2, which is not supported")
        coders.append(Coder(name, header.bytes(header.number()) if flags & 0x20 else b""))
        if flags & 0xC0 or len(coders) > _MOST_CODERS:
            raise ValueError("its coders are none that exist")
    pairs = {header.number(): header.number() for _ in range(len(coders) - 1)}  # who reads -> who writes
    free = set(range(len(coders))) - pairs.keys()
    if len(free) != 1:
        raise ValueError("its coders do not follow each other")
    order = [free.pop()]
    reads = {writer: reader for reader, writer in pairs.items()}
    while order[-1] in reads and len(order) <= len(coders):
        order.append(reads[order[-1]])
    if sorted(order) != list(range(len(coders))):
        raise ValueError("its coders do not follow each other")
    return coders, order


def _read_substreams(header: Reader, folders: Sequence[Folder]) -> list[list[tuple[int, int | None]]]:
    counts = [1] * len(folders)
    kind = header.byte()
    if kind == _COUNTS:
        counts = [header.count() for _ in folders]
        kind = header.byte()
    sizes: list[list[int]] = []
    for folder, count in zip(folders, counts, strict=True):
        if count > 1 and kind != _SIZE:
            raise ValueError("its header lacks the sizes of files")
        some = [header.number() for _ in range(count - 1)]
        if sum(some) > folder.size:
            raise ValueError("its files are larger than what is packed")
        sizes.append([*some, folder.size - sum(some)] if count else [])
    if kind == _SIZE:
        kind = header.byte()
    known = [count == 1 and folder.crc is not None for folder, count in zip(folders, counts, strict=True)]
    crcs: list[int | None] = [None] * sum(0 if k else c for k, c in zip(known, counts, strict=True))
    while kind != _END:
        if kind != _CRC:
            raise ValueError("its header is not in order")
        crcs = header.crcs(len(crcs))
        kind = header.byte()
    unread = iter(crcs)
    return [
        [(size, folder.crc if one else next(unread)) for size in some]
        for folder, one, some in zip(folders, known, sizes, strict=True)
    ]


def read_files(header: Reader, streams: Streams, limits: Limits) -> list[Member]:
    """The members, in the order in which they are packed; `method` is the folder, `offset` counts in what it holds.

    UnsafeArchive for all that is not a plain file or folder.
    """
    count = header.count()
    if count > limits.members:
        raise UnsafeArchive(f"it holds {count:,} members; at most {limits.members:,} are allowed")
    names: list[str] = []
    empty, plain, anti, attributes = [False] * count, [False] * count, [False] * count, [0] * count
    while (kind := header.number()) != _END:
        part = Reader(header.bytes(header.number()))
        if kind == _EMPTY_STREAM:
            empty = part.bits(count)
            plain, anti = [False] * sum(empty), [False] * sum(empty)
        elif kind == _EMPTY_FILE:
            plain = part.bits(sum(empty))
        elif kind == _ANTI:
            anti = part.bits(sum(empty))
        elif kind == _NAMES:
            part.here()
            names = part.data[1:].decode("utf-16-le").split("\0")[:-1]
        elif kind == _ATTRIBUTES:
            defined = part.defined(count)
            part.here()
            attributes = [struct.unpack("<I", part.bytes(4))[0] if one else 0 for one in defined]
    if len(names) != count:
        raise ValueError(f"it holds {count:,} files and names {len(names):,}")
    if any(anti):
        raise UnsafeArchive("the 7z is a list of files to delete; only files and folders are unpacked")
    is_plain = iter(plain)
    packed = iter(_spread(streams))
    members = []
    for name, no_stream, bits in zip(names, empty, attributes, strict=True):
        is_dir = no_stream and not next(is_plain)
        _refuse_odd(name, bits)
        spot = _NOTHING if no_stream else next(packed, None)
        if spot is None:
            raise ValueError("it names more files than it holds")
        members.append(Member(safe_name(name, limits), is_dir, *spot))
    if next(packed, None) is not None:
        raise ValueError("it holds more files than it names")
    return members


_NOTHING = 0, 0, 0, 0, -1, 0, 0


def _spread(streams: Streams) -> list[tuple[int, int, int, int, int, int, int]]:
    """Of every packed file, what follows name and kind in a Member; flags are 1 where its checksum is known."""
    found = []
    for index, (folder, files) in enumerate(zip(streams.folders, streams.files, strict=True)):
        offset = 0
        for size, crc in files:
            share = folder.packed * size // folder.size if folder.size else 0
            found.append((size, share, offset, 0, index, int(crc is not None), crc or 0))
            offset += size
    return found


def _refuse_odd(name: str, attributes: int) -> None:
    kind = stat.S_IFMT(attributes >> 16) if attributes & _UNIX else 0
    if kind == stat.S_IFLNK or attributes & _REPARSE:
        raise UnsafeArchive(f"{name!r} is a symbolic link; only files and folders are unpacked")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchive(f"{name!r} is a device, pipe or socket; only files and folders are unpacked")
