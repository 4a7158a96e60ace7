"""Pictures with the same bytes, found among millions in sixteen bytes for each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import groupby


class Twins:
    """Digests with the place of each: the number of its class, and its number among what is read of it.

    Two of a million pictures that differ are taken for the same once in forty million checks: eight bytes stand for
    one.
    """

    def __init__(self) -> None:
        self._digests = array("Q")
        self._classes = array("I")
        self._numbers = array("I")

    def add(self, digest: int, place: tuple[int, int]) -> None:
        self._digests.append(digest)
        self._classes.append(place[0])
        self._numbers.append(place[1])

    def groups(self) -> Iterator[list[tuple[int, int]]]:
        """The places of each picture that is there more than once, in order."""
        order = sorted(range(len(self._digests)), key=self._digests.__getitem__)
        for _, group in groupby(order, key=self._digests.__getitem__):
            places = [(self._classes[at], self._numbers[at]) for at in group]
            if len(places) > 1:
                yield sorted(places)
