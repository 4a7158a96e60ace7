"""A URL list with three workers, of which one is killed again and again: the same tree as without."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress

from disklayer import Spec
from prove_tally import Scene, Tally
from test_images_workers import children
from warm import Run
from worlds import Origin, listed

WORKERS = 3
KILLS = 8  # in the short form


def list_(scene: Scene) -> Tally:
    """Small: 1,200 rows and a kill whenever an eighth of them came; else a million and a kill each half minute.
    PROVE_ROWS and PROVE_EVERY (seconds) say otherwise.
    """
    rows = int(os.environ.get("PROVE_ROWS", "1200" if scene.small else "1000000"))
    every = float(os.environ.get("PROVE_EVERY", "30"))
    tally = Tally("list")
    world = listed(rows)
    digests: list[str] = []
    killed = 0
    with Origin(world.files) as origin:
        for disturbed in (False, True):
            folder = scene.folder / f"list-{disturbed}"
            world.begin(folder, random.Random(scene.seed))
            spec = Spec(str(folder), cores=WORKERS)
            run = scene.warm.start(
                *world.words(folder, origin.mirror(folder.name)), cwd=folder, layer=spec.dump()
            )
            if disturbed:
                chance = random.Random(scene.seed)
                if scene.small:
                    killed = kill_by_rows(run, origin, folder.name, rows // KILLS, chance)
                else:
                    killed = kill_by_time(run, every, chance)
            run.wait(24 * 3600)
            wrong = f"exit code {run.code}: {run.err[-900:]}" if run.code != 0 else ""
            if not wrong:
                report = run.report
                digests.append(report["tree_digest"])
                if report["counts"]["ok"] != rows + 1:
                    wrong = f"{report['counts']} of {rows} rows"
            tally.case(None, wrong, [run])
    if len(set(digests)) != 1:
        tally.fail(f"the trees differ: {digests}")
    tally.told = f"{rows:,} rows, {WORKERS} workers, {killed} killed"
    if not killed:
        tally.fail("no worker was killed: the list was too short for this machine")
    return tally


def kill_by_time(run: Run, every: float, chance: random.Random) -> int:
    """Kills one of the workers of a run every so many seconds until it ends; how many it were."""
    killed = 0
    while not run.over.wait(every):
        killed += kill_one(run, chance)
    return killed


def kill_by_rows(run: Run, origin: Origin, case: str, every: int, chance: random.Random) -> int:
    """The same each time that the server has answered so many rows more: on any machine there is time for it."""
    killed, due = 0, every
    while not run.over.wait(0.01):
        if origin.requests[case] >= due:
            killed += kill_one(run, chance)
            due += every
    return killed


def kill_one(run: Run, chance: random.Random) -> int:
    workers = children(run.pid)
    if not workers:
        return 0
    with suppress(ProcessLookupError):
        os.kill(chance.choice(workers), signal.SIGKILL)
    return 1
