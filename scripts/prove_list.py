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


def list_(scene: Scene) -> Tally:
    """Small: 1,200 rows and a kill each second; else a million and one each half minute. PROVE_ROWS and
    PROVE_EVERY (seconds) say otherwise.
    """
    rows = int(os.environ.get("PROVE_ROWS", "1200" if scene.small else "1000000"))
    every = float(os.environ.get("PROVE_EVERY", "1" if scene.small else "30"))
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
                killed = kill_one(run, every, random.Random(scene.seed))
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


def kill_one(run: Run, every: float, chance: random.Random) -> int:
    """Kills one of the workers of a run every so many seconds until it ends; how many it were."""
    killed = 0
    while not run.over.wait(every):
        workers = children(run.pid)
        if workers:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1
    return killed
