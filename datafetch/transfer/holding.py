"""What is held of one file: the part and the journal row that says what it is a part of, kept in step.

A cut at any point never mixes two versions, because of the order: the part is cut to nothing, the row that
says what it will hold is made durable, then bytes are written. A row of an older version meets an empty part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from datafetch.model import Fetched
from datafetch.store.journal import Done, Gone, Journal, Part, Whole, known
from datafetch.store.machine import boot_id
from datafetch.transfer.part import PartFile
from datafetch.transfer.resume import Held, Validators, trusted_size


class Holding:
    """Of one file; one transfer at a time. Every method may raise the disk's faults as user errors."""

    def __init__(self, part: Path, journal: Journal, algorithms: Iterable[str]) -> None:
        self._journal = journal
        self.journal_path = journal.path
        self._boot = boot_id()
        self._checkpoint: asyncio.Task[None] | None = None
        row = known(journal.path).part
        trusted = 0
        self.url = ""  # where the part is from, free of secrets
        self.validators = Validators()
        if row is not None:
            same_boot = bool(self._boot) and row.boot == self._boot
            on_disk = part.stat().st_size if part.is_file() else 0
            trusted = trusted_size(on_disk, row.durable, same_boot)
            self.url = row.url
            self.validators = Validators(row.etag, row.last_modified, row.total)
        self.part = PartFile(part, trusted, algorithms)
        # Its end was seen: by length, or by a framing that has an end.
        self.whole = 0 < self.part.position == self.validators.total

    @property
    def size(self) -> int:
        return self.part.position

    def held(self) -> Held:
        return Held(self.url, self.size, self.validators)

    async def drop(self) -> None:
        """Holds nothing any more."""
        await self.part.rewind()
        self.url, self.validators, self.whole = "", Validators(), False

    async def describe(self, url: str, validators: Validators) -> None:
        """Says durably what the bytes that follow are of."""
        await self._idle()
        await self.part.settled()
        self.url, self.validators, self.whole = url, validators, False
        await asyncio.to_thread(self._sync_and_say)

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

    def _sync_and_say(self) -> None:
        durable = self.part.sync() if self.part.position else 0
        tied = self.validators
        row = Part(self.url, tied.etag, tied.last_modified, tied.total, self._boot, durable)
        self._journal.append(row)

    def gone(self, url: str) -> None:
        """Writes down that an address answered that the file is gone."""
        self._journal.append(Gone(url))

    def finished_before(self, target: Path, fits: Callable[[Fetched], bool]) -> Fetched | None:
        """The file that an earlier run verified and was killed while giving it its final name; now it has it."""
        whole = known(self._journal.path).whole
        if whole is None or not fits(whole):
            return None
        if self.part.position == whole.size:
            self.part.rename(target)
        elif not target.is_file() or target.stat().st_size != whole.size:
            return None
        self._journal.append(Done(whole))
        return whole

    async def finish(self, target: Path, fetched: Fetched) -> None:
        """The whole file is verified: it takes its final name, and then the journal says so."""
        await self._idle()

        def act() -> None:
            self.part.sync()
            self._journal.append(Whole(fetched))
            self.part.rename(target)
            self._journal.append(Done(fetched))

        await asyncio.to_thread(act)
        self.url = ""  # nothing is left to describe

    async def close(self) -> None:
        """Keeps what arrived, durably where that can be had; may be called twice."""
        try:
            await self._idle()
            if self.part.unsynced and self.url:
                await self.part.settled()
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
