"""Power cuts: what a real run wrote, synced and renamed is written down; the disk is rebuilt as it may be after a cut
at any of these operations, and the same command is run on it.
"""

from __future__ import annotations

import random
import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from disklayer import Spec, recorded
from powercut import Disk
from prove_tally import Job, Scene, Tally, named
from worlds import (
    Origin,
    World,
    building,
    half_done,
    listed,
    look,
    published,
    repairing,
    sharded,
    streaming,
    undisturbed,
    unpacking,
    whole,
)


def power(scene: Scene) -> Tally:
    tally = Tally("power")
    made = unpacking(scene.seed)
    built = scene.folder / "built"
    with Origin(made.files) as origin:
        undisturbed(made, built, scene.warm, origin)
    worlds = [made, streaming(scene.seed), sharded(scene.seed), listed(), repairing(built, made), building()]
    runs, cuts = (1, 18) if scene.small else (8, 22)
    with ExitStack() as stack:
        jobs: list[Job] = []
        for number, world in enumerate(worlds):
            origin = stack.enter_context(Origin(world.files))
            first = scene.seed * 100_000 + number * 10_000
            case = partial(cut, scene, tally, world, origin, cuts)
            jobs += [(seed, case) for seed in range(first, first + runs)]
        scene.all_cases(tally, jobs)
    return tally


def cut(
    scene: Scene, tally: Tally, world: World, origin: Origin, count: int, seed: int, folder: Path
) -> None:
    """One run, written down, and `count` cuts of it; all in one folder, for journals may name it."""
    chance = random.Random(seed)
    place = folder / "case"
    world.begin(place, chance)
    before = published(place / "out")
    disk = Disk(place)
    log = folder / "record"
    words = world.words(place, origin.mirror(folder.name))
    spec = Spec(root=str(place), record=str(log))
    wrong = whole(scene.warm(*words, cwd=place, layer=spec.dump()), place / "out", world)
    if wrong:
        tally.fail(f"{named(world, seed)}: undisturbed, {wrong}")
        return
    events = recorded(log)
    played = 0
    after = Spec(root=str(place), boot=f"after the cut {seed}").dump()
    for upto in sorted(chance.randint(1, len(events)) for _ in range(count)):
        disk.play(events[played:upto])
        played = upto
        shutil.rmtree(place)
        lost = disk.cut(place, chance)
        bad = half_done(place / "out", world, before)
        run = scene.warm(*words, cwd=place, layer=after)
        wrong = ""
        if bad:
            wrong = f"published though half or not what was verified: {bad[:5]}"
        elif run.stuck or run.code != 0:
            wrong = f"exit code {run.code}, stuck {run.stuck}: {run.err[-600:]}"
        state = look(place / "out", world)
        if wrong or state.lost or state.corrupt or state.strays:
            wrong = f"{named(world, seed)}, cut after {upto} of {len(events)}, lost {lost}: {wrong or state}"
        tally.case(state, wrong, [run])
