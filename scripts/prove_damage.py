"""Damage that must be found: bodies cut short in every framing, flipped bytes, changed trees; and resuming, tested."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from prove_tally import Job, Scene, Tally
from prove_worlds import built_of
from server import chunks
from worlds import State, World, published, unpacking

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing, drop_after, first, status
from datafetch.errors import DatafetchError
from tests.transfers import Bench, sha256

TESTS = Path(__file__).resolve().parent.parent / "tests"
MATRIX = ("test_resume.py", "test_transfer_*.py")


def damage(scene: Scene) -> Tally:
    tally = Tally("damage")
    made = unpacking(scene.seed, 24, 30_000)
    built = built_of(scene, made)
    each = 15 if scene.small else 1000
    jobs: list[Job] = []
    first_seed = scene.seed * 100_000

    def add(count: int, case: Callable[[int, Path], None]) -> None:
        start = first_seed + len(jobs)
        jobs.extend((seed, case) for seed in range(start, start + count))

    for framing in FRAMINGS:
        add(each, partial(truncated, tally, framing))
    flips = 25 if scene.small else 1667
    add(flips, partial(flipped_body, tally))
    add(flips, partial(flipped_part, tally))
    trees = 8 if scene.small else 250
    changed = Changed()
    add(trees, partial(changed_tree, scene, tally, changed, built, made, flipped_file))
    add(trees, partial(changed_tree, scene, tally, changed, built, made, mutated))
    scene.all_cases(tally, jobs)
    tally.told = (
        f"{4 * each:,} truncations, {2 * flips:,} flips on the way, {changed.flips:,} flips and {changed.others:,} "
        f"other changes of a tree found, {changed.alarms} false alarms in {changed.intact:,} intact trees"
    )
    if not scene.small:  # the tests run it by itself
        matrix(tally)
    return tally


# --- Bodies that end early ---------------------------------------------------------------------------------


def cut_length(thing: Thing, size: int) -> Answer:
    return drop_after(size, thing)


def cut_chunked(thing: Thing, size: int) -> Answer:
    def answer(exchange: Exchange) -> None:
        code, body, headers = thing.rest(exchange.seen)
        headers.pop("Content-Length")
        exchange.head(code, headers | {"Transfer-Encoding": "chunked"})
        exchange.body(chunks(body[:size]))
        exchange.hang_up()

    return answer


def cut_close(thing: Thing, size: int) -> Answer:
    """Nothing tells how long it is: only a digest can find it."""

    def answer(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Type": thing.kind, "Connection": "close"})
        exchange.body(thing.data[:size])
        exchange.hang_up()

    return answer


def cut_range(thing: Thing, size: int) -> Answer:
    """Breaks off, and the range that is asked for next breaks off too."""
    return first(1, drop_after(len(thing.data) // 2, thing), drop_after(size // 2, thing))


FRAMINGS: dict[str, Callable[[Thing, int], Answer]] = {
    "length": cut_length,
    "chunked": cut_chunked,
    "close": cut_close,
    "range": cut_range,
}


def truncated(tally: Tally, framing: str, seed: int, folder: Path) -> None:
    """The first answers end early, then an honest one; or all of them do, and then nothing may carry the name."""
    chance = random.Random(seed)
    thing = Thing(chance.randbytes(chance.randint(2, 60_000)))
    cut = FRAMINGS[framing](thing, chance.randrange(len(thing.data)))
    for_good = chance.random() < 0.3
    proven = framing == "close" or chance.random() < 0.5
    bench = Bench(folder)
    folder.mkdir()
    answer = cut if for_good else first(2 if framing == "range" else 1, cut, thing)
    with FaultServer(lambda path: answer) as server, suppress(DatafetchError):
        bench(f"{server.url}/x", checksums=(sha256(thing.data),) if proven else ())
    _judge(tally, bench, thing.data, f"seed {seed}, {framing}", must_be_there=not for_good)


def _judge(tally: Tally, bench: Bench, data: bytes, what: str, must_be_there: bool = True) -> None:
    state = State()
    if bench.target.exists() and bench.target.read_bytes() != data:
        state.corrupt.append(what)
    if must_be_there and not bench.target.exists():
        state.lost.append(what)
    tally.case(state)


# --- Bytes that flip ---------------------------------------------------------------------------------------


def _flip(data: bytes, chance: random.Random) -> bytes:
    found = bytearray(data)
    found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def flipped_body(tally: Tally, seed: int, folder: Path) -> None:
    """A body with every label right and one bit wrong, once; its digest is known."""
    chance = random.Random(seed)
    data = chance.randbytes(chance.randint(1, 40_000))
    thing = Thing(data)
    wrong = Thing(_flip(data, chance), etag=str(thing.headers["ETag"]))
    folder.mkdir()
    bench = Bench(folder)
    with FaultServer(lambda path: first(1, wrong, thing)) as server:
        bench(f"{server.url}/x", checksums=(sha256(data),))
    _judge(tally, bench, data, f"seed {seed}, a body")


def flipped_part(tally: Tally, seed: int, folder: Path) -> None:
    """What an earlier run left is changed on the disk; no digest is known, and none is needed."""
    chance = random.Random(seed)
    data = chance.randbytes(chance.randint(2000, 40_000))
    thing = Thing(data)
    folder.mkdir()
    bench = Bench(folder)
    answers = [first(1, drop_after(len(data) // 2, thing), status(503))]
    with FaultServer(lambda path: answers[0]) as server:
        bench.fails(f"{server.url}/x")
        answers[0] = thing
        if bench.part.exists():  # else the line was cut before anything was here
            bench.part.write_bytes(_flip(bench.part.read_bytes(), chance))
        bench(f"{server.url}/x")
    _judge(tally, bench, data, f"seed {seed}, a part")


# --- Trees that change -------------------------------------------------------------------------------------


class Changed:
    def __init__(self) -> None:
        self.flips = self.others = self.alarms = self.intact = 0


Change = Callable[[Path, list[str], random.Random, Changed], set[str]]  # the paths that must be named


def flipped_file(root: Path, paths: list[str], chance: random.Random, counted: Changed) -> set[str]:
    """One bit each of some files, with their times put back."""
    picked = chance.sample(paths, chance.randint(1, 12))
    for path in picked:
        file = root / path
        before = file.stat()
        with open(file, "r+b") as out:
            data = _flip(file.read_bytes(), chance)
            out.write(data)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    counted.flips += len(picked)
    return set(picked)


def mutated(root: Path, paths: list[str], chance: random.Random, counted: Changed) -> set[str]:
    """Some files cut, lengthened, removed, emptied, made links or folders, put in place of others, or added."""
    picked = chance.sample(paths, 2 * chance.randint(1, 6))
    named: set[str] = set()
    for path, other in zip(picked[::2], picked[1::2], strict=True):
        file = root / path
        data = file.read_bytes()
        kind = chance.choice(
            ("cut", "longer", "removed", "empty", "link", "folder", "swapped", "added", "renamed")
        )
        named.add(path)
        match kind:
            case "cut":
                file.write_bytes(data[: chance.randrange(len(data))])
            case "longer":
                file.write_bytes(data + chance.randbytes(chance.randint(1, 99)))
            case "removed":
                file.unlink()
            case "empty":
                file.write_bytes(b"")
            case "link":
                file.unlink()
                file.symlink_to(root / other)
            case "folder":
                file.unlink()
                file.mkdir()
            case "swapped":
                file.rename(root / "proof/waiting")
                (root / other).rename(file)
                (root / "proof/waiting").rename(root / other)
                named.add(other)
            case "added":
                named.remove(path)
                named.add(f"{path}.more")
                (root / f"{path}.more").write_bytes(data)
            case "renamed":
                file.rename(root / f"{path}.other")
                named.add(f"{path}.other")
        counted.others += 1
    return named


def changed_tree(
    scene: Scene,
    tally: Tally,
    counted: Changed,
    built: Path,
    made: World,
    change: Change,
    seed: int,
    folder: Path,
) -> None:
    """`verify` names what was changed, all of it and nothing else; before the change it names nothing."""
    chance = random.Random(seed)
    shutil.copytree(built, folder, symlinks=True)
    words = ("verify", "proof", "--registry", "recipes", "-o", "out", "--json")
    before = scene.warm(*words, cwd=folder)
    counted.intact += 1
    if before.code != 0:
        counted.alarms += 1
        tally.fail(f"seed {seed}: a false alarm: {before.out[-600:]}")
    wanted = change(folder / "out", sorted(made.wanted), chance, counted)
    run = scene.warm(*words, cwd=folder)
    found = {problem["name"] for problem in run.report["problems"]}
    wrong = ""
    if run.code != 13 or found != wanted:
        wrong = f"seed {seed}: exit code {run.code}, not named {wanted - found}, named for nothing {found - wanted}"
    tally.case(None, wrong, [before, run])
    assert published(built / "out") == dict(made.wanted), "the tree that is copied must not change"


def matrix(tally: Tally) -> None:
    """The tests of resuming: each of them is a case."""
    files = [str(path) for name in MATRIX for path in sorted(TESTS.glob(name))]
    command = (sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", *files)
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True)
    said = re.search(r"(\d+) passed", done.stdout)
    passed = int(said[1]) if said else 0
    tally.cases += passed
    tally.told += f"; {passed} cases of the matrix of resuming"
    if done.returncode != 0 or not passed:
        tally.fail(f"the matrix of resuming: {done.stdout[-600:]}")
