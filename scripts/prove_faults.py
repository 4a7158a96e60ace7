"""Every operation of the disk made to fail in turn: an exit code of its own, no traceback, and the same command once
more makes the same tree.
"""

from __future__ import annotations

import errno
import random
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

from disklayer import MAY, Spec, steps
from prove_tally import Job, Scene, Tally, ended_badly, named
from prove_worlds import begun, built_of, in_each
from worlds import (
    Origin,
    World,
    building,
    half_done,
    listed,
    look,
    repairing,
    sharded,
    undisturbed,
    unpacking,
)

Planned = tuple[str, int, int, bool]  # role, operation, errno, whether it lasts
LASTING = (errno.ENOSPC, errno.EROFS, errno.EMFILE)  # what goes on until somebody does something


def faults(scene: Scene) -> Tally:
    tally = Tally("faults")
    codes: Counter[int | None] = Counter()
    made = unpacking(scene.seed, 4, 20_000)
    built = built_of(scene, made)
    worlds = [made, sharded(scene.seed, 4, 20_000), listed(8), repairing(built, made), building(4)]

    def cases(world: World, origin: Origin, first: int) -> list[Job]:
        planned = plan(scene, world, origin)
        if scene.small:
            planned = random.Random(scene.seed).sample(planned, 8)
        return [
            (first + at, partial(fail, scene, tally, codes, world, origin, one))
            for at, one in enumerate(planned)
        ]

    in_each(scene, tally, worlds, cases)
    told = ", ".join(f"{code}: {count:,}" for code, count in sorted(codes.items(), key=str))
    tally.told = f"exit codes of the runs with a fault: {told}"
    return tally


def plan(scene: Scene, world: World, origin: Origin) -> list[Planned]:
    """Each operation with all that a system may answer to it."""
    log, folder = scene.folder / f"{world.name}.log", scene.folder / f"{world.name}-log"
    undisturbed(world, folder, scene.warm, origin, Spec(root=str(folder), log=str(log)).dump())
    shutil.rmtree(folder)
    return [
        (role, at, code, code in LASTING and at % 2 == 1)
        for role, kinds in sorted(steps(log).items())
        for at, kind in enumerate(kinds)
        for code, may in MAY.items()
        if kind in may
    ]


def fail(
    scene: Scene,
    tally: Tally,
    codes: Counter[int | None],
    world: World,
    origin: Origin,
    planned: Planned,
    seed: int,
    folder: Path,
) -> None:
    """One case; the exit code of the run that the fault met is counted in `codes`."""
    spec = Spec(str(folder), *planned, once=str(folder / "once"))
    what = (
        f"{spec.role}, operation {spec.at}, {errno.errorcode[spec.code]}{', lasting' if spec.lasting else ''}"
    )
    words, before = begun(world, origin, folder, random.Random(seed))
    met = scene.warm(*words, cwd=folder, layer=spec.dump())
    wrong = ended_badly(met)
    if bad := half_done(folder / "out", world, before):
        wrong = f"half done or not what was verified: {bad[:5]}"
    elif not wrong and met.code == 0 and ((after := look(folder / "out", world)).lost or after.corrupt):
        wrong = f"exit code 0, though {after}"  # what it could not tidy up, the next run does
    last = scene.warm(*words, cwd=folder)
    if not wrong and (last.stuck or last.code != 0):
        wrong = f"then exit code {last.code}, stuck {last.stuck}: {last.err[-600:]} (before: {met.code})"
    for run in (met, last):
        wrong = wrong or run.err[run.err.find("Traceback") :][:3000] if "Traceback" in run.err else wrong
    state = look(folder / "out", world)
    if wrong or state.lost or state.corrupt or state.strays:
        wrong = f"{named(world, seed)}, {what}: {wrong or state}"
    tally.case(state, wrong, [met, last])
    codes[met.code] += 1
