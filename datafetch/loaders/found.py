"""What a check found, as it adds up: a count and the first few of each kind, however many there are."""

from __future__ import annotations

from dataclasses import dataclass, field

from datafetch.loaders.rules import ERROR, Kind

FEW = 5  # examples of a kind that are kept, unless all are wanted


@dataclass(slots=True)
class Findings:
    """Of each kind how many, and the first `few` with what is said of them; None keeps all."""

    few: int | None = FEW
    counts: dict[Kind, int] = field(default_factory=dict)
    examples: dict[Kind, list[tuple[str, str]]] = field(default_factory=dict)  # path below DIR, detail

    def add(self, kind: Kind, path: str, detail: str = "") -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.wants(kind):
            self.examples.setdefault(kind, []).append((path, detail))

    def wants(self, kind: Kind) -> bool:
        """Whether the next of this kind would be kept."""
        return self.few is None or len(self.examples.get(kind, ())) < self.few

    def kinds(self) -> list[Kind]:
        """Those that were found, errors first, each in the order of `Kind`."""
        return [kind for kind in Kind if kind in self.counts]

    def total(self, severity: str) -> int:
        return sum(count for kind, count in self.counts.items() if kind.severity == severity)


@dataclass(slots=True)
class SplitSum:
    """What stands in a split; of a folder of classes the one split has no name."""

    name: str
    classes: int = 0
    pictures: int = 0
    masks: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    root: str  # as it was named
    shape: str  # what it was taken for: splits, classes, pictures, nothing
    splits: tuple[SplitSum, ...]
    found: Findings
    decoded: bool  # whether pictures were read at all
    seconds: float

    @property
    def satisfied(self) -> bool:
        return not self.found.total(ERROR)
