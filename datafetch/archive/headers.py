"""The headers of a tar stream: blocks in, members out, everything doubtful refused."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from zlib import adler32

from datafetch.archive.members import CHUNK, Limits, Member, decode, safe_name
from datafetch.errors import DamagedArchive, UnsafeArchive

BLOCK = 512
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12s")
_ZEROS = bytes(BLOCK)
_REGULAR = frozenset(b"0\0007")
_FOLDER, _DUMP, _LABEL = ord("5"), ord("D"), ord("V")  # a dump is a folder with a list of what it held
_KINDS = {
    ord("1"): "hard link",
    ord("2"): "symbolic link",
    ord("3"): "device",
    ord("4"): "device",
    ord("6"): "FIFO",
    ord("S"): "sparse file",
    ord("M"): "piece of a file on another volume",
}
_MOST_META = 1 << 20  # bytes of a long name or of pax records


class Stream(Protocol):
    """The unpacked bytes of a tar, read in rising order of offset for the least work."""

    @property
    def packed_size(self) -> int: ...

    @property
    def end_proves(self) -> bool:
        """Whether it is whole when it ends without an error, as forms are that say where they end."""

    def pread(self, length: int, offset: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Said:
    """What headers before the real one say of it."""

    name: bytes | None = None
    pax: Mapping[bytes, bytes] = field(default_factory=dict)


_NOTHING_SAID = _Said()


def is_header(block: bytes) -> bool:
    """Whether these 512 bytes are a tar header, by its checksum; old tars have no other mark."""
    return len(block) == BLOCK and block != _ZEROS and _checksum_fits(block)


def read_members(stream: Stream, limits: Limits, offset: int = 0, count: int = 0) -> Iterator[Member]:
    """Every member from `offset` on, where one begins and `count` headers lie before, in order.

    UnsafeArchive for all that is not a plain file or folder, a damaged header, a stream without its end mark or
    with anything but zeros behind it, and once sizes pass the limits.
    """
    said = _NOTHING_SAID
    while True:
        block = stream.pread(BLOCK, offset)
        if not block and stream.end_proves and offset and said == _NOTHING_SAID:
            return
        if len(block) < BLOCK:
            raise DamagedArchive("the tar ends without its end mark: it is cut short")
        if block == _ZEROS:
            break
        if not _checksum_fits(block):
            raise DamagedArchive(f"the tar header at byte {offset:,} is damaged")
        count += 1
        if count > limits.members:
            raise UnsafeArchive(f"it holds more than {limits.members:,} members")
        fields = _HEADER.unpack(block)
        kind, size, data = fields[7][0], _number(fields[4]), offset + BLOCK
        if kind in b"LKxgX":
            said = _read_meta(stream, kind, size, data, said)
            offset = data + _padded(size)
            continue
        if kind in (_LABEL, _DUMP):
            offset = data + _padded(size)
            limits.refuse_size("the archive", offset, stream.packed_size, limits.total_bytes)
            if kind == _LABEL:
                continue
            size = 0
        member = _member(fields, kind, size, data, said, limits)
        said = _NOTHING_SAID
        if kind == _DUMP:
            member = member._replace(offset=offset)  # what was listed is behind us
        offset = end_of(member)
        if member.size > limits.ratio_from or member.size > limits.member_bytes:
            limits.refuse_size(f"{member.name!r}", member.size, stream.packed_size, limits.member_bytes)
        limits.refuse_size("the archive", offset, stream.packed_size, limits.total_bytes)
        yield member
    if said != _NOTHING_SAID:
        raise DamagedArchive("the tar ends after a long name, before the member that bears it")
    _refuse_rest(stream, offset + BLOCK, limits)


def end_of(member: Member) -> int:
    """Where the next header begins."""
    return member.offset + _padded(member.size)


def _member(
    fields: tuple[bytes, ...], kind: int, size: int, data: int, said: _Said, limits: Limits
) -> Member:
    sparse = bool(said.pax) and any(key.startswith(b"GNU.sparse.") for key in said.pax)
    if b"size" in said.pax:
        size = _decimal(said.pax[b"size"])
    raw = said.pax.get(b"path", said.name if said.name is not None else _short_name(fields))
    spelled = decode(raw)
    if sparse or kind not in (*_REGULAR, _FOLDER, _DUMP):
        label = "sparse file" if sparse else _KINDS.get(kind, f"member of type {chr(kind)!r}")
        raise UnsafeArchive(f"{spelled!r} is a {label}; only files and folders are unpacked")
    name = safe_name(spelled, limits)
    is_dir = kind in (_FOLDER, _DUMP) or spelled.endswith("/")
    if is_dir and size:
        raise UnsafeArchive(f"the folder {name!r} claims to hold {size:,} bytes of its own")
    return Member(name, is_dir, size, size, data)


def _short_name(fields: tuple[bytes, ...]) -> bytes:
    name, magic, prefix = fields[0], fields[9], fields[15]
    short = name.partition(b"\0")[0]
    above = prefix.partition(b"\0")[0] if magic == b"ustar\0" else b""
    return above + b"/" + short if above else short


def _read_meta(stream: Stream, kind: int, size: int, data: int, said: _Said) -> _Said:
    if size > _MOST_META:
        raise UnsafeArchive(f"a tar header claims a name of {size:,} bytes")
    raw = stream.pread(size, data)
    if len(raw) < size:
        raise DamagedArchive("the tar ends inside a header: it is cut short")
    if kind == ord("L"):
        if said.name is not None:
            raise UnsafeArchive("a tar member has two long names")
        return _Said(raw.removesuffix(b"\0"), said.pax)
    if kind == ord("K"):
        return said  # the target of a link; the link itself is refused
    pax = _pax(raw)
    if kind == ord("g"):
        if pax.keys() & {b"path", b"size", b"linkpath"}:
            raise UnsafeArchive("a tar header gives one name or size to all members")
        return said
    if said.pax:
        raise UnsafeArchive("a tar member has two extended headers")
    return _Said(said.name, pax)


def _pax(raw: bytes) -> dict[bytes, bytes]:
    """The records `<length> <key>=<value>\\n`. A key that comes twice is refused: readers differ on it."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(raw):
        digits, space, _ = raw[at : at + 20].partition(b" ")
        length = _decimal(digits)
        record = raw[at + len(digits) + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if not space or not equals or not value.endswith(b"\n") or at + length > len(raw):
            raise DamagedArchive("an extended header of the tar is damaged")
        if key in found:
            raise UnsafeArchive(f"an extended header of the tar says {decode(key)!r} twice")
        found[key] = value[:-1]
        at += length
    return found


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 19:
        raise DamagedArchive("a number in an extended header of the tar is damaged")
    return int(digits)


def _number(raw: bytes) -> int:
    """Octal digits, or GNU's big-endian form for what does not fit them."""
    if raw[0] & 0x80:
        value = int.from_bytes(raw, "big", signed=True) & ((1 << 95) - 1) if raw[0] == 0x80 else -1
    else:
        digits, _, rest = raw.partition(b"\0")
        digits = digits.strip(b" ")
        if rest.strip(b" \0"):  # some readers stop at the NUL, others do not
            raise DamagedArchive("a size in a tar header is damaged")
        value = int(digits, 8) if digits.isdigit() and b"8" not in digits and b"9" not in digits else -1
        value = 0 if not digits else value
    if value < 0:
        raise DamagedArchive("a size in a tar header is damaged")
    return value


def _checksum_fits(block: bytes) -> bool:
    stored = block[148:156].strip(b" \0")
    if not stored.isdigit() or b"8" in stored or b"9" in stored:
        return False
    blank = block[:148] + b"        " + block[156:]
    # The sum of so few bytes is less than the prime by which Adler-32 divides it, and that is six times as fast.
    half = BLOCK // 2
    total = (adler32(blank[:half]) & 0xFFFF) + (adler32(blank[half:]) & 0xFFFF) - 2
    if total == int(stored, 8):
        return True
    # Some old archivers summed signed bytes.
    return total - 256 * sum(byte > 127 for byte in block[:148] + block[156:]) == int(stored, 8)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _refuse_rest(stream: Stream, offset: int, limits: Limits) -> None:
    """Members behind the end mark would be lost in silence; reading on proves a compressed stream whole."""
    while data := stream.pread(CHUNK, offset):
        if data.count(0) != len(data):
            raise DamagedArchive("bytes follow the end mark of the tar: it may be two archives in one file")
        offset += len(data)
        limits.refuse_size("the archive", offset, stream.packed_size, limits.total_bytes)
