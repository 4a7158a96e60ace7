"""How large the pictures are: a sample of fixed size, and what a drawing of it needs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heapreplace

SAMPLE = 4_000  # pictures whose size is looked at
CELLS = 26  # of a drawing, each way
TICKS = 6  # about

Size = tuple[int, int]  # width and height, as stored


@dataclass(frozen=True, slots=True)
class Sizes:
    counts: Mapping[Size, int]
    pictures: int  # of the dataset

    @property
    def looked_at(self) -> int:
        return sum(self.counts.values())

    @property
    def common(self) -> list[tuple[Size, int]]:
        """The sizes of the most pictures first, equal counts by size."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))

    def shapes(self) -> dict[str, int]:
        found = {"landscape": 0, "square": 0, "portrait": 0}
        for (width, height), count in self.counts.items():
            found["square" if width == height else "landscape" if width > height else "portrait"] += count
        return found


@dataclass(slots=True)
class Sample:
    """The same pictures on every machine; at most `SAMPLE`."""

    seen: int = 0
    _picks: list[tuple[int, str, Size | None]] = field(default_factory=list)

    def add(self, path: str, order: int, known: Size | None) -> None:
        self.seen += 1
        if len(self._picks) < SAMPLE:
            heappush(self._picks, (order, path, known or (0, 0)))
        elif order > self._picks[0][0]:
            heapreplace(self._picks, (order, path, known or (0, 0)))

    def measured(self, look: Callable[[str], Size | None]) -> Sizes:
        """`look` says the size of a picture that the manifest does not tell; None leaves it out."""
        found: Counter[Size] = Counter()
        for _, path, known in self._picks:
            size = known if known and known > (0, 0) else look(path)
            if size is not None and min(size) > 0:
                found[size] += 1
        return Sizes(found, self.seen)


@dataclass(frozen=True, slots=True)
class Plot:
    """A square drawing with logarithmic axes that are alike; everything from 0 to 1, upwards."""

    spots: tuple[tuple[float, float, float], ...]  # x, y, share of the fullest
    ticks: tuple[tuple[float, str], ...]


def plot(counts: Mapping[Size, int]) -> Plot:
    """Sizes put into cells, with the fullest last."""
    edges = [edge for size in counts for edge in size] or [1]
    low, high = math.log2(min(edges)), math.log2(max(edges))
    middle, half = (low + high) / 2, max((high - low) / 2 * 1.12, 0.6)
    low, span = middle - half, 2 * half

    def at(edge: float) -> float:
        return (math.log2(edge) - low) / span

    cells: dict[tuple[int, int], list[float]] = {}
    for (width, height), count in counts.items():
        x, y = at(width), at(height)
        cell = cells.setdefault((int(x * CELLS), int(y * CELLS)), [0, 0, 0])
        cell[0] += count
        cell[1] += x * count
        cell[2] += y * count
    most = max((cell[0] for cell in cells.values()), default=1)
    spots = sorted(
        ((x / count, y / count, count / most) for count, x, y in cells.values()),
        key=lambda spot: (-spot[2], spot),
    )
    return Plot(tuple(spots), tuple((at(edge), f"{edge:,}") for edge in _round(2**low, 2 ** (low + span))))


def _round(low: float, high: float) -> Sequence[int]:
    """Round edges between two: powers of two, and those halfway where there are few."""
    powers = [2**step for step in range(31) if low <= 2**step <= high]
    if len(powers) >= 3:
        return powers[:: math.ceil(len(powers) / TICKS)]
    return sorted([*powers, *(3 * 2**step for step in range(30) if low <= 3 * 2**step <= high)])


def profile(counts: Sequence[int], columns: int) -> list[float]:
    """How full classes are, the fullest first: at most so many columns, each from 0 to 1."""
    most = max(counts, default=0) or 1
    if len(counts) > columns:
        counts = [counts[at * (len(counts) - 1) // (columns - 1)] for at in range(columns)]
    return [count / most for count in counts]
