"""A tar of tars: each tar inside is a folder named like it, and nothing is written twice to get at its members."""

from __future__ import annotations

from collections.abc import Iterator

from datafetch.archive.headers import Stream, read_members
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import DEFAULT_LIMITS, Limits, Member, check_members, safe_name
from datafetch.archive.tar import PlainStream, TarArchive
from datafetch.errors import UnsafeArchive

_ENDING = ".tar"


class NestedTar(TarArchive):
    """A plain tar whose members that are plain tars themselves are opened where they lie, one level deep."""

    def __init__(self, file: ShardsReader, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(file, None, limits)
        self.kind = "tar of tars"
        whole = PlainStream(file)
        self.members = tuple(
            inner for member in self.members for inner in _opened(whole, member, file.size, limits)
        )
        check_members(self.members, file.size, limits)


def _opened(whole: Stream, member: Member, packed: int, limits: Limits) -> Iterator[Member]:
    """The member itself, or those of the tar that it is; their offsets are in the outer file."""
    if member.is_dir or not member.name.endswith(_ENDING):
        yield member
        return
    folder = member.name.removesuffix(_ENDING)
    try:
        for inner in read_members(_Part(whole, member), limits):
            name = safe_name(f"{folder}/{inner.name}", limits)
            yield inner._replace(name=name, offset=member.offset + inner.offset)
    except UnsafeArchive as error:
        raise type(error)(f"{member.name}: {error}", error.hint) from error


class _Part:
    """The bytes of one member, as a stream of its own."""

    end_proves = False

    def __init__(self, whole: Stream, member: Member) -> None:
        self.packed_size = member.size
        self._whole, self._start = whole, member.offset

    def pread(self, length: int, offset: int) -> bytes:
        """Nothing beyond the member's own end."""
        length = min(length, self.packed_size - offset)
        return self._whole.pread(length, self._start + offset) if length > 0 else b""
