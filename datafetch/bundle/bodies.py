"""What an output directory holds of a dataset, by the addresses that it came from. Blocks; reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datafetch.bundle.names import target_of
from datafetch.errors import TransferFailed, UsageError
from datafetch.images.ledger import Settled, batch_files, latest
from datafetch.lists.placing import extensions, placing
from datafetch.model import Artifact, Http, Outcome, Recipe, Shards, UrlList, Why, Window
from datafetch.schemes import DriveEntry, read
from datafetch.store import inventory, journal
from datafetch.store.home import Home
from datafetch.transfer.providers.known import providers


@dataclass(frozen=True, slots=True)
class Body:
    """A file that an address gave."""

    artifact: str
    target: str  # what a mirror is asked for; empty where no mirror can stand for the address
    file: Path
    sha256: str  # as the journals have it
    size: int


@dataclass(frozen=True, slots=True)
class Nothing:
    """An address of a list that gave no file."""

    artifact: str
    target: str
    why: str


def target_at(url: str) -> str:
    """What a mirror is asked for in place of an address of a recipe, where no variable names another endpoint.

    Empty for a name in a folder of Google Drive: whoever asks looks for it in a page first, which no mirror has.
    Raises UsageError for what is no address.
    """
    try:
        if isinstance(read(url), DriveEntry):
            return ""
        found = (one.address(url) for one in providers({}))
        return target_of(next((https for https in found if https is not None), url))
    except (TransferFailed, ValueError) as error:
        raise UsageError(f"{url}: {error}", "datafetch lint shows what is wrong with a recipe") from None


def files_of(home: Home, artifact: Artifact) -> Iterator[Body]:
    """The files that an artifact with addresses was fetched as, as far as they are here."""
    match artifact.source:
        case Http(urls=urls):
            done = journal.known(home.journal(artifact.name)).done
            file = home.archive(artifact.name)
            if done is None:
                return
            if not file.exists() and not artifact.unpack:
                same = (e for e in inventory.published(home) if e.artifact == artifact.name)
                file = next((home.root / e.path for e in same if e.sha256 == done.sha256), file)
            if file.exists():
                yield Body(artifact.name, target_at(urls[0]), file, done.sha256, done.size)
        case Shards(shards=shards):
            for shard in shards:
                done = journal.known(home.journal(home.shard_key(artifact.name, shard.name))).done
                file = home.shard(artifact.name, shard.name)
                if done is not None and file.exists():
                    yield Body(artifact.name, target_at(shard.urls[0]), file, done.sha256, done.size)


def rows_of(
    home: Home, recipe: Recipe, artifact: Artifact, window: Window | None = None
) -> Iterator[Body | Nothing]:
    """What became of the addresses of a list, in the order of its rows; one batch of them in memory. Of a list that
    has numbered rows only those in `window`.
    """
    assert isinstance(artifact.source, UrlList)
    first, last = (window.first, window.last) if window and artifact.source.window else (1, None)
    place = placing(artifact, recipe.layout, extensions(home, artifact))
    for batch in batch_files(home.batches(artifact.name)):
        for row in latest(batch, Settled):
            if row.row < first or (last is not None and row.row > last):
                continue
            if not row.url or row.why == Why.BAD_URL or row.outcome is Outcome.SKIPPED:
                continue
            with suppress(
                TransferFailed
            ):  # an address that cannot be asked is seen by whoever reads the list
                target = target_of(row.url)
                if row.outcome is Outcome.OK:
                    yield Body(artifact.name, target, home.root / place(row.path), row.sha256, row.size)
                else:
                    yield Nothing(artifact.name, target, row.why)


def all_of(
    home: Home, recipe: Recipe, artifacts: Sequence[Artifact], window: Window | None = None
) -> Iterator[Body | Nothing]:
    """What is here of these artifacts; of what a person brought nothing, which has no address."""
    for artifact in artifacts:
        if isinstance(artifact.source, UrlList):
            yield from rows_of(home, recipe, artifact, window)
        else:
            yield from files_of(home, artifact)
