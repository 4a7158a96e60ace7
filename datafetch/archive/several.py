"""Several archives read as one: each is a folder named like its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from datafetch.archive.members import Archive, Chunk, Limits, Member, check_members


class SeveralArchives(Archive):
    """Open archives by the folder that each is; closing this closes them."""

    def __init__(self, archives: Mapping[str, Archive], packed: int, limits: Limits) -> None:
        self.kind = "several archives"
        self._archives = dict(archives)
        self.members = tuple(
            member._replace(name=f"{folder}/{member.name}" if member.name else folder)
            for folder, archive in self._archives.items()
            for member in archive.members
        )
        check_members(self.members, packed, limits)

    def read(self, member: Member) -> Iterator[Chunk]:
        folder, _, name = member.name.partition("/")
        return self._archives[folder].read(member._replace(name=name))

    def close(self) -> None:
        for archive in self._archives.values():
            archive.close()
