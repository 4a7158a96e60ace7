"""The worlds that proofs disturb, each with a server of its own, and how a case in one of them begins and ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from prove_tally import Job, Scene, Tally
from warm import Run
from worlds import (
    Origin,
    World,
    building,
    listed,
    published,
    repairing,
    sharded,
    streaming,
    undisturbed,
    unpacking,
)


def every_kind(scene: Scene) -> list[World]:
    made = unpacking(scene.seed)
    built = built_of(scene, made)
    return [made, streaming(scene.seed), sharded(scene.seed), listed(), repairing(built, made), building()]


def built_of(scene: Scene, made: World) -> Path:
    """The folder in which a world was got, undisturbed."""
    built = scene.folder / "built"
    with Origin(made.files) as origin:
        undisturbed(made, built, scene.warm, origin)
    return built


def in_each(
    scene: Scene,
    tally: Tally,
    worlds: Iterable[World],
    cases: Callable[[World, Origin, int], Iterable[Job]],
    pause: float = 0.0,
) -> None:
    """Runs the cases of all worlds together. `cases` is told the first of the seeds that are this world's own."""
    with ExitStack() as stack:
        jobs: list[Job] = []
        for number, world in enumerate(worlds):
            origin = stack.enter_context(Origin(world.files, pause))
            jobs += cases(world, origin, scene.seed * 100_000 + number * 10_000)
        scene.all_cases(tally, jobs)


def begun(
    world: World, origin: Origin, folder: Path, chance: random.Random
) -> tuple[tuple[str, ...], Mapping[str, bytes]]:
    """A case made ready in a folder: the words of its command, and what is published before it runs."""
    world.begin(folder, chance)
    return world.words(folder, origin.mirror(folder.name)), published(folder / "out")


def not_mended(bad: Sequence[str], last: Run) -> str:
    """What is wrong after the last run, which nothing disturbed; `bad`: what was half done before it."""
    if bad:
        return f"published though half or not what was verified: {bad[:5]}"
    if last.stuck or last.code != 0:
        return f"exit code {last.code}, stuck {last.stuck}: {last.err[-600:]}"
    return ""
