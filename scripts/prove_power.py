"""Power cuts: what a real run wrote, synced and renamed is written down; the disk is rebuilt as it may be after a cut
at any of these operations, and the same command is run on it.
"""

from __future__ import annotations

import random
import shutil
from functools import partial
from pathlib import Path

from disklayer import Spec, recorded
from powercut import Disk
from prove_tally import Job, Scene, Tally, named
from prove_worlds import every_kind, in_each, not_mended
from worlds import Origin, World, half_done, look, published, whole


def power(scene: Scene) -> Tally:
    tally = Tally("power")
    runs, cuts = (1, 18) if scene.small else (8, 22)

    def cases(world: World, origin: Origin, first: int) -> list[Job]:
        case = partial(cut, scene, tally, world, origin, cuts)
        return [(seed, case) for seed in range(first, first + runs)]

    in_each(scene, tally, every_kind(scene), cases)
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
        wrong = not_mended(bad, run)
        state = look(place / "out", world)
        if wrong or state.lost or state.corrupt or state.strays:
            wrong = f"{named(world, seed)}, cut after {upto} of {len(events)}, lost {lost}: {wrong or state}"
        tally.case(state, wrong, [run])
