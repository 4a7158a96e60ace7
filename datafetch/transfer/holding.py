"""What is held of one file: the part and the journal rows that say what it is a part of, kept in step.

A cut at any point never mixes two versions, because of the order: the part is cut to nothing, the row that
says what it will hold is made durable, then bytes are written. A row of an older version meets an empty part.
The length of a part says nothing. Each write is followed by a row with its CRC-32, which a kill leaves behind
and a power cut makes void: what the disk no longer holds as it was written is never taken for the file.

The row also says which addresses the bytes are from, by identity, and what those have promised of the whole. So
a later run can tell whether they are bytes of the file that is wanted then (the tables in `resume`), and holds
them to the promise under which they were joined.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path

from datafetch.errors import TransferFailed
from datafetch.identity import identity
from datafetch.model import Fetched
from datafetch.store.journal import (
    Consists,
    Done,
    Gone,
    Journal,
    Part,
    Upstream,
    Whole,
    Wrote,
    known,
    settled,
)
from datafetch.store.machine import boot_id
from datafetch.transfer.addresses import safe_url
from datafetch.transfer.part import PartFile
from datafetch.transfer.pieces import Grains, Piece, Pieces
from datafetch.transfer.promise import Promise
from datafetch.transfer.rehash import holds
from datafetch.transfer.resume import Held, Said, Validators, Worth, trusted, worth
from datafetch.transfer.spans import Span

_MANY = 16  # rows about writes that may stay in the journal of a finished file


class Holding:
    """Of one file; one transfer at a time. Every method may raise the disk's faults as user errors."""

    def __init__(
        self,
        part: Path,
        journal: Journal,
        algorithms: Iterable[str],
        addresses: Collection[str] = (),
        known_digest: bool = False,
    ) -> None:
        """`addresses` are the identities of all of the file's; `known_digest` is whether one of it is known."""
        self._journal = journal
        self._rows = threading.Lock()  # the journal is written from several threads
        self._said = 0  # rows about writes
        self._boot = boot_id()
        self._checkpoint: asyncio.Task[None] | None = None
        self.url = ""  # where the last bytes are from, free of secrets
        self._sources: tuple[
            str, ...
        ] = ()  # identities of all addresses that bytes are from, the last one last
        self.validators = Validators()
        self.said: Said = Said()  # by the last answer, strong or not: for a person, and for lock files
        self.promise = Promise()  # by all of `sources`
        self._upstream: Upstream | None = None  # what was said last of what is held
        found = known(journal.path)
        row = found.part
        pieces: tuple[Piece, ...] = ()
        use = Worth.NOTHING
        if row is not None:
            use = worth(row.sources, addresses, known_digest, bool(row.promised))
        if row is not None and use is not Worth.NOTHING:
            on_disk = part.stat().st_size if part.is_file() else 0
            wrote = ((one.start, one.end, one.crc) for one in found.wrote)
            same_boot = bool(self._boot) and row.boot == self._boot
            pieces = trusted(on_disk, row.durable, wrote, same_boot)
            self.url, self._sources = row.url, row.sources
            self.validators = Validators(row.etag, row.last_modified, row.total)
            self.said = Said(row.etag, row.last_modified)
            if use is Worth.ALL and pieces:
                self.promise = Promise(row.promised_size, row.promised)
        promised = (one.algorithm for one in self.promise.checksums)
        # As they were written down, where that says the same: what is joined cannot be told apart any more.
        told = row.durable if row is not None else ()
        self._grains = Grains(told if Pieces(told).all() == pieces else pieces)
        self.part = PartFile(part, pieces, (*algorithms, *promised), self._wrote)
        # Its end was seen: by length, or by a framing that has an end.
        self.whole = 0 < self.part.position == self.validators.total

    @property
    def front(self) -> int:
        """Bytes held from the beginning on, without a gap."""
        return self.part.position

    @property
    def size(self) -> int:
        """Bytes held."""
        return self.part.size

    def gaps(self) -> tuple[Span, ...]:
        """What lacks of the file, whose length is known."""
        assert self.validators.total is not None
        return self.part.gaps(self.validators.total)

    def held(self) -> Held:
        end = None
        total = self.validators.total
        if total is not None:
            gaps = self.part.gaps(total)
            end = gaps[0][1] if gaps and gaps[0][1] < total else None
        return Held(self._sources[-1] if self._sources else "", self.front, self.validators, end)

    def given_by(self, addresses: Collection[str]) -> Said:
        """What these addresses, by identity, have said of the bytes held; nothing when others gave some of them."""
        return self.said if set(self._sources) <= set(addresses) else Said()

    def promised(self, promise: Promise) -> None:
        """What the provider of the bytes that follow states about the whole, beside what is promised already."""
        if promise:
            self.promise = self.promise.joined(promise)
            self.part.also(one.algorithm for one in promise.checksums)

    @property
    def upstream(self) -> Upstream | None:
        """What the last answer has said of what is held."""
        return self._upstream

    def heard(self, upstream: Upstream) -> None:
        """What the answer says of the file whose bytes follow: written down once it is whole."""
        self._upstream = upstream

    async def drop(self) -> None:
        """Holds nothing any more."""
        await self.part.rewind()
        self._upstream = None
        self._grains.clear()
        self.promise = Promise()
        self.url, self._sources, self.validators, self.whole = "", (), Validators(), False
        self.said = Said()

    async def describe(self, url: str, validators: Validators) -> None:
        """Says durably what the bytes that follow are of. `url` is a clean one."""
        await self._idle()
        await self.part.written()
        address = identity(url)
        self._sources = (*(source for source in self._sources if source != address), address)
        self.url, self.validators, self.whole = safe_url(url), validators, False
        await asyncio.to_thread(self._sync_and_say)

    async def open_up(self) -> None:
        """From now on bytes may come in any order."""
        total = self.validators.total
        if total is not None:
            await asyncio.to_thread(self.part.stretch, total)

    def checkpoint(self) -> None:
        """Has what is written made durable, beside the loop; at most one such wait is under way."""
        if self._checkpoint is None or self._checkpoint.done():
            self._raise()
            self._checkpoint = asyncio.create_task(asyncio.to_thread(self._sync_and_say))

    def _raise(self) -> None:
        if self._checkpoint is not None and self._checkpoint.done() and not self._checkpoint.cancelled():
            error = self._checkpoint.exception()
            self._checkpoint = None
            if error is not None:
                raise error

    def _wrote(self, piece: Piece) -> None:
        """Follows each write, on its thread."""
        with self._rows:
            self._journal.append(Wrote(*piece), durable=False)
            self._grains.add(piece)
            self._said += 1

    def _sync_and_say(self) -> None:
        durable = self.part.sync() if self.part.size else ()
        tied = self.validators
        row = Part(
            self.url,
            tied.etag,
            tied.last_modified,
            tied.total,
            self._boot,
            durable,
            self._sources,
            self.promise.size,
            self.promise.checksums,
        )
        with self._rows:  # the new row makes those before it void: what was not synced is said again
            newer = [Wrote(*piece) for piece in self.part.solid() if piece not in durable]
            self._journal.extend((row, *newer))

    def gone(self, url: str) -> None:
        """Writes down that an address answered that the file is gone."""
        with self._rows:
            self._journal.append(Gone(url))

    async def finished_before(self, target: Path, fits: Callable[[Fetched], bool]) -> Fetched | None:
        """The file that an earlier run verified and was killed while giving it its final name; now it has it.

        That was a word about bytes that anyone may have changed since: they are read again, and None comes back
        when they are others now.
        """
        whole = (await asyncio.to_thread(known, self._journal.path)).whole
        if whole is None or not fits(whole):
            return None
        if self.front == whole.size:
            try:
                digests = await self.part.digests()
            except TransferFailed:
                return None  # and whoever asks next for the digests is told
            if digests["sha256"] != whole.sha256:
                await self.drop()
                return None
            await asyncio.to_thread(self.part.rename, target)
        elif not await asyncio.to_thread(holds, target, whole.size, whole.sha256):
            return None
        await asyncio.to_thread(self._journal.append, Done(whole))
        return whole

    async def finish(self, target: Path, fetched: Fetched) -> None:
        """The whole file is verified: it takes its final name, and then the journal says so."""
        await self._idle()

        def act() -> None:
            self._sync_and_say()
            self._journal.append(Whole(fetched))
            self._say_grains(fetched.size)
            self.part.rename(target)
            if (said := self._upstream or self._as_continued()) is not None:
                self._journal.append(said, durable=False)  # as durable as the row that follows
            self._journal.append(Done(fetched))
            if self._said > _MANY:
                self._journal.replace(settled(self._journal.path))

        await asyncio.to_thread(act)
        self.url = ""  # nothing is left to describe

    def _as_continued(self) -> Upstream | None:
        """As an earlier run was told that had all bytes; nothing when they are of several addresses."""
        if len(self._sources) != 1:
            return None
        known = self.validators
        return Upstream(self._sources[0], self.url, known.etag, known.last_modified, known.total, now())

    def _say_grains(self, size: int) -> None:
        """What a repair needs to fetch no more than is damaged, where its server lets it continue."""
        tied = self.validators
        if (
            len(self._sources) == 1
            and (tied.etag or tied.last_modified)
            and (pieces := self._grains.of(size))
        ):
            row = Consists(self.url, tied.etag, tied.last_modified, self._sources[0], pieces)
            self._journal.append(row, durable=False)

    async def close(self) -> None:
        """Keeps what arrived, durably where that can be had; may be called twice."""
        try:
            await self._idle()
            if self.part.unsynced and self.url:
                await self.part.written()
                await asyncio.to_thread(self._sync_and_say)
        except Exception:
            pass  # a full disk was told already, and what is unsaid is only fetched again
        finally:
            await self.part.close()
            self._journal.close()

    async def _idle(self) -> None:
        if self._checkpoint is not None:
            await asyncio.wait((self._checkpoint,))
            self._raise()


def now() -> str:
    """UTC in the manifest's form."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
