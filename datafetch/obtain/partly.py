"""Archives of which only the wanted members are fetched: which they are, what of them lacks, what that costs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datafetch.archive import central
from datafetch.archive.central import Directory, span_of
from datafetch.archive.inflate import crc32
from datafetch.archive.members import CHUNK, Member
from datafetch.archive.runs import Run, runs, share
from datafetch.errors import TransferFailed
from datafetch.layout.place import place
from datafetch.model import Artifact, Http, Members, Shards, Source, Why
from datafetch.obtain.streamed import streams_zip
from datafetch.store import inventory, journal
from datafetch.store.files import Tree
from datafetch.task import Task

WORKERS = 4  # requests at once that a forecast counts with; their number hardly changes the bytes

# Endings of what is read from the front only, and schemes whose ranges cost what the whole does.
_NO_ZIP = (".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".parquet")
_NO_RANGES = ("gdrive:",)

Work = tuple[Member, str]  # and the published path it is to have


def partly(task: Task, artifact: Artifact, only: frozenset[str] = frozenset()) -> bool:
    """Whether members are to be asked for one by one, if its server lets them.

    That is so for a zip of which a part is wanted, was wanted before, or lacks (`only`), or that is streamed, as long
    as no archive lies here or is to be kept.
    """
    source = artifact.source
    if not isinstance(source, Http) or not artifact.unpack or artifact.nested or artifact.rows:
        return False
    if artifact.sort:  # by lists, which tell of all its files
        return False
    if task.settings.keep_archives or task.home.archive(artifact.name).exists() or why_not(source):
        return False
    built = journal.known(task.home.journal(artifact.name)).built
    was_part = built is not None and bool(built.picked)
    few = built is not None and 0 < len(only) < built.files
    return few or was_part or bool(task.picks(artifact)) or streams_zip(task, artifact)


def why_not(source: Source) -> str:
    """Why nobody need be asked whether members are to be had one by one; "" when somebody must."""
    if not isinstance(source, Http):
        return "it comes in shards" if isinstance(source, Shards) else ""
    address = source.urls[0]
    if address.startswith(_NO_RANGES):
        return "Google Drive gives no ranges to rely on"
    name = address.partition("?")[0].partition("#")[0].lower()
    return "only a zip tells where its members lie" if name.endswith(_NO_ZIP) else ""


@dataclass(frozen=True, slots=True)
class Share:
    """What is wanted of an archive whose directory is known."""

    work: tuple[
        Work, ...
    ]  # in the order in which they lie; all that is to be here, or all that is to come back
    skipped: Mapping[str, int]  # members without a place or not chosen, by why


def wanted(task: Task, artifact: Artifact, directory: Directory, only: frozenset[str]) -> Share:
    """Raises what `place` does."""
    files = [member for member in directory.members if not member.is_dir]
    picks = task.picks(artifact)
    placed = place(artifact, task.recipe.layout, [m.name for m in files], task.settings.names, picks)
    rotten = set() if only else set(inventory.undecodable(task.home, artifact.name))
    work = tuple(
        (member, target)
        for member, target in zip(files, placed.targets, strict=True)
        if target is not None and (not only or target in only) and member.name not in rotten
    )
    return Share(work, dict(Counter(why for _, why in placed.skipped)))


def published(task: Task, artifact: Artifact) -> list[inventory.Entry]:
    """What is here of an artifact, whole as far as its sizes tell."""
    own = [entry for entry in inventory.published(task.home) if entry.artifact == artifact.name]
    gone = inventory.lost(task.home.root, own) | inventory.damaged(task.home)
    return [entry for entry in own if entry.path not in gone]


def finished(task: Task, artifact: Artifact) -> frozenset[str]:
    """The paths of documents that are written anew to fit what stands beside them."""
    return frozenset(f"{artifact.folder}/{each.to}" for each in task.recipe.finish)


def lacking(
    task: Task, artifact: Artifact, work: Sequence[Work], files: Sequence[inventory.Entry]
) -> list[Work]:
    """What of the work is not published; with it, documents that are to fit what comes."""
    have = {entry.path for entry in files}
    found = [each for each in work if each[1] not in have]
    if not found:
        return []
    again = finished(task, artifact)
    return [each for each in work if each[1] not in have or each[1] in again]


def requests(
    work: Sequence[Work],
    workers: int,
    span: Callable[[Member], tuple[int, int]] = span_of,
    most: int | None = None,
) -> list[Run]:
    spans = [span(member) for member, _ in work]
    fair = share(sum(end - start for start, end in spans), workers)
    return runs(spans, fair if most is None else min(fair, most))


def forecast(task: Task, artifact: Artifact, only: frozenset[str]) -> Members:
    """What fetching it will cost, as far as an earlier run has read its directory. Asks nobody."""
    directory = central.load(task.home.directory(artifact.name), artifact.encoding)
    everything = task.settings.stream and not only and not task.picks(artifact)
    if directory is None:
        return Members(artifact.size if everything else None, all=everything)
    work: Sequence[Work] = wanted(task, artifact, directory, only).work
    if not only:
        work = lacking(task, artifact, work, published(task, artifact))
    fetch = sum(run.end - run.start for run in requests(work, WORKERS))
    return Members(fetch, sum(member.size for member, _ in work), len(work), everything)


# --- What is here already ---


def proven(root: Path, work: Sequence[Work]) -> Iterator[tuple[Work, str]]:
    """The SHA-256 of the file of each member below `root`, if it has the size and CRC that the directory gives;
    else "".
    """
    if not root.is_dir():
        yield from ((each, "") for each in work)
        return
    with Tree(root) as tree:
        for each in work:
            yield each, _digest_of(tree, *each)


def _digest_of(tree: Tree, member: Member, target: str) -> str:
    digest, crc = hashlib.sha256(), 0
    try:
        if tree.size(target) != member.size:
            return ""
        with open(tree.read(target), "rb", buffering=0) as file:
            while data := file.read(CHUNK):
                crc = crc32(data, crc)
                digest.update(data)
    except OSError:
        return ""
    return digest.hexdigest() if crc == member.crc else ""


def refuse_replaced(
    task: Task, artifact: Artifact, work: Sequence[Work], files: Sequence[inventory.Entry]
) -> None:
    """TransferFailed when what was published of an archive is not what its directory now says, finished documents
    aside: files of two versions would stand side by side.
    """
    here = {entry.path for entry in files} - finished(task, artifact)
    for (member, target), digest in proven(task.home.root, [each for each in work if each[1] in here]):
        if not digest:
            raise TransferFailed(
                Why.CHANGED,
                f"{artifact.name}: upstream has another {member.name!r} now than the one at {target}",
                hint="upstream may have replaced it: build the new version into another folder with -o",
            )
