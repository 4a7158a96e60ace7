"""One call of `fetch_list`: how each row comes to its one state, and when that is written down."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache

import msgspec

from datafetch.errors import DatafetchError, Interrupted
from datafetch.images.ask import Found, Lost
from datafetch.images.items import Item
from datafetch.images.ledger import Ledger, Settled, asked_again
from datafetch.images.rows import BadRow
from datafetch.images.spread import Spread
from datafetch.images.staged import Staged
from datafetch.images.workers import Workers
from datafetch.model import Event, Outcome, Why

TOGETHER = 512  # rows that share one wait for the disk
OFTEN = 1.0  # seconds between such waits when rows come slowly
AT_ONCE = 32  # rows of the list, before others get their turn
REST = 1.0  # seconds between a stop and the end of what is under way
WINDOW = 8192  # rows that may be on their way or wait for their host …
OPEN = 4  # … in so many batches not finished yet: how far a slow host can fall behind before the list waits for it

Then = Callable[[Item, Found | Lost], None]


def go_on(stop: Callable[[], bool]) -> None:
    """Raises Interrupted when `stop` turned true."""
    if stop():
        raise Interrupted("stopped; run the same command again to go on")


class Work:
    """What is known and done of a list while it runs."""

    def __init__(
        self,
        name: str,
        asking: Callable[[Then, Callable[[], None]], Spread],
        workers: Workers,
        staged: Staged,
        ledger: Ledger,
        place: Callable[[str], str],
        emit: Callable[[Event], None],
        retry_gone: bool,
        redo: frozenset[str],
        stop: Callable[[], bool],
        heed: bool = True,
    ) -> None:
        self.name = name
        self.workers = workers
        self.staged = staged
        self.ledger = ledger
        self.place = place
        self.emit = emit
        self.retry_gone = retry_gone
        self.redo = redo
        self.stop = stop
        self.heed = heed  # what a host withholds from training
        self.ok = 0  # rows that ended with their file
        self.dropped: dict[Outcome, Counter[str]] = {}
        self._twins: dict[int, list[Item]] = {}  # row in flight -> later rows that wait for its bytes
        self._unwritten: list[Settled] = []
        self._written_at = time.monotonic()
        self._writing: asyncio.Task[None] | None = None
        self._ok_since = 0  # rows that ended ok and were not told yet
        self._received = 0  # bytes that were told
        self._spread = asking(self._came, lambda: go_on(stop))

    async def pull(self, feed: Iterator[Item | BadRow]) -> None:
        """Takes every row, and returns when all are settled."""
        for count, item in enumerate(feed, 1):
            go_on(self.stop)
            before = self.ledger.hand_out(item.number)
            if isinstance(item, BadRow):
                self._end(_bad(item))
            elif (kept := self._kept(item, before)) is not None:
                self._end(kept)
            elif item.twin and (first := self.ledger.settled(item.twin)) is None:
                self._twins.setdefault(item.twin, []).append(item)
            elif item.twin and (same := self._same(item, first)) is not None:
                self._end(same)
            else:
                self._spread.put(item, self.place(item.path))
                if self._spread.open >= WINDOW:
                    # For more than one place: each wait costs a turn of the loop.
                    await self._spread.below(WINDOW * 3 // 4)
            if count % AT_ONCE == 0 or len(self._unwritten) >= TOGETHER:
                await self.now_and_then()
                while self.ledger.open > OPEN:
                    self._spread.check()
                    await asyncio.sleep(OFTEN / 10)
                    await self.now_and_then()
        await self._spread.below(0)

    async def come_to_rest(self) -> None:
        """After a stop nothing new is begun: a short while for what is under way to be done and told."""
        await self._spread.rest(REST)

    def let_go(self) -> None:
        """Lets go of the rows under way."""
        self._spread.halt()

    async def now_and_then(self) -> None:
        """Tells how far the work is, writes down what is due, and lets others run."""
        self._tell()
        self.workers.watch()
        if self._writing is not None and self._writing.done():
            await self._written()
        due = len(self._unwritten) >= TOGETHER or time.monotonic() - self._written_at > OFTEN
        if due and self._writing is None:
            self._writing = asyncio.create_task(self._write())
        if self._writing is not None and len(self._unwritten) >= 4 * TOGETHER:
            # Rows must not pile up faster than the disk takes them.
            await asyncio.wait({self._writing})
        await asyncio.sleep(0)

    async def write_down(self) -> None:
        """Makes all that is done durable and says so in the journal."""
        await self._written()
        await self._write()

    async def save(self) -> None:
        """After a fault: writes down what still can be; a second fault of the disk says nothing new."""
        try:
            await self.write_down()
        except DatafetchError:
            return

    async def _written(self) -> None:
        """Waits for the write under way. A fault of it, such as a full disk, is raised here and ends the
        run.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            # Not `await writing`: whoever cancels us must not cancel what other rows depend on.
            await asyncio.wait({writing})
            writing.result()

    async def _write(self) -> None:
        rows, self._unwritten = self._unwritten, []
        self._written_at = time.monotonic()
        await asyncio.to_thread(self._make_durable, rows)
        self.ledger.wrote(rows)
        self.ledger.finish()
        self._tell()

    def _make_durable(self, rows: list[Settled]) -> None:
        if good := [row for row in rows if row.outcome is Outcome.OK]:
            # A row whose file is published already has none here; news of it is rare.
            self.staged.sync([self.place(row.path) for row in good])
        self.ledger.write(rows)

    def _kept(self, item: Item, before: Settled | None) -> Settled | None:
        """What an earlier run recorded, when it still holds and nothing is to be done."""
        if before is None or before.path != item.path or before.url not in item.urls:
            return None
        if before.outcome is Outcome.OK:
            return before if self._stands(self.place(item.path), before) else None
        return None if asked_again(before, retry_gone=self.retry_gone, heed=self.heed) else before

    def _stands(self, path: str, before: Settled) -> bool:
        """Whether the file of a row is still there. A size says nothing of one known to be damaged."""
        if path in self.redo:
            return self.staged.proves(path, before.sha256)
        return self.staged.has(path, before.size)

    def _came(self, item: Item, found: Found | Lost) -> None:
        """What became of an item that was asked for."""
        if isinstance(found, Found):
            row = _ok(item, found)
        else:
            self.staged.remove(self.place(item.path))
            row = Settled(
                item.number, found.outcome, found.why, item.path, found.url, _now(), text=found.text
            )
        self._end(row)
        for twin in self._twins.pop(item.number, ()):
            same = self._same(twin, row)
            if same is None:
                self._spread.put(twin, self.place(twin.path))
            else:
                self._end(same)

    def _same(self, item: Item, first: Settled | None) -> Settled | None:
        """How a row ends whose bytes an earlier row has; None when they cannot be read back and must be
        fetched.
        """
        if first is None:
            return None
        again = msgspec.structs.replace(first, row=item.number, path=item.path)
        if first.outcome is not Outcome.OK:
            self.staged.remove(self.place(item.path))
            return again
        data = self.staged.read(self.place(first.path))
        if data is None or hashlib.sha256(data).hexdigest() != first.sha256:
            return None
        return again if self.staged.put(self.place(item.path), data) else _unnameable(item)

    def _end(self, row: Settled) -> None:
        """The one place where a row gets its state."""
        if self.ledger.settle(row):
            self._unwritten.append(row)
        if row.outcome is Outcome.OK:
            self.ok += 1
            self._ok_since += 1
            return
        self.dropped.setdefault(row.outcome, Counter())[row.why] += 1
        self.emit(
            Event(
                "item",
                self.name,
                count=1,
                why=row.why,
                outcome=row.outcome,
                url=row.url,
                text=f"row {row.row}: {row.text}",
            )
        )

    def _tell(self) -> None:
        if self._ok_since:
            self.emit(Event("item", self.name, count=self._ok_since, outcome=Outcome.OK))
            self._ok_since = 0
        if (received := self.workers.received) > self._received:
            self.emit(Event("received", self.name, done=received - self._received))
            self._received = received


def _ok(item: Item, found: Found) -> Settled:
    return Settled(
        item.number,
        Outcome.OK,
        path=item.path,
        url=found.url,
        at=_now(),
        size=found.size,
        sha256=found.sha256,
        width=found.width,
        height=found.height,
    )


def _bad(row: BadRow) -> Settled:
    why = row.reason if row.outcome is Outcome.SKIPPED else Why.BAD_URL
    return Settled(row.number, row.outcome, why, text=row.reason)


def _unnameable(item: Item) -> Settled:
    return Settled(
        item.number,
        Outcome.REJECTED,
        Why.UNKNOWN,
        item.path,
        item.urls[0],
        _now(),
        text=f"no file can be called {item.path}",
    )


def _now() -> str:
    return _stamp(int(time.time()))


@lru_cache(maxsize=1)
def _stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
