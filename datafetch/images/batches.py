"""The images of a URL list: workers pull rows from one iterator, and every row ends in exactly one recorded
state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datafetch.images.ask import Ask
from datafetch.images.items import Item, items
from datafetch.images.ledger import Ledger, Records
from datafetch.images.rows import BadRow, Row
from datafetch.images.staged import Staged, stands
from datafetch.images.workers import Crew, go_on
from datafetch.model import Artifact, Event, FileRecord, Outcome, UrlList

LOOK = 0.1  # seconds between looks at `stop`


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
    ask: Ask,
    staging: Path,
    journal: Path,
    emit: Callable[[Event], None],
    stop: Callable[[], bool],
    jobs: int = 16,
    published: Iterable[Path] = (),
    place: Callable[[str], str] | None = None,
    retry_gone: bool = False,
    redo: frozenset[str] = frozenset(),
) -> ListOutcome:
    """Brings every row of a list to its one state: files below `staging` under their published paths, rows
    in `journal`.

    May be called again after a crash at any point: a row that is ok and whose file stands, in `staging` or
    below one of `published`, is not asked for again; a gone or placeholder one only with `retry_gone`; all
    others are. `redo` are published paths known to be damaged or lost: what is published there does not
    count, only a staged file with the recorded digest. `place` makes the published path of a path inside the
    artifact; else it is put below the artifact's folder.

    Raises Interrupted when `stop` turned true, BadList when the list cannot be read, NoRoom and its like
    when the disk cannot take more. In each case what is done is durable and journalled.
    """
    assert isinstance(artifact.source, UrlList)
    placed = place or (lambda path: f"{artifact.folder}/{path}")
    with Staged(staging, tuple(published)) as staged:
        run = Crew(artifact.name, ask, staged, Ledger(journal), placed, emit, retry_gone, redo)
        feed = iter(items(artifact.source, rows))
        try:
            await _work(run, feed, jobs, stop)
        finally:
            run.ledger.close()
    records = Records(journal, artifact.name, placed, run.ok)
    return ListOutcome(records, run.dropped, staging)


async def _work(run: Crew, feed: Iterator[Item | BadRow], jobs: int, stop: Callable[[], bool]) -> None:
    """Workers until the list ends, a fault of the disk, or `stop`; then all that is done is written down."""
    tasks = {asyncio.create_task(run.pull(feed, stop)) for _ in range(max(jobs, 1))}
    working = set(tasks)
    try:
        while working:
            done, working = await asyncio.wait(working, timeout=LOOK, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            go_on(stop)
            await run.now_and_then()
        run.ledger.end()
        await run.write_down()
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await run.save()
        raise
