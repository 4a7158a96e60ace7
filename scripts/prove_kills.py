"""SIGKILL at any point of a run, then the same command again: nothing lost, corrupt or left over, and no byte that was
written down is fetched twice.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from disklayer import Spec, steps
from prove_tally import Job, Scene, Tally, named
from prove_worlds import begun, every_kind, in_each, not_mended
from warm import Run
from worlds import Origin, World, half_done, look, undisturbed

from datafetch.images.ledger import Settled, batch_files
from datafetch.model import Outcome
from datafetch.store.home import Home
from datafetch.store.journal import known, read

PAUSE = 0.002  # seconds between pieces of 16 KiB
# What may come again of what is here: of a zip from the wire, the bytes that tell what it is, and its directory.
AGAIN = {"archives": 0, "stream": 8192, "shards": 0, "list": 0}


def kills(scene: Scene) -> Tally:
    tally = Tally("kills")
    again = Again()

    def lives(world: World, origin: Origin, first: int) -> list[Job]:
        count = (10 if world.name == "list" else 19) if scene.small else 350
        live = Lives(scene, world, origin, tally, again).live
        return [(seed, live) for seed in range(first, first + count)]

    in_each(scene, tally, every_kind(scene), lives, PAUSE)
    tally.told = (
        f"fetched again: {again.bytes:,} of {again.sent:,} bytes in all, at most {again.most:,} in one life"
    )
    return tally


class Again:
    """Bytes that came twice."""

    def __init__(self) -> None:
        self.bytes = self.most = self.sent = 0


class Lives:
    """Lives of one world: how many operations and seconds a run takes is measured once."""

    def __init__(self, scene: Scene, world: World, origin: Origin, tally: Tally, again: Again) -> None:
        self.scene, self.world, self.origin, self.tally, self.again = scene, world, origin, tally, again
        log = scene.folder / f"{world.name}.log"
        folder = scene.folder / f"{world.name}-log"
        spec = Spec(root=str(folder), log=str(log))
        _, self.took = undisturbed(world, folder, scene.warm, origin, spec.dump())
        self.steps = {role: len(kinds) for role, kinds in steps(log).items()}
        shutil.rmtree(folder)

    def live(self, seed: int, folder: Path) -> None:
        chance = random.Random(seed)
        world, root = self.world, folder / "out"
        words, before = begun(world, self.origin, folder, chance)
        runs: list[Run] = []
        bad: list[str] = []
        for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
            runs.append(self._killed(words, folder, chance))
            bad += half_done(root, world, before)
        sent, held = self.origin.settled(folder.name), held_of(root, world)
        last = self.scene.warm(*words, cwd=folder)
        runs.append(last)
        wrong = not_mended(bad, last)
        if not wrong and world.name in AGAIN:
            wrong = self._count(folder.name, sent, held)
        self.tally.case(look(root, world), wrong and f"{named(world, seed)}: {wrong}", runs)

    def _killed(self, words: Sequence[str], folder: Path, chance: random.Random) -> Run:
        """Half of them just before an operation of the disk, half at any time."""
        if chance.random() < 0.5:
            role = chance.choice(sorted(self.steps))
            spec = Spec(
                str(folder),
                role,
                chance.randrange(self.steps[role]),
                once=str(folder / f"once{chance.random()}"),
            )
            return self.scene.warm(*words, cwd=folder, layer=spec.dump())
        run = self.scene.warm.start(*words, cwd=folder)
        run.over.wait(chance.uniform(0, 1.1 * self.took))
        run.kill()
        return run.wait()

    def _count(self, case: str, sent: int, held: int) -> str:
        total = sum(map(len, self.world.files.values()))
        last = self.origin.sent[case] - sent
        twice = self.origin.sent[case] - total
        self.again.bytes += max(twice, 0)
        self.again.sent += self.origin.sent[case]
        self.again.most = max(self.again.most, twice)
        return (
            ""
            if last <= total - held + AGAIN[self.world.name]
            else f"{last:,} bytes came, though {held:,} of {total:,} were written down"
        )


def held_of(root: Path, world: World) -> int:
    """Bytes that are here by the journals and the disk: of what came before, the rest was in flight."""
    home = Home(root, "proof")
    sizes = {path: len(data) for path, data in world.files.items()}
    held = dict.fromkeys(sizes, 0)
    journals = home.state / "journal"
    for path in sorted(journals.glob("*.jsonl")) if journals.is_dir() else ():
        key = path.stem.replace("+", "/")
        artifact, _, shard = key.partition("/")
        name = shard or artifact
        found = known(path)
        # A word of it is not enough: what is staged counts when it is sealed, what is fetched while it stands there.
        places = (home.part(key), home.shard(artifact, shard) if shard else home.archive(artifact))
        whole = found.built or home.seal(name).exists()
        whole = whole or ((found.done or found.whole) and any(place.is_file() for place in places))
        for file in (file for file in sizes if _belongs(file, name)):
            held[file] = max(held[file], sizes[file] if whole else found.held)
    for path in batch_files(home.batches("pictures")):
        held |= {
            f"p/{row.row}.png": sizes[f"p/{row.row}.png"]
            for row in read(path, Settled).rows
            if row.outcome is Outcome.OK
        }
    return sum(held.values())


def _belongs(file: str, artifact: str) -> bool:
    return file == artifact or file.startswith(f"{artifact}.")
