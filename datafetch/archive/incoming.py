"""Members of a zip read from bytes that come in order, as from a socket: nothing is gone back to.

The bytes may begin anywhere in the file, and several members may lie in them, with others between. Who reads a whole
archive from the wire gives the same reader the members as its local headers tell of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from datafetch.archive.directory import LOCAL_SIZE
from datafetch.archive.inflate import DEFLATED, STORED, crc32, damage, inflate_whole, unpack
from datafetch.archive.local import check_header, lengths
from datafetch.archive.members import CHUNK, Chunk, Member
from datafetch.errors import DamagedArchive

_SLACK = 512  # bytes beyond its own that the header of a member seldom exceeds


class Incoming:
    """A file's bytes from `at` on, in the chunks that bring them. What ends early raises DamagedArchive."""

    def __init__(self, chunks: Iterator[Chunk], at: int) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")
        self.at = at  # of the next byte

    def upto(self, length: int) -> Iterator[memoryview]:
        """The next `length` bytes, in pieces of at most CHUNK."""
        while length > 0:
            if not self._held:
                self._held = memoryview(next(self._chunks, b""))
                if not self._held:
                    raise DamagedArchive(f"the zip ends early, at byte {self.at:,}")
            piece = self._held[: min(length, CHUNK)]
            self._held = self._held[len(piece) :]
            self.at += len(piece)
            length -= len(piece)
            yield piece

    def take(self, length: int) -> bytes | memoryview:
        """The next `length` bytes in one piece."""
        if 0 < length <= min(len(self._held), CHUNK):
            return next(self.upto(length))
        return b"".join(self.upto(length))

    def at_hand(self, offset: int, length: int) -> memoryview:
        """Those bytes, as many as are here already; nothing is taken."""
        start = offset - self.at
        return self._held[start : start + length] if start >= 0 else self._held[:0]

    def drop(self, offset: int) -> None:
        """Leaves out what is here already before `offset`."""
        self._held = self._held[offset - self.at :]
        self.at = offset

    def skip_to(self, offset: int) -> None:
        """Leaves out what lies before `offset`. ValueError when that has gone by."""
        if offset < self.at:
            raise ValueError(f"byte {offset} has gone by")
        for _ in self.upto(offset - self.at):
            pass


def read_member(incoming: Incoming, member: Member) -> Iterable[Chunk]:
    """The bytes of one member that has not gone by: those of `Archive.read`, under the same checks."""
    if member.packed <= CHUNK and member.size <= CHUNK and member.method in (STORED, DEFLATED):
        data = _at_hand(incoming, member)
        if data is not None:
            return (data,) if data else ()
    return _coming(incoming, member)


def _at_hand(incoming: Incoming, member: Member) -> Chunk | None:
    """All of a small member; None when some of its bytes are still to come. Most members are read like this."""
    raw = incoming.at_hand(member.offset, min(member.end - member.offset, _SLACK + member.packed))
    if len(raw) < LOCAL_SIZE:
        return None
    name_size, start = lengths(member, raw)
    if len(raw) < start + member.packed:
        return None
    check_header(member, raw, bytes(raw[LOCAL_SIZE : LOCAL_SIZE + name_size]))
    data = _small(member, raw[start : start + member.packed])
    incoming.drop(member.offset + start + member.packed)
    return data


def _coming(incoming: Incoming, member: Member) -> Iterator[Chunk]:
    incoming.skip_to(member.offset)
    raw = bytes(incoming.take(LOCAL_SIZE))
    name_size, start = lengths(member, raw)
    if start > member.end - member.offset:  # what is taken for it would be of the next
        raise DamagedArchive(f"the header of {member.name!r} does not agree with the directory of the zip")
    spelled = bytes(incoming.take(name_size))
    check_header(member, raw, spelled)
    incoming.skip_to(member.offset + start)
    if member.packed <= CHUNK and member.size <= CHUNK and member.method in (STORED, DEFLATED):
        data = _small(member, incoming.take(member.packed))
        if data:
            yield data
        return
    yield from _checked(member, incoming)


def _small(member: Member, packed: bytes | memoryview) -> Chunk:
    data: Chunk | None = packed
    if member.method == DEFLATED:
        with damage(repr(member.name)):
            data = inflate_whole(packed, member.size)
    if data is None or len(data) != member.size or crc32(data, 0) != member.crc:
        raise _damaged(member)
    return data


def _checked(member: Member, incoming: Incoming) -> Iterator[Chunk]:
    size, crc = 0, 0
    with damage(repr(member.name)):
        packed = cast(Iterator[bytes], incoming.upto(member.packed))
        for data in unpack(member.method, packed, member.unmarked):
            size += len(data)
            if size > member.size:
                raise _damaged(member)
            crc = crc32(data, crc)
            yield data
    if size != member.size or crc != member.crc:
        raise _damaged(member)


def _damaged(member: Member) -> DamagedArchive:
    return DamagedArchive(f"{member.name!r} is damaged: its CRC or size is not what the directory says")
