"""The manifest read once, as it comes: cut into portions, its paths as digests, and the digest of the tree."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import attrgetter
from pathlib import Path

import msgspec

from datafetch.errors import Damaged
from datafetch.layout.digests import Digests
from datafetch.store.faults import read_errors
from datafetch.store.inventory import Entry
from datafetch.store.stock import Digest
from datafetch.verify.portion import Portion

_BLOCK = 1 << 19  # bytes of the manifest that are decoded at once: about 2000 lines
_BYTES = 256 << 20  # bytes of files in a portion, from which on it is full


class OutOfOrder(Exception):
    """The lines are not sorted by path, or a path has two: somebody has edited them."""


@dataclass(slots=True)
class Survey:
    """What the manifest speaks of."""

    files: int = 0
    bytes: int = 0
    paths: Digests = field(default_factory=Digests)
    folders: Digests = field(default_factory=Digests)  # that files stand in, and those above
    tops: list[str] = field(default_factory=list)  # the folders of the dataset
    tree_digest: str = ""


def survey(manifest: Path, give: Callable[[Portion], None], go_on: Callable[[], None]) -> Survey:
    """Read it all, and `give` each portion as it comes. Holds eight bytes a file.

    Raises Damaged for a line that is none, OutOfOrder, and what `give` and `go_on` do.
    """
    found, digest = Survey(), Digest()
    last, above = "", ""
    decode = msgspec.json.Decoder(Entry).decode_lines
    for start, block in _blocks(manifest):
        go_on()
        try:
            rows = decode(block)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Damaged(
                f"{manifest}: not a manifest: {error}", hint="datafetch get builds it anew"
            ) from error
        if not rows:
            continue
        paths = [last, *map(attrgetter("path"), rows)]
        if not all(map(str.__lt__, paths, paths[1:])):
            raise OutOfOrder
        digest.add(rows)
        last, add = paths[-1], found.paths.add
        for path in paths[1:]:
            add(path)
            folder = path.rpartition("/")[0]
            if folder != above:
                _add_folders(found, folder, above)
                above = folder
        found.files += len(rows)
        for portion in _portions(start, block, [row.size for row in rows]):
            found.bytes += portion.bytes
            give(portion)
    found.tree_digest = digest.hexdigest() if found.files else ""
    return found


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Pieces of whole lines, and where each begins."""
    at = 0
    with read_errors(path):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            while block := file.read(_BLOCK):
                block += b"" if block.endswith(b"\n") else file.readline()
                yield at, block
                at += len(block)


def _add_folders(found: Survey, folder: str, before: str) -> None:
    """Add a folder and those above it, but for those that the one before it lies in: it comes sorted."""
    while folder and folder != before and not before.startswith(f"{folder}/"):
        found.folders.add(folder)
        folder, slash, top = folder.rpartition("/")
        if not slash:
            found.tops.append(top)


def _portions(start: int, block: bytes, sizes: list[int]) -> Iterator[Portion]:
    """The lines of a block, together as far as their files are not too large for that."""
    total = sum(sizes)
    if total <= _BYTES:
        yield Portion(start, start + len(block), len(sizes), total)
        return
    lines = block.split(b"\n")
    after = accumulate(len(line) + 1 for line in lines)
    ends = [end for end, line in zip(after, lines, strict=True) if line.strip()]
    upto = list(accumulate(sizes, initial=0))
    cuts = [0]
    while cuts[-1] < len(sizes):
        cut = bisect_left(upto, upto[cuts[-1]] + _BYTES)
        cuts.append(min(max(cut, cuts[-1] + 1), len(sizes)))
    for first, end in pairwise(cuts):
        begin = ends[first - 1] if first else 0
        yield Portion(start + begin, start + ends[end - 1], end - first, upto[end] - upto[first])
