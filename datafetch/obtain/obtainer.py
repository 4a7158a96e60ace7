"""Each kind of Source brought to the state folder, verified; the images of a list to the staging folder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from datafetch.errors import NeedsPerson, TransferFailed
from datafetch.layout import manifest
from datafetch.layout.onepass import streams
from datafetch.layout.seals import seal
from datafetch.model import (
    Artifact,
    Bundled,
    Derived,
    Event,
    Fetched,
    Http,
    Manual,
    Own,
    Shard,
    Shards,
    UrlList,
    Why,
)
from datafetch.obtain.brought import Brought
from datafetch.obtain.gather import Gatherer
from datafetch.obtain.mend import seed
from datafetch.obtain.partly import partly, why_not
from datafetch.obtain.relay import Relay
from datafetch.obtain.streamed import streams_tar, why_not_streamed
from datafetch.obtain.ways import ways_of
from datafetch.obtain.wire import Tap
from datafetch.stops import in_thread
from datafetch.store import inventory, journal
from datafetch.store.files import Tree, make_folder, remove_tree
from datafetch.store.home import slug
from datafetch.task import Task
from datafetch.transfer.addresses import safe_url
from datafetch.transfer.allowance import Allowance
from datafetch.transfer.http import client
from datafetch.transfer.now import Now, now_of
from datafetch.transfer.pool import fetch
from datafetch.transfer.providers import manual
from datafetch.transfer.shards import fetch_shards
from datafetch.transfer.wanted import Wanted, Ways

if TYPE_CHECKING:
    from datafetch.images.batches import ListOutcome

GONE, PERSON = 4, 7  # exit codes of what no later run can mend by itself


class Obtainer:
    """Brings artifacts of one recipe. A client is opened when the first of them needs the network."""

    def __init__(self, task: Task, emit: Callable[[Event], None], stopped: threading.Event) -> None:
        self._task = task
        self._recipe, self._home, self._settings = task.recipe, task.home, task.settings
        self._emit, self._stopped = emit, stopped
        self._stack = AsyncExitStack()
        self._ways: Ways | None = None
        self._allowance = Allowance.of(self._settings)
        self._brought = Brought(task, emit, stopped)
        self._whole: set[str] = set()  # of a part is wanted, but which this run fetches whole

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        await asyncio.to_thread(self._brought.close)

    async def obtain(self, artifact: Artifact, only: frozenset[str] = frozenset()) -> tuple[Path, ...]:
        """Bring one artifact to FETCHED; a URL list, and shards that are unpacked as they come, to STAGED. What comes
        back are archives that a person brought and that are still to be unpacked, where they lie.

        What is in `only` is brought anew of those, when they are published already. So is a zip of which a part is
        wanted, if its server gives ranges.

        May be called again after any end. Every byte of a file that is FETCHED by this was hashed by it, also of
        one that an earlier run had nearly finished.

        Raises the errors of the station that does it: TransferFailed, NeedsPerson, NoRoom.
        """
        match artifact.source:
            case Http(manual=Manual() as instead) if self._brought.loose_here(artifact, instead):
                await asyncio.to_thread(self._brought.take, replace(artifact, source=instead))
            case Http(urls=urls) if (
                brought := self._brought.lies_here(artifact, urls)
            ) is not None and not self._brought.lies_in_parts(artifact):
                await asyncio.to_thread(self._brought.copy_in, artifact, brought, urls[0])
            case Http(manual=Manual() as instead) if await asyncio.to_thread(
                self._brought.packed_here, artifact, instead
            ):
                await asyncio.to_thread(self._brought.take, replace(artifact, source=instead))
            case Http(urls=urls, manual=instead):
                if not await self._from_wire(artifact, only):
                    await in_thread(lambda: seed(self._home, artifact, only))
                    await self._file_or_ask(artifact, urls, instead)
            case Shards() if streams(
                artifact, self._recipe.layout, self._settings, self._task.picks(artifact)
            ):
                await self._relay(artifact, artifact.source, only)
            case Shards(shards=shards):
                self._say_why_whole(artifact)
                await self._shards(artifact, shards)
            case UrlList():
                await self._list(artifact, artifact.source, only)
            case Manual():
                return await asyncio.to_thread(self._brought.take, artifact)
            case Own():
                from datafetch.own.bring import bring

                await in_thread(lambda: bring(self._task, artifact, only, self._emit, self._stopped.is_set))
            case Derived():
                from datafetch.documents.derive import derive

                await in_thread(lambda: derive(self._task, artifact, self._emit, self._stopped.is_set))
            case Bundled(path=path):
                await asyncio.to_thread(self._brought.take_bundled, artifact, path)
        return ()

    async def told_now(self, artifact: Artifact, url: str) -> Now:
        """What upstream says of a file without being asked for it: of the artifact, or of the shard at `url`."""
        match artifact.source:
            case Http(urls=urls):
                asked = urls
            case Shards(shards=shards):
                lacking = (s for s in shards if inventory.shard_here(self._home, artifact, s) is None)
                asked = next((s.urls for s in lacking if safe_url(s.urls[0]) == url), shards[0].urls)
            case _:
                return Now()
        target = self._home.archive(artifact.name)
        wanted = Wanted(artifact.name, asked, self._home.part(artifact.name), target, "")
        return await now_of(wanted, await self._open())

    async def _from_wire(self, artifact: Artifact, only: frozenset[str]) -> bool:
        """Whether it is STAGED now, with no archive on the way."""
        if artifact.name in self._whole or not streams_tar(self._task, artifact):
            return await self._members(artifact, only)
        tap = Tap(self._task, artifact, only, self._emit, self._stopped)
        if await tap.bring(await self._open()):
            return True
        self._whole.add(artifact.name)
        return False

    async def _members(self, artifact: Artifact, only: frozenset[str]) -> bool:
        """Whether it is STAGED now, by the members that are wanted of it."""
        if artifact.name in self._whole:
            return False
        if not partly(self._task, artifact, only):
            self._say_why_whole(artifact)
        elif await Gatherer(self._task, artifact, only, self._emit, self._stopped).bring(self._open):
            return True
        elif self._settings.stream:  # what came of it takes the room that the whole will need
            await asyncio.to_thread(remove_tree, self._home.staging(artifact.name))
        self._whole.add(artifact.name)
        return False

    def _say_why_whole(self, artifact: Artifact) -> None:
        if not artifact.unpack:
            return
        reason = why_not(artifact.source) if self._task.picks(artifact) else ""
        if self._settings.stream:
            reason = why_not_streamed(self._task, artifact)
        if reason:
            self._emit(Event("note", artifact.name, text=f"{artifact.name} is fetched whole: {reason}"))

    async def _open(self) -> Ways:
        if self._ways is None:
            http = await self._stack.enter_async_context(client(self._settings, allowance=self._allowance))
            self._ways = ways_of(self._settings, http, self._emit, self._task.held)
        return self._ways

    async def _file_or_ask(self, artifact: Artifact, urls: tuple[str, ...], instead: Manual | None) -> None:
        try:
            await self._file(artifact, urls)
        except TransferFailed as error:
            if instead is None or error.exit_code not in (GONE, PERSON):
                raise
            asked_for = replace(artifact, source=instead)
            hits = manual.find(asked_for, self._brought.folders)
            make_folder(self._home.inbox)
            needed = manual.needs_person(asked_for, hits, self._home.inbox)
            raise NeedsPerson(f"{error}\n{needed}", error.hint or needed.hint) from error

    async def _file(self, artifact: Artifact, urls: tuple[str, ...]) -> None:
        home, name = self._home, artifact.name
        known = journal.known(home.journal(name))
        wanted = Wanted(
            name=name,
            urls=urls,
            part=home.part(name),
            target=home.archive(name),
            path=str(home.archive(name).relative_to(home.state)),
            size=artifact.size,
            checksums=artifact.checksums,
            # A file becomes the one to compare with once its tree was built: before that it may have been rubbish.
            known_sha256=known.done.sha256 if known.done and known.built else "",
            version=self._task.version(name),
            archive=artifact.unpack,
            end_proves=artifact.unpack,
        )
        with journal.Journal(home.journal(name)) as rows:
            await fetch(wanted, await self._open(), rows)

    async def _shards(self, artifact: Artifact, shards: Sequence[Shard]) -> None:
        missing = [s for s in shards if inventory.shard_here(self._home, artifact, s) is None]
        work = [(w, journal.Journal(self._home.journal(w.name))) for w in self._wanted(artifact, missing)]
        await fetch_shards(work, await self._open())

    def _wanted(self, artifact: Artifact, shards: Sequence[Shard]) -> Iterator[Wanted]:
        home = self._home
        built = journal.known(home.journal(artifact.name)).built is not None
        assert isinstance(artifact.source, Shards)
        for shard in shards:
            key, target = home.shard_key(artifact.name, shard.name), home.shard(artifact.name, shard.name)
            known = journal.known(home.journal(key)).done
            yield Wanted(
                name=key,
                urls=shard.urls,
                part=home.part(key),
                target=target,
                path=str(target.relative_to(home.state)),
                size=shard.size,
                checksums=shard.checksums,
                known_sha256=known.sha256 if known and built else "",
                version=self._task.version(artifact.name, shard.name),
                archive=artifact.unpack and (shard is artifact.source.shards[0] or bool(artifact.rows)),
            )

    async def _relay(self, artifact: Artifact, source: Shards, only: frozenset[str]) -> None:
        ways = await self._open()

        async def obtain(index: int) -> Fetched:
            shard = source.shards[index]
            key = self._home.shard_key(artifact.name, shard.name)
            known = journal.known(self._home.journal(key)).done
            if known is not None and inventory.shard_here(self._home, artifact, shard) is not None:
                self._emit(Event("fetched", key, known.size, known.size, url=known.url))
                return known
            (wanted,) = self._wanted(artifact, [shard])
            return await fetch(wanted, ways, journal.Journal(self._home.journal(key)))

        await Relay(self._task, artifact, obtain, self._emit, self._stopped).bring(only)

    async def _list(self, artifact: Artifact, source: UrlList, redo: frozenset[str]) -> None:
        from datafetch.documents.listed import write_listed
        from datafetch.images.ask import PATIENCE
        from datafetch.images.batches import Manners, fetch_list
        from datafetch.lists.placing import extensions, placing
        from datafetch.lists.rows import rows as rows_of

        home, settings = self._home, self._settings
        known = extensions(home, artifact)
        place = placing(artifact, self._recipe.layout, known)
        if settings.offline and next(iter(rows_of(self._task, artifact, source, place)), None) is None:
            await asyncio.to_thread(self._stage_nothing, artifact)
            return
        ways = await self._open()
        if known is not None:
            await asyncio.to_thread(known.go_on, home.staging(artifact.name))
        outcome = await fetch_list(
            artifact,
            rows_of(self._task, artifact, source, place),
            manners=Manners(
                settings,
                ways,
                self._allowance,
                PATIENCE.insisting(settings.retries),
                jobs=settings.items,
                per_host=settings.items_per_host,
                samples=home.samples(artifact.name),
                learned=home.hosts,
            ),
            staging=home.staging(artifact.name),
            journal=home.batches(artifact.name),
            stop=self._stopped.is_set,
            published=(home.root,),
            place=place,
            retry_gone=settings.retry_gone,
            redo=redo,
        )
        if source.check == "image":
            outcome = await asyncio.to_thread(self._take_back, artifact, outcome, place)
        with journal.Journal(home.journal(artifact.name)) as rows:
            picks = self._task.picks(artifact)
            rows.append(journal.Staged(len(outcome.records), settings.names, outcome.dropped, picks))

        def end() -> None:
            if known is not None:
                paths = (record.path for record in outcome.records)
                known.give(home.staging(artifact.name), paths, lambda: manifest.sizes(home.manifest))
            told = tuple(write_listed(self._task, artifact, source, place, outcome.records))
            seal(home.state, slug(artifact.name), chain(outcome.records, told))

        await asyncio.to_thread(end)

    def _stage_nothing(self, artifact: Artifact) -> None:
        """A list without a row becomes STAGED: nobody has to be asked for it, so it needs no network either."""
        home, name = self._home, artifact.name
        make_folder(home.staging(name) / artifact.folder)
        with journal.Journal(home.journal(name)) as rows:
            rows.append(journal.Staged(0, self._settings.names, {}, self._task.picks(artifact)))
        seal(home.state, slug(name), ())

    def _take_back(
        self, artifact: Artifact, outcome: ListOutcome, place: Callable[[str], str]
    ) -> ListOutcome:
        """The outcome without the rows that a census of the whole list finds to be placeholders."""
        from datafetch.images.samples import Samples
        from datafetch.images.withdraw import less, withdraw

        home = self._home
        staging, samples = home.staging(artifact.name), Samples(home.samples(artifact.name))
        looked_at = iter(range(8))  # enough to show what they are
        with Tree(staging) as staged:

            def remove(path: str) -> None:
                if next(looked_at, None) is not None:
                    with suppress(OSError):  # it may be published already
                        samples.keep(Why.PLACEHOLDER, (staging / place(path)).read_bytes())
                staged.remove(place(path))

            taken = withdraw(home.batches(artifact.name), remove)
        for host, rows in taken.items():
            text = f"{artifact.name}: {host} gives the same picture under very many addresses: {rows:,} placeholders"
            self._emit(Event("note", artifact.name, text=text))
        return less(outcome, sum(taken.values()))
