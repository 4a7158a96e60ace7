"""Which bytes to ask for when some members of a remote archive are wanted: neighbours in one request. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Span = tuple[int, int]  # from the first byte to the one after the last

GAP = (
    64 << 10
)  # bytes between two members that cost less than a request of their own: its round trip, at 1 MB/s
WASTE = 0.5  # bytes of gaps for each byte that is wanted, at most


@dataclass(frozen=True, slots=True)
class Run:
    """One request: its bytes, and which of the spans lie in it, from `first` to before `last`."""

    start: int
    end: int
    first: int
    last: int


def runs(spans: Sequence[Span], most: int, gap: int = GAP) -> list[Run]:
    """The requests that bring these spans, which rise and do not overlap.

    Spans are joined over the smallest gaps first, none of them longer than `gap`, as long as what is fetched for
    nothing stays in proportion. No request is longer than `most` bytes, but for that of a single longer span.
    """
    wanted = sum(end - start for start, end in spans)
    between = (after[0] - before[1] for before, after in pairwise(spans))
    gaps = sorted((size, index) for index, size in enumerate(between) if size)  # neighbours mostly touch
    apart = {index for _, index in gaps}
    wasted = 0
    for size, index in gaps:
        wasted += size
        if size > gap or wasted > WASTE * wanted:
            break
        apart.remove(index)
    found: list[Run] = []
    for index, (start, end) in enumerate(spans):
        before = found[-1] if found else None
        if before is not None and index - 1 not in apart and end - before.start <= most:
            found[-1] = Run(before.start, end, before.first, index + 1)
        else:
            found.append(Run(start, end, index, index + 1))
    return found


def share(total: int, workers: int) -> int:
    """Bytes of one request, so that workers end together and a drop costs little."""
    return max(1 << 20, min(32 << 20, total // (4 * max(workers, 1))))
