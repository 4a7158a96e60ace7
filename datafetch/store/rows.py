"""What is written down about one artifact, row by row, and what the rows add up to; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from datafetch.model import Checksum, Fetched, Outcome, Subset, Window


class Part(msgspec.Struct, frozen=True, tag="part", omit_defaults=True):
    """A `.part` file began or grew: what must still hold when it is continued."""

    url: str  # for a reader: where its last bytes are from
    etag: str = ""
    last_modified: str = ""
    total: int | None = None
    boot: str = ""  # store.machine.boot_id(): while it is the same, the Wrote rows that follow count as well
    durable: tuple[tuple[int, int, int], ...] = ()  # what survives a power cut: start, end, CRC-32
    sources: tuple[
        str, ...
    ] = ()  # `identity` of each address that it has bytes from, that of the validators last
    promised_size: int | None = None  # by those addresses, of the whole file
    promised: tuple[Checksum, ...] = ()


class Wrote(msgspec.Struct, frozen=True, tag="wrote"):
    """Bytes of a part that the system has: good while the boot of the last Part row is the same."""

    start: int
    end: int
    crc: int


class Whole(msgspec.Struct, frozen=True, tag="whole"):
    """The part is whole, verified and durable; it is about to take its final name."""

    fetched: Fetched


class Consists(msgspec.Struct, frozen=True, tag="consists", omit_defaults=True):
    """Of what a whole file consists, and where it is from: so that what is damaged of it can be fetched by itself."""

    url: str
    etag: str
    last_modified: str
    source: str  # `identity` of the address
    pieces: tuple[tuple[int, int, int], ...]  # one after the other: start, end, CRC-32


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The file is whole, verified and durable under its final name."""

    fetched: Fetched


class Staged(msgspec.Struct, frozen=True, tag="staged"):
    """All that the artifact holds has been looked at: what stands in the staging folder, and what not."""

    files: int
    names: str = "keep"
    dropped: Mapping[Outcome, Mapping[str, int]] = {}  # outcome other than ok -> reason -> items
    picked: tuple[Subset, ...] = ()  # what of it was asked for, together; empty: all of it


class Built(msgspec.Struct, frozen=True, tag="built"):
    """Its files are published and stand in the manifest."""

    files: int
    bytes: int
    names: str = "keep"
    picked: tuple[Subset, ...] = ()  # as in `Staged`


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """These rows of the list were asked for, besides those asked for before."""

    first: int
    last: int | None = None


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """The address answered that the file is gone for good."""

    url: str


class Upstream(msgspec.Struct, frozen=True, tag="upstream", omit_defaults=True):
    """What an address said of the file that was got from it: weak validators too, which tell a change if no bytes."""

    address: str  # its `identity`
    url: str  # for a reader
    etag: str = ""
    last_modified: str = ""
    size: int | None = None
    at: str = ""  # UTC


Row = Part | Wrote | Consists | Whole | Done | Staged | Built | Asked | Gone | Upstream


@dataclass(frozen=True, slots=True)
class Known:
    """What the rows about one artifact add up to: the last word of each kind."""

    part: Part | None = None  # None once the file is done
    wrote: tuple[Wrote, ...] = ()  # since `part` was written
    whole: Fetched | None = None  # None once the file is done, or begun anew
    done: Fetched | None = None
    staged: Staged | None = None
    built: Built | None = None
    gone: Gone | None = None  # None once the file is done
    upstream: Upstream | None = None  # of the last time that it was got
    grains: Consists | None = None  # of `done`
    asked: tuple[Window, ...] = ()
    brought: tuple[Window, ...] = ()  # of `asked`, those that `staged` has looked at

    @property
    def held(self) -> int:
        """Bytes of the part: what a row says again counts once."""
        durable = self.part.durable if self.part else ()
        spans = sorted(
            (*((start, end) for start, end, _ in durable), *((w.start, w.end) for w in self.wrote))
        )
        size = reach = 0
        for start, end in spans:
            size += max(0, end - max(start, reach))
            reach = max(end, reach)
        return size


def fold(rows: Iterable[Row]) -> Known:
    """Add up the rows of one artifact in the order in which they were written."""
    part: Part | None = None
    wrote: list[Wrote] = []
    whole: Fetched | None = None
    done: Fetched | None = None
    staged: Staged | None = None
    built: Built | None = None
    gone: Gone | None = None
    upstream: Upstream | None = None
    grains: Consists | None = None
    asked: list[Window] = []
    brought: tuple[Window, ...] = ()
    for row in rows:
        match row:
            case Part():
                part, wrote, whole = row, [], None
            case Wrote():
                wrote.append(row)
            case Whole():
                whole, grains = row.fetched, None
            case Consists():
                grains = row
            case Done():
                part, wrote, whole, done, gone = None, [], None, row.fetched, None
            case Staged():
                staged, brought = row, tuple(asked)
            case Built():
                built = row
            case Asked():
                asked.append(Window(row.first, row.last))
            case Gone():
                gone = row
            case Upstream():
                upstream = row
    return Known(
        part, tuple(wrote), whole, done, staged, built, gone, upstream, grains, tuple(asked), brought
    )


def as_built(known: Known) -> Staged | None:
    """The row to write before files that lacked are sealed again: an earlier run may have written of a choice that it
    staged and did not build. None when the last row says what is built.
    """
    staged, built = known.staged, known.built
    if staged is None or built is None or staged.picked == built.picked:
        return None
    return msgspec.structs.replace(staged, picked=built.picked)
