"""Which bodies stand for pictures that are gone, told by how many places of one host show them. Pure.

A host that lost a picture may answer 200 with a picture that says so. Its bytes then stand under very many
unlike addresses of that host; honest duplicates stand under few, or side by side. So places are counted,
not rows:

    the same address again            no new place
    a folder of at most ALBUM rows    one place, however many equal pictures it holds: a product, an album
    a larger folder                   a store without order: each address in it is a place

A body is a placeholder from LEAST places of one host on. A body over SLIGHT_BYTES with over SLIGHT_PIXELS is
rarely one, so it needs four times as many; on a large host 1 place in SHARE of its addresses is needed, for
shops do show one picture for many articles. A body that is one on one host is one everywhere: hosts have many
names. What is found does not depend on the order of rows.

Memory is bounded whatever the list: rows are read several times. First bodies are counted in a sketch that
never counts too few; only those with enough rows are then looked at exactly, in as many passes as fit ROOM.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

ALBUM = 100  # rows of the list in one folder
LEAST = 40  # places
SLIGHT_BYTES = 20_000
SLIGHT_PIXELS = 100_000
SHARE = 2_000
ROOM = 400_000  # places held at once, at about 100 bytes each
CELLS = 1 << 22  # of a sketch, 4 bytes each


@dataclass(frozen=True, slots=True)
class Sighting:
    """A body that an address gave."""

    url: str
    sha256: str
    size: int
    pixels: int


def census(read: Callable[[], Iterable[Sighting]]) -> frozenset[str]:
    """The SHA-256 of each placeholder among what `read` gives, the same each time it is called."""
    bodies = Sketch()
    frequent: set[int] = set()
    rows = 0
    for seen in read():
        body = int(seen.sha256[:8], 16)
        if bodies.add(body) == LEAST:
            frequent.add(body)
        rows += 1
    if not frequent:
        return frozenset()
    most = max(4 * LEAST, rows // SHARE)
    held = sum(min(bodies.count(body), most) for body in frequent)
    hosts, folders = Sketch(), Sketch()
    for seen in read():
        hosts.add(_mark(host_of(seen.url)))
        folders.add(_mark(_folder(seen.url)))
    passes = 1 + held // ROOM
    found: set[str] = set()
    for turn in range(passes):
        found |= _turn(read(), turn, passes, bodies, hosts, folders)
    return frozenset(found)


def _turn(
    rows: Iterable[Sighting], turn: int, passes: int, bodies: Sketch, hosts: Sketch, folders: Sketch
) -> set[str]:
    """The placeholders of one pass, which looks at one in `passes` of the bodies."""
    found: set[str] = set()
    places: dict[tuple[str, str], set[int]] = {}
    for seen in rows:
        if int(seen.sha256[8:16], 16) % passes != turn or bodies.count(int(seen.sha256[:8], 16)) < LEAST:
            continue
        if seen.sha256 in found:
            continue
        host, folder = host_of(seen.url), _folder(seen.url)
        place = seen.url.partition("://")[2] if folders.count(_mark(folder)) > ALBUM else folder
        known = places.setdefault((host, seen.sha256), set())
        known.add(hash(place))
        if len(known) >= needed(seen.size, seen.pixels, hosts.count(_mark(host))):
            found.add(seen.sha256)
            del places[host, seen.sha256]
    return found


def needed(size: int, pixels: int, addresses: int) -> int:
    """In how many places of a host with so many addresses a body must stand to be taken for a placeholder."""
    slight = size <= SLIGHT_BYTES or pixels <= SLIGHT_PIXELS
    return max(LEAST if slight else 4 * LEAST, addresses // SHARE)


def host_of(url: str) -> str:
    """The host of an address, with its port, in lower case."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].lower()


def _folder(url: str) -> str:
    """Host and path up to the last slash; http and https are one."""
    bare = url.partition("://")[2].partition("?")[0]
    return bare.rpartition("/")[0]


def _mark(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


class Sketch:
    """Counts of things by a number of theirs; things that share a cell are counted together."""

    def __init__(self) -> None:
        self._cells = array("I", bytes(4 * CELLS))

    def add(self, number: int) -> int:
        """One more; returns its count from now on."""
        self._cells[number % CELLS] += 1
        return self._cells[number % CELLS]

    def count(self, number: int) -> int:
        """Never too few."""
        return self._cells[number % CELLS]
