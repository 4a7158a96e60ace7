"""Who fetches which bytes of one file: each connection claims a piece, from the front on; pure.

Pieces are claimed in order, so that the digest, which must read the file in order, is never far behind. When
nothing is left to claim, an idle connection takes the back half of the piece that has most to go.
"""

from __future__ import annotations

from collections.abc import Iterable

from datafetch.transfer.spans import Span, Spans

LEAST = 1 << 20  # a shorter piece is not worth a request


class Claim:
    """The piece of one connection: `at` moves on as bytes come in, `end` comes nearer when others help."""

    __slots__ = ("at", "end")

    def __init__(self, at: int, end: int) -> None:
        self.at, self.end = at, end

    @property
    def left(self) -> int:
        return self.end - self.at


class Claims:
    """All that lacks of one file. Every byte is in one claim, free, or there already."""

    def __init__(self, gaps: Iterable[Span]) -> None:
        self._free = list(gaps)
        self._taken: list[Claim] = []

    @property
    def left(self) -> int:
        """Bytes that have not come in."""
        return self.free + sum(claim.left for claim in self._taken)

    @property
    def free(self) -> int:
        return sum(end - start for start, end in self._free)

    def first(self) -> Claim | None:
        """The whole first gap: what one connection is asked for that has no help."""
        return self.next(self._free[0][1] - self._free[0][0]) if self._free else None

    def next(self, most: int) -> Claim | None:
        """At most `most` bytes of the first gap; a rest too short for a request comes with it."""
        if not self._free:
            return None
        start, end = self._free.pop(0)
        stop = end if end - start < most + LEAST else start + most
        if stop < end:
            self._free.insert(0, (stop, end))
        claim = Claim(start, stop)
        self._taken.append(claim)
        return claim

    def steal(self) -> Claim | None:
        """The back half of the claim that has most to go; None when that is too short to share."""
        longest = max(self._taken, key=lambda claim: claim.left, default=None)
        if longest is None or longest.left < 2 * LEAST:
            return None
        middle = longest.at + longest.left // 2
        claim = Claim(middle, longest.end)
        longest.end = middle
        self._taken.append(claim)
        return claim

    def split(self, claim: Claim, start: int, end: int) -> Claim | None:
        """The bytes from `start` to `end` out of a claim, what follows is free; None when it is past them."""
        if not claim.at < start < end <= claim.end:
            return None
        self._release(end, claim.end)
        claim.end = start
        taken = Claim(start, end)
        self._taken.append(taken)
        return taken

    def extend(self, claim: Claim, most: int) -> bool:
        """Adds up to `most` of the free bytes that follow on a claim; False when there are none."""
        for number, (start, end) in enumerate(self._free):
            if start == claim.end:
                claim.end = end if end - start < most + LEAST else start + most
                self._free[number : number + 1] = [(claim.end, end)] if claim.end < end else []
                return True
        return False

    def done(self, claim: Claim) -> None:
        """The connection has left its claim: what did not come in is free again."""
        self._taken.remove(claim)
        self._release(claim.at, claim.end)

    def _release(self, start: int, end: int) -> None:
        if start == end:
            return
        self._free = list(Spans([*self._free, (start, end)]).all())
