"""What is asked, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from datafetch.errors import worst
from datafetch.model import Artifact, Bundled, Checksum, Derived, Http, Manual, Own, Recipe, Shards, UrlList
from datafetch.transfer.wanted import Wanted


class Health(StrEnum):
    OK = "ok"
    CHANGED = "changed"  # another size, version or kind of file than the recipe or the last look has
    DEAD = "dead"  # gone for good, or its host has no address any more
    PLACEHOLDER = "placeholder"  # of a list's row: a picture that stands for one that is gone
    GATED = "gated"  # a login, terms, a quota: a person is needed
    TEMPORARY = "temporary"  # no answer, or one that says: later
    MANUAL = "manual"  # a person fetches it anyhow; its pages are not asked for
    UNASKED = "unasked"  # robots.txt forbids it, or it is the rows of a list


# The exit code that each asks for (contract.md); what is not here is well.
CODES = {Health.CHANGED: 7, Health.DEAD: 4, Health.GATED: 7, Health.TEMPORARY: 5}


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one file, as a recipe has it."""

    dataset: str
    file: str  # an artifact, or one of its shards
    url: str  # for MANUAL and rows of lists a link, or nothing
    size: int | None = None
    checksums: tuple[Checksum, ...] = ()
    archive: bool = False
    begins: bool = True  # whether it begins as its name says: shards after the first do not
    unasked: Health | None = None  # why nobody is asked
    text: str = ""
    row: int = 0  # of a list
    placeholders: tuple[str, ...] = ()  # MD5 of pictures that its hosts send for one that is gone

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.file, (self.url,), Path(), Path(), "", self.size, archive=self.archive)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one address answered."""

    dataset: str
    file: str
    health: Health
    url: str  # as the recipe has it, free of secrets
    asked: str = ""  # who answered, or was the last to be asked; empty when nobody was
    text: str = ""
    status: int | None = None
    size: int | None = None
    etag: str = ""
    last_modified: str = ""
    kind: str = ""  # Content-Type
    begins: str = ""  # first bytes, hex
    was: tuple[tuple[str, str], ...] = ()  # in what it differs from the last look: what it said then
    row: int = 0  # of a list

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "was": dict(self.was)}


def targets(recipe: Recipe) -> tuple[Target, ...]:
    """Every address of a recipe, in its order."""
    return tuple(target for artifact in recipe.artifacts for target in _of(recipe.name, artifact))


def code_of(found: Sequence[Finding]) -> int:
    """The exit code. Links rot: dead rows of a list count only when none of those that were asked for is well."""
    codes = [CODES[one.health] for one in found if one.health in CODES and not one.row]
    for rows in by_list(found).values():
        if is_lost(rows):
            lost = any(one.health in (Health.DEAD, Health.PLACEHOLDER) for one in rows)
            codes.append(CODES[Health.DEAD if lost else Health.TEMPORARY])
    return worst(codes)


def is_lost(rows: Sequence[Finding]) -> bool:
    """Whether not one of the rows that were asked for is well."""
    return all(one.health not in (Health.OK, Health.UNASKED) for one in rows)


def by_list(found: Sequence[Finding]) -> dict[tuple[str, str], list[Finding]]:
    """The rows that were asked for, by dataset and list."""
    lists: dict[tuple[str, str], list[Finding]] = {}
    for one in found:
        if one.row:
            lists.setdefault((one.dataset, one.file), []).append(one)
    return lists


def _of(dataset: str, artifact: Artifact) -> list[Target]:
    name, size, sums = artifact.name, artifact.size, artifact.checksums
    match artifact.source:
        case Http(urls=urls, manual=manual):
            asked = [Target(dataset, name, url, size, sums, artifact.unpack) for url in urls]
            return [*asked, *(_by_hand(dataset, name, manual) if manual else ())]
        case Shards(shards=shards):
            return [
                Target(dataset, f"{name}/{shard.name}", url, shard.size, shard.checksums, begins, begins)
                for shard in shards
                for begins in (shard is shards[0] or bool(artifact.rows),)
                for url in shard.urls
            ]
        case UrlList(file=file):
            text = f"the rows of {file}: --rows N asks for some, datafetch status tells of those that were fetched"
            return [Target(dataset, name, "", unasked=Health.UNASKED, text=text)]
        case Manual() as manual:
            return _by_hand(dataset, name, manual)
        case Bundled() | Own() | Derived():
            return []


def _by_hand(dataset: str, name: str, manual: Manual) -> list[Target]:
    return [
        Target(dataset, name, place.link, unasked=Health.MANUAL, text=f"by hand, from {place.at}")
        for place in manual.places
    ]
