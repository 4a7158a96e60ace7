"""What is held of one file: the part and the journal rows that say what it is a part of, kept in step.

A cut at any point never mixes two versions, because of the order: the part is cut to nothing, the row that
says what it will hold is made durable, then bytes are written. A row of an older version meets an empty part.
The length of a part says nothing. Each write is followed by a row with its CRC-32, which a kill leaves behind
and a power cut makes void: what the disk no longer holds as it was written is never taken for the file.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from datafetch.model import Fetched
from datafetch.store.journal import Done, Gone, Journal, Part, Whole, Wrote, known, settled
from datafetch.store.machine import boot_id
from datafetch.transfer.part import PartFile
from datafetch.transfer.pieces import Piece
from datafetch.transfer.promise import Promise
from datafetch.transfer.resume import Held, Validators, trusted
from datafetch.transfer.spans import Span

_MANY = 16  # rows about writes that may stay in the journal of a finished file


class Holding:
    """Of one file; one transfer at a time. Every method may raise the disk's faults as user errors."""

    def __init__(self, part: Path, journal: Journal, algorithms: Iterable[str]) -> None:
        self._journal = journal
        self._rows = threading.Lock()  # the journal is written from several threads
        self._said = 0  # rows about writes
        self._boot = boot_id()
        self._checkpoint: asyncio.Task[None] | None = None
        self.url = ""  # where the part is from, free of secrets
        self.validators = Validators()
        self.promise = Promise()  # of this run; a later one asks again
        found = known(journal.path)
        row = found.part
        pieces: tuple[Piece, ...] = ()
        if row is not None:
            on_disk = part.stat().st_size if part.is_file() else 0
            wrote = ((one.start, one.end, one.crc) for one in found.wrote)
            same_boot = bool(self._boot) and row.boot == self._boot
            pieces = trusted(on_disk, row.durable, wrote, same_boot)
            self.url = row.url
            self.validators = Validators(row.etag, row.last_modified, row.total)
        self.part = PartFile(part, pieces, algorithms, self._wrote)
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
        return Held(self.url, self.front, self.validators, end)

    def promised(self, promise: Promise) -> None:
        """What the provider of the bytes that follow states about the whole of them, if it does."""
        if promise:
            self.promise = promise
            self.part.also(one.algorithm for one in promise.checksums)

    async def drop(self) -> None:
        """Holds nothing any more."""
        await self.part.rewind()
        self.promise = Promise()
        self.url, self.validators, self.whole = "", Validators(), False

    async def describe(self, url: str, validators: Validators) -> None:
        """Says durably what the bytes that follow are of."""
        await self._idle()
        await self.part.written()
        self.url, self.validators, self.whole = url, validators, False
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
            self._said += 1

    def _sync_and_say(self) -> None:
        durable = self.part.sync() if self.part.size else ()
        tied = self.validators
        row = Part(self.url, tied.etag, tied.last_modified, tied.total, self._boot, durable)
        with self._rows:  # the new row makes those before it void: what was not synced is said again
            newer = [Wrote(*piece) for piece in self.part.solid() if piece not in durable]
            self._journal.extend((row, *newer))

    def gone(self, url: str) -> None:
        """Writes down that an address answered that the file is gone."""
        with self._rows:
            self._journal.append(Gone(url))

    def finished_before(self, target: Path, fits: Callable[[Fetched], bool]) -> Fetched | None:
        """The file that an earlier run verified and was killed while giving it its final name; now it has it."""
        whole = known(self._journal.path).whole
        if whole is None or not fits(whole):
            return None
        if self.front == whole.size:
            self.part.rename(target)
        elif not target.is_file() or target.stat().st_size != whole.size:
            return None
        self._journal.append(Done(whole))
        return whole

    async def finish(self, target: Path, fetched: Fetched) -> None:
        """The whole file is verified: it takes its final name, and then the journal says so."""
        await self._idle()

        def act() -> None:
            self._sync_and_say()
            self._journal.append(Whole(fetched))
            self.part.rename(target)
            self._journal.append(Done(fetched))
            if self._said > _MANY:
                self._journal.replace(settled(self._journal.path))

        await asyncio.to_thread(act)
        self.url = ""  # nothing is left to describe

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
