"""The images of a URL list: its rows handed to worker processes, each ending in exactly one recorded state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import Interrupted
from datafetch.images.ask import PATIENCE, Asker
from datafetch.images.check import Limits
from datafetch.images.items import Item, items
from datafetch.images.ledger import Ledger, Records
from datafetch.images.rows import BadRow, Row
from datafetch.images.spread import Spread
from datafetch.images.staged import Staged, stands
from datafetch.images.wire import Begin
from datafetch.images.work import Then, Work, go_on
from datafetch.images.workers import DECODE, Workers
from datafetch.model import Artifact, Event, FileRecord, Outcome, Settings, UrlList
from datafetch.transfer.allowance import Allowance
from datafetch.transfer.courtesy import Courtesy
from datafetch.transfer.curl import Limits as Line
from datafetch.transfer.remembered import load, save
from datafetch.transfer.retry import Patience
from datafetch.transfer.robots import Robots, asking
from datafetch.transfer.wanted import Ways

LOOK = 0.1  # seconds between looks at `stop`


@dataclass(frozen=True, slots=True)
class Manners:
    """How the items of a list are asked for. The numbers are for all of its processes together."""

    settings: Settings
    ways: Ways
    allowance: Allowance
    patience: Patience = PATIENCE
    jobs: int = 16  # requests under way …
    per_host: int = 4  # … at one host
    total: float = 120.0  # seconds for one body
    processes: int = 0  # at most; 0 is by the machine
    decode: float = DECODE  # seconds for one picture
    samples: Path | None = None  # where a few of the bodies that are turned away are kept
    learned: Path | None = None  # what is remembered of hosts; None: nothing is

    def begin(self, source: UrlList, staging: Path) -> Begin:
        """What a worker process is told of them."""
        return Begin(
            str(staging),
            Limits(min_bytes=source.min_bytes),
            source.check == "image",
            self.settings.allow_private,
            self.settings.mirrors,
            self.total,
            self.allowance.slowest(Line()).low_speed,
            self.allowance.bounded,
            self.settings.ignore_opt_out,
            self.allowance.held,
            source.placeholders,
            str(self.samples or ""),
        )


@dataclass(frozen=True, slots=True)
class ListOutcome:
    """How a list ended. Its records and the counts of `dropped` add up to its rows."""

    records: Records  # of the rows that are ok; read from the journals each time it is iterated
    dropped: Mapping[Outcome, Mapping[str, int]]  # of the rows that are not ok: outcome -> why -> rows
    staging: Path

    def staged(self, record: FileRecord) -> bool:
        """Whether the file of a record stands in the staging folder, its bytes known to be right.

        Else a published file was kept because its size is right: nothing new is known of its bytes. Costs
        one lstat; holds until staging is published.
        """
        return stands(self.staging, record.path)


async def fetch_list(
    artifact: Artifact,
    rows: Iterable[Row | BadRow],
    *,
    manners: Manners,
    staging: Path,
    journal: Path,
    stop: Callable[[], bool],
    published: Iterable[Path] = (),
    place: Callable[[str], str] | None = None,
    retry_gone: bool = False,
    redo: frozenset[str] = frozenset(),
) -> ListOutcome:
    """Brings every row of a list to its one state: files below `staging` under their published paths, rows
    in `journal`.

    May be called again after a crash at any point: a row that is ok and whose file stands, in `staging` or
    below one of `published`, is not asked for again; a row without one when it is due by `again`, or with
    `retry_gone`. `redo` are published paths known to be damaged or lost: what is published there does not
    count, only a staged file with the recorded digest. `place` makes the published path of a path inside the
    artifact; else it is put below the artifact's folder.

    Raises Interrupted when `stop` turned true, BadList when the list cannot be read, NoRoom and its like
    when the disk cannot take more. In each case what is done is durable and journalled.
    """
    assert isinstance(artifact.source, UrlList)
    placed = place or (lambda path: f"{artifact.folder}/{path}")
    name, ways = artifact.name, manners.ways
    begin = manners.begin(artifact.source, staging)
    note = _noting(name, ways)
    workers = Workers(begin, manners.allowance, note, manners.jobs, manners.processes, manners.decode)
    known = load(manners.learned, time.time()) if manners.learned is not None else {}
    courtesy = Courtesy(ways.hosts, manners.per_host, known)
    robots = None if manners.settings.ignore_opt_out else Robots(asking(ways.http, courtesy))
    asker = Asker(name, ways, manners.patience)

    def spread(then: Then, going: Callable[[], None]) -> Spread:
        return Spread(asker, workers, courtesy, robots, then, going)

    with Staged(staging, tuple(published)) as staged:
        heed = not manners.settings.ignore_opt_out
        ledger = Ledger(journal)
        run = Work(name, spread, workers, staged, ledger, placed, ways.emit, retry_gone, redo, stop, heed)
        try:
            async with workers:
                await _work(run, iter(items(artifact.source, rows)))
        except BaseException:
            await run.save()
            raise
        finally:
            run.ledger.close()
            if manners.learned is not None:
                save(manners.learned, courtesy.learned(), time.time())
    records = Records(journal, artifact.name, placed, run.ok)
    return ListOutcome(records, run.dropped, staging)


async def _work(run: Work, feed: Iterator[Item | BadRow]) -> None:
    """Until the list ends, or a fault of the disk, or a stop; then nothing is under way any more."""
    pulling = asyncio.create_task(run.pull(feed))
    try:
        while not pulling.done():
            await asyncio.wait((pulling,), timeout=LOOK)
            go_on(run.stop)
            await run.now_and_then()
        pulling.result()
        run.ledger.end()
        await run.write_down()
    except (Interrupted, asyncio.CancelledError):
        await run.come_to_rest()
        raise
    finally:
        run.let_go()
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)


def _noting(name: str, ways: Ways) -> Callable[[str], None]:
    return lambda text: ways.emit(Event("note", name, text=text))
