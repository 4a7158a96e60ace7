"""An entry of the lock file, of what is built here and what the journals know of how it came. Reads, never writes.

Only what was fetched and hashed on this machine stands in it: nothing is asked of a server, nothing is taken over from
the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from datafetch.errors import UsageError
from datafetch.identity import identity
from datafetch.layout import manifest
from datafetch.lock.choices import words
from datafetch.lock.digests import layout_digest, recipe_digest
from datafetch.lock.document import Entry, LockedArtifact, LockedFile, ranges
from datafetch.lock.rows import given
from datafetch.lock.sketch import sketch
from datafetch.lock.tree import Sum, sums
from datafetch.model import (
    Artifact,
    Choice,
    Fetched,
    Http,
    Recipe,
    Settings,
    Shards,
    State,
    UrlList,
)
from datafetch.store import journal
from datafetch.store.home import Home
from datafetch.store.journal import Upstream
from datafetch.store.stock import observe, take_stock
from datafetch.store.told import told
from datafetch.transfer.addresses import clean_url, safe_url

_REMOTE = ("http://", "https://", "hf://", "s3://", "gdrive://")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be locked."""

    recipe: Recipe
    choice: Choice
    settings: Settings
    wanted: Sequence[Artifact]  # that the choice selects, and what those need


def entry(wish: Wish, home: Home, before: Entry | None) -> Entry:
    """What to write down of a dataset; `before` is the entry that it replaces, from which days of files that are the
    same are kept. Raises UsageError, which says what to do first, when not all of it is here as it was fetched.
    """
    recipe, wanted = wish.recipe, wish.wanted
    digest = recipe_digest(recipe, wanted)
    _refuse_lacking(wish, home)
    found = sums(recipe, [artifact.name for artifact in wanted], manifest.with_seals(home.manifest, ()))
    locked = []
    for artifact in wanted:
        now = _artifact(home, artifact, found.of(artifact.name))
        locked.append(_with_days(now, before.of(artifact.name) if before else None))
    return Entry(
        recipe.name,
        words(recipe, wish.choice, wish.settings),
        digest,
        layout_digest(recipe),
        found.all.digest,
        found.all.files,
        found.all.bytes,
        tuple(locked),
    )


def _refuse_lacking(wish: Wish, home: Home) -> None:
    recipe, wanted, settings = wish.recipe, wish.wanted, wish.settings
    typed = " ".join((recipe.name, *words(recipe, wish.choice, settings)))
    stock = take_stock(home)
    seen = observe(home, wanted, stock)
    absent = [artifact.name for artifact in wanted if seen[artifact.name].state is not State.BUILT]
    names = {artifact.name for artifact in wanted}
    if stock.gone and any(stock.missing.get(name) for name in names):
        lost = sum(len(stock.missing.get(name, ())) for name in names)
        raise UsageError(
            f"{recipe.name}: {lost:,} of its files are missing or damaged here, and only what is whole can be locked",
            f"datafetch verify {recipe.name} --repair brings them back",
        )
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        raise UsageError(
            f"{recipe.name}: {', '.join(absent[:3])}{more}: not here, and only what was fetched can be locked",
            f"datafetch get {typed} first",
        )
    for artifact in wanted:
        known = journal.known(home.journal(artifact.name)).built
        if known is not None and known.names != settings.names:
            raise UsageError(
                f"{recipe.name} was built with --names {known.names}", f"add --names {known.names}"
            )
        if known is not None and known.picked and not settings.subset:
            raise UsageError(
                f"{artifact.name}: only a part is here ({' and '.join(map(str, known.picked))})",
                "give datafetch lock the same choices, or get the whole first",
            )
        made = told(home, artifact.name)
        if made is not None and made.absolute:
            raise UsageError(
                f"{artifact.name} was made with --absolute-paths, which differ from machine to machine",
                f"datafetch get {typed} makes it without",
            )


def _artifact(home: Home, artifact: Artifact, brought: Sum) -> LockedArtifact:
    known = journal.known(home.journal(artifact.name))
    shards = _shards(home, artifact)
    is_part = bool(known.built and known.built.picked)
    if shards or is_part:
        file = LockedFile()
    else:
        file = _streamed(artifact, known.upstream) if known.done is None else _file(known.done)
    is_list = isinstance(artifact.source, UrlList)
    folder = home.batches(artifact.name)
    rows = ranges(row.row for row in given(folder)) if is_list else ""
    files = ((row.row, row.sha256) for row in given(folder))
    drawn = sketch(sum(1 for _ in given(folder)), files) if rows else ()
    return LockedArtifact(
        artifact.name,
        file.url,
        file.size,
        file.sha256,
        file.etag,
        file.last_modified,
        file.seen,
        rows,
        brought.files,
        brought.bytes,
        brought.digest,
        shards,
        drawn,
    )


def _file(done: Fetched, name: str = "") -> LockedFile:
    # What lies beside the recipe, or was brought by hand, has no upstream that could change.
    is_remote = done.url.startswith(_REMOTE)
    seen = done.fetched_at[:10] if is_remote and not done.last_modified else ""
    return LockedFile(name, done.url, done.size, done.sha256, done.etag, done.last_modified, seen)


def _streamed(artifact: Artifact, said: Upstream | None) -> LockedFile:
    """An archive that was unpacked while it came: nobody has hashed all of it. A mirror speaks for itself alone."""
    if said is None or not isinstance(artifact.source, Http):
        return LockedFile()
    urls = artifact.source.urls
    own = said.address in (identity(clean_url(url)) for url in urls)
    etag, modified = (said.etag, said.last_modified) if own else ("", "")
    return LockedFile("", safe_url(urls[0]), said.size, "", etag, modified, "" if modified else said.at[:10])


def _shards(home: Home, artifact: Artifact) -> tuple[LockedFile, ...]:
    """Each part; none when not all of them were hashed here."""
    if not isinstance(artifact.source, Shards):
        return ()
    found = []
    for shard in artifact.source.shards:
        done = journal.known(home.journal(home.shard_key(artifact.name, shard.name))).done
        if done is None:
            return ()
        found.append(_file(done, shard.name))
    return tuple(found)


def _with_days(now: LockedArtifact, before: LockedArtifact | None) -> LockedArtifact:
    """The same with the day on which a file that is the same was first seen."""
    if before is None:
        return now
    seen = _day(now.file, before.file)
    shards = {one.name: one for one in before.shard}
    kept = tuple(msgspec.structs.replace(one, seen=_day(one, shards.get(one.name, one))) for one in now.shard)
    return msgspec.structs.replace(now, seen=seen, shard=kept)


def _day(now: LockedFile, before: LockedFile) -> str:
    same = now.sha256 == before.sha256 and now.url == before.url
    return min(now.seen, before.seen) if same and now.seen and before.seen else now.seen
