"""Documents gathered from several that stand in a folder, made anew at each build of it: coco_raw.json.

They belong to the artifact that holds their first source. When another one of the folder is built, that one is
sealed once more, with all that it has published, so that its new document is published with the rest.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from datafetch.annotate import GATHERERS, Source
from datafetch.documents.finish import beside, write_document
from datafetch.errors import BadList
from datafetch.layout import manifest
from datafetch.layout.seals import seal, sealed
from datafetch.model import Artifact, Event, FileRecord, Finish
from datafetch.store.faults import user_errors
from datafetch.store.files import remove_tree
from datafetch.store.home import Home, slug
from datafetch.task import Task


def gather(task: Task, folder: str, tell: Callable[[Event], None]) -> None:
    """Make the documents of a folder whose sources are staged or published, and seal those that differ.

    May be called again after any end. Raises BadList for a source that is absent though its artifact is here, or
    that is no such document.
    """
    for wanted in task.recipe.finish:
        owners = [_owner(source, task.wanted) for source in wanted.sources]
        if not owners or any(owner is None or owner.folder != folder for owner in owners):
            continue
        held = [(owner, _records(task.home, owner)) for owner in owners if owner is not None]
        if all(records for _, records in held):
            _gather(task, wanted, folder, held, tell)


def _owner(source: str, wanted: Sequence[Artifact]) -> Artifact | None:
    """The artifact that holds a source: the longest name it begins with."""
    found = [artifact for artifact in wanted if source.startswith(f"{artifact.name}/")]
    return max(found, key=lambda artifact: len(artifact.name), default=None)


def _records(home: Home, artifact: Artifact) -> dict[str, FileRecord]:
    """The files that an artifact has published or is about to, by path."""
    found = {record.path: record for record in manifest.salvage(home.manifest)}
    own = {path: record for path, record in found.items() if record.artifact == artifact.name}
    return own | {record.path: record for record in sealed(home.state, slug(artifact.name)) or ()}


def _gather(
    task: Task,
    wanted: Finish,
    folder: str,
    held: Sequence[tuple[Artifact, dict[str, FileRecord]]],
    tell: Callable[[Event], None],
) -> None:
    """Stage the document, unless the same is published and nothing else of its artifact is staged."""
    home, (owner, own) = task.home, held[0]
    path = f"{folder}/{wanted.to}"
    target = home.staging(owner.name) / path
    slugs = [slug(artifact.name) for artifact in task.wanted if artifact.folder == folder]
    with ExitStack() as stack:
        sources = []
        for source, pictures, (artifact, records) in zip(wanted.sources, wanted.pictures, held, strict=True):
            inside = source.removeprefix(f"{artifact.name}/")
            file = _file(home, artifact, inside, records)
            sources.append(Source(file.name, _mapped(file, stack), pictures))
        try:
            made = GATHERERS[wanted.make](sources, beside(home, folder, slugs))
            size, sha256 = write_document(target, made.records)
        except BadList as error:
            raise BadList(f"{wanted.to}: {error}", error.hint) from error
    sealed_now = sealed(home.state, slug(owner.name))
    published = own.get(path)
    if sealed_now is None and published is not None and (published.size, published.sha256) == (size, sha256):
        remove_tree(home.staging(owner.name))
        return
    origin = ", ".join(wanted.sources)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    document = FileRecord(path, size, sha256, f"{wanted.make}:{origin}", now, owner.name)
    others = own.values() if sealed_now is None else sealed_now
    seal(home.state, slug(owner.name), [*(each for each in others if each.path != path), document])
    told = "; ".join((f"{made.count:,} records", *made.notes))
    if made.notes:
        tell(Event("note", folder, text=f"{path}: {told}"))


def _file(home: Home, artifact: Artifact, inside: str, records: dict[str, FileRecord]) -> Path:
    """Where a source lies now: staged, on its way, or published."""
    for path, record in records.items():
        if f"/{record.member}".endswith(f"/{inside}"):
            places = (home.staging(artifact.name), home.state / "assembling", home.root)
            found = next((place / path for place in places if (place / path).is_file()), None)
            if found is not None:
                return found
            raise BadList(f"{path} is gone", hint=f"datafetch verify {home.dataset} --repair brings it back")
    raise BadList(f"{artifact.name} holds no {inside}", hint="mend `from` of the finish in the recipe")


def _mapped(file: Path, stack: ExitStack) -> bytes | mmap.mmap:
    """The bytes of a file until the stack ends; mapped, for the kernel can let go of them at any time."""
    with user_errors(file), open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
        if not os.fstat(opened.fileno()).st_size:
            return b""
        return stack.enter_context(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
