"""What a provider states about a whole file before it has arrived; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from datafetch.model import Checksum


@dataclass(frozen=True, slots=True)
class Promise:
    """Of one version of a file. Empty is no promise."""

    size: int | None = None
    checksums: tuple[Checksum, ...] = ()

    def __bool__(self) -> bool:
        return self.size is not None or bool(self.checksums)

    def joined(self, other: Promise) -> Promise:
        """All that both state, for bytes that go on under another promise: what the first ones were taken under
        still holds. Where they contradict each other, which `differs` tells, the first counts.
        """
        own = {one.algorithm for one in self.checksums}
        more = tuple(one for one in other.checksums if one.algorithm not in own)
        return Promise(other.size if self.size is None else self.size, self.checksums + more)

    def differs(self, size: int | None, checksums: Iterable[Checksum]) -> str:
        """In what it contradicts what else is known of the file, in words; empty when it does not."""
        if None not in (self.size, size) and self.size != size:
            return f"{self.size} bytes are promised, {size} expected"
        own = {one.algorithm: one.digest for one in self.checksums}
        for other in checksums:
            said = own.get(other.algorithm, other.digest)
            if said != other.digest:
                return f"a {other.algorithm} of {said} is promised, {other.digest} expected"
        return ""
