"""Files that artifacts hold and others need: lists, tables and documents, staged now or published already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import UsageError
from datafetch.layout import manifest
from datafetch.layout.seals import sealed
from datafetch.model import Artifact, FileRecord
from datafetch.plan.difference import holder
from datafetch.store.home import slug
from datafetch.task import Task


@dataclass(frozen=True, slots=True)
class _Held:
    record: FileRecord
    path: Path  # now: staged, or published already

    @property
    def name(self) -> str:
        """What a path of the recipe is compared with the end of."""
        return f"/{self.record.member or self.record.path}"


def file(task: Task, path: str) -> Path:
    """Where the file stands that a recipe calls by `path`, which begins with the name of an artifact.

    Raises UsageError when that artifact has no such file.
    """
    owner, files = _held(task, path)
    inside = path.removeprefix(owner).strip("/")
    for held in files:
        if not inside or held.name.endswith(f"/{inside}"):
            return held.path
    raise _absent(owner, inside)


def matching(task: Task, pattern: str) -> list[tuple[dict[str, str], Path]]:
    """The files that the captures of `pattern` match, with what they capture.

    In the order in which they came: one that comes later, because its host was down, must not give other numbers
    to the rows of those before it. Raises UsageError when there are none.
    """
    owner, files = _held(task, pattern)
    inside = pattern.removeprefix(owner).strip("/")
    pieces = re.split(r"<([^<>]+)>", inside)
    texts = (f"(?P<{piece}>[^/]+?)" if at % 2 else re.escape(piece) for at, piece in enumerate(pieces))
    fits = re.compile(f"(?:.*/)?{''.join(texts)}", re.DOTALL).fullmatch
    ordered = sorted(files, key=lambda held: (held.record.fetched_at, held.record.path))
    found = [(match.groupdict(), held.path) for held in ordered if (match := fits(held.name)) is not None]
    if not found:
        raise _absent(owner, inside)
    return found


def records(task: Task, artifact: Artifact) -> Iterable[FileRecord]:
    """The files of an artifact: staged, or else published."""
    staged = sealed(task.home.state, slug(artifact.name))
    if staged is not None:
        return staged
    return (record for record in manifest.read(task.home.manifest) if record.artifact == artifact.name)


def _held(task: Task, path: str) -> tuple[str, Iterator[_Held]]:
    """The name of the artifact that holds `path`, and the files of that."""
    owner = holder(path, task.recipe.artifacts)
    assert owner is not None, "the plan waits for the artifact that holds it"
    staging = task.home.staging(owner.name)

    def held() -> Iterator[_Held]:
        for record in records(task, owner):
            staged = staging / record.path
            yield _Held(record, staged if staged.exists() else task.home.root / record.path)

    return owner.name, held()


def _absent(owner: str, inside: str) -> UsageError:
    return UsageError(
        f"{owner} holds no {inside or 'list'}", hint="mend the path in the recipe, or bring what it names"
    )
