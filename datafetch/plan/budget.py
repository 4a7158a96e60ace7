"""What a plan costs, before the first byte: bytes to fetch and disk to have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datafetch.model import Artifact, Inventory, Seen, State


@dataclass(frozen=True, slots=True)
class Line:
    """One artifact in the plan's table."""

    name: str
    folder: str
    state: State
    todo: int | None  # bytes still to fetch; None is unknown
    size: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """Costs of a plan. Where sizes are unknown the sums hold the known part, and `unknown` counts the rest."""

    lines: tuple[Line, ...]
    fetch: int  # bytes to transfer
    disk: int  # bytes of free space to have: archives, and the files inside them
    unknown: int  # artifacts to fetch whose size nobody has published


def estimate(wanted: Sequence[Artifact], seen: Inventory) -> Budget:
    """The budget of getting `wanted` from here.

    An archive and the tree built from it exist side by side until the tree is durable, and images hardly compress, so
    each archive counts twice: the bytes still to fetch, and once more for its files.
    """
    lines = tuple(_line(artifact, seen.get(artifact.name, Seen())) for artifact in wanted)
    pending = [line for line in lines if line.state is not State.BUILT]
    fetch = sum(line.todo or 0 for line in pending)
    trees = sum(line.size or 0 for line in pending if line.state is not State.STAGED)
    unknown = sum(line.todo is None for line in pending)
    return Budget(lines, fetch, fetch + trees, unknown)


def _line(artifact: Artifact, now: Seen) -> Line:
    size = now.size if now.size is not None else artifact.size
    if now.state in (State.FETCHED, State.STAGED, State.BUILT):
        todo: int | None = 0
    else:
        todo = None if size is None else max(size - now.bytes_here, 0)
    return Line(artifact.name, artifact.folder, now.state, todo, size)
