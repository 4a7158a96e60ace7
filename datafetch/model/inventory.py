"""Inventory and plan: what exists, and the difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How far an artifact, or the repair of one, has come; each state includes the work of those before it."""

    ABSENT = "absent"
    PARTIAL = "partial"  # a `.part` file, or some shards or images
    FETCHED = "fetched"  # the verified file lies in the state folder
    STAGED = "staged"  # its files are durable in the staging folder, under their final names
    BUILT = "built"  # published, and in the manifest


@dataclass(frozen=True, slots=True)
class Members:
    """Of a remote archive members are taken from the wire; None until its directory was read."""

    fetch: int | None = None  # bytes
    tree: int | None = None  # bytes they unpack to
    files: int | None = None
    all: bool = False  # and not only those that are wanted


@dataclass(frozen=True, slots=True)
class Seen:
    """What was observed of one artifact."""

    state: State = State.ABSENT
    bytes_here: int = 0  # of the artifact itself: part or whole file
    size: int | None = None  # bytes of the artifact, when the recipe or an earlier run knows
    files: int = 0  # published
    tree_bytes: int = 0  # published
    lost: frozenset[str] = frozenset()  # published paths to bring back; such an artifact is never BUILT
    members: Members | None = None  # how, when not as a whole


Inventory = Mapping[str, Seen]


class Verb(StrEnum):
    GET = "get"
    EXTRACT = "extract"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class Step:
    """One act. `name` is an artifact, or for BUILD a folder of the output directory."""

    verb: Verb
    name: str
    only: frozenset[str] = frozenset()  # published paths to bring back; empty is all of them


@dataclass(frozen=True, slots=True)
class Plan:
    steps: tuple[Step, ...]  # what can be done now; doing it makes further steps possible

    def __bool__(self) -> bool:
        return bool(self.steps)
