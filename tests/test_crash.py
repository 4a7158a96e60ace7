"""Killed at any instant, the real process: the next run finishes, with the same tree and nothing left over.

Instants are random, half of them over the whole run and half a moment after an event that a phase begins with. The
seed of a life is printed when it ends badly; CRASH_SEED=n pytest tests/test_crash.py tries other instants.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import pytest
from archives import zip_of
from process import Ended, datafetch_, start
from server import Exchange, Thing
from test_cli_tree import files_below, scaffolding, tree_digest
from upstream import Upstream, address, expected

SEED = int(os.environ.get("CRASH_SEED", "2025"))
WRITE = 512 << 10  # bytes that are handed on at once
AT_ONCE = 4  # processes: they wait for the server and the disk some of the time
CHOICE = ("pods", "--synthetic", "dreambooth_llm", "--cfg", "5", "--negatives")
LLM_SET = "synthetic/dreambooth_llm_cfg_5"
PHASES = ("started", "progress", "fetched", "extract", "extracting", "staged", "freed", "built")
STATE = {"history.jsonl", "journal", "manifest.jsonl", "report.json", "seen.jsonl", "verified.json"}


# --- A world in which every phase takes a while ----------------------------------------------------------------------


@cache
def trees() -> Mapping[str, Mapping[str, bytes]]:
    """Many small members, so that unpacking and building last, and some large ones, so that the transfer does."""
    noise = random.Random(0).randbytes
    classes = [f"mugs_{k}" for k in range(30)]
    real = {f"pods/train/{c}/{k}.jpg": noise(40) for c in classes for k in range(6)}
    real |= {f"pods/test/{c}/{k}.jpg": noise(20_000) for c in classes[:10] for k in range(4)}
    real |= {"pods/pods_info.json": b"{}", "pods/.DS_Store": b"junk"}
    root = "pods/dreambooth_llm_sd1.5/cfg_5.0"
    synthetic = {f"{root}/{c}/{k}_A <new1> mug.jpg": noise(60) for c in classes for k in range(3)}
    synthetic |= {f"{root}/{classes[0]}/big.jpg": noise(400_000)}
    nothing = {f"pods/pods_negatives/mugs/{k}.jpg": noise(90) for k in range(80)}
    return {"real": real, LLM_SET: synthetic, "negatives": nothing}


@cache
def wanted() -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for artifact, tree in trees().items():
        found |= expected("pods", artifact, tree)
    return found


class Slow:
    """The file in small pieces with a moment between them, ranges honoured."""

    def __init__(self, data: bytes) -> None:
        self._thing = Thing(data)

    def __call__(self, exchange: Exchange) -> None:
        status, body, headers = self._thing.rest(exchange.seen)
        exchange.head(status, headers)
        for at in range(0, len(body), 16 << 10):
            exchange.raw(body[at : at + (16 << 10)])
            time.sleep(0.008)


@cache
def upstream() -> Upstream:
    return Upstream({address("pods", name): Slow(zip_of(tree)) for name, tree in trees().items()})


# --- One life --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """What is killed, what is run afterwards, and what must come of it."""

    killed: tuple[str, ...]
    then: tuple[str, ...]
    duration: float  # seconds of an undisturbed run
    digest: str


def kill(
    process: subprocess.Popen[str], chance: random.Random, number: int, duration: float
) -> tuple[str, str]:
    """Send the signal at a random instant; returns after which event, if it waited for one, and what was said then."""
    assert process.stderr is not None
    phase = chance.choice(PHASES) if chance.random() < 0.5 else ""
    seen = ""
    if phase:
        for line in process.stderr:
            if f'"kind":"{phase}"' in line:
                seen = phase
                break
        time.sleep(chance.random() ** 2 * 0.15)
    else:
        time.sleep(chance.uniform(0.2, duration))
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()  # else who waits for its end would hang with it
        raise
    return seen, said


ENDS = {  # the second value: the process had not yet, or no longer, a handler
    signal.SIGKILL: (-9,),
    signal.SIGINT: (130, -2, 0),
    signal.SIGTERM: (143, -15, 0),
}


def live_and_die(command: Command, root: Path, chance: random.Random, number: signal.Signals) -> str:
    process = start(command.killed, root.parent)
    with process:
        seen, said = kill(process, chance, number, command.duration)
    unborn = said.startswith("Fatal Python error: init")  # the interpreter was still starting
    assert process.returncode in (*ENDS[number], 0) or unborn, (process.returncode, said[-2000:])
    return seen


def check_promise(root: Path, before: Mapping[str, bytes]) -> None:
    """At any instant: what carries its final name is whole, and a folder that was absent is complete or absent."""
    found = files_below(root)
    for path, data in found.items():
        assert data == wanted()[path] or data == before.get(path), f"{path} is not the file that was verified"
    for folder in {path.partition("/")[0] for path in found} - {path.partition("/")[0] for path in before}:
        whole = {path for path in wanted() if path.startswith(f"{folder}/")}
        assert whole == {path for path in found if path.startswith(f"{folder}/")}, f"{folder}/ is half built"


def held(root: Path) -> dict[str, int | None]:
    """Of each archive that a part or all is here: the bytes of the part, or None for all of it."""
    state = root / ".datafetch/pods"
    found: dict[str, int | None] = {}
    for name in trees():
        slug = name.replace("/", "+")
        part = state / "parts" / f"{slug}.part"
        if (state / "archives" / slug).exists() or (state / "staging" / f"{slug}.jsonl").exists():
            found[name] = None
        elif part.exists() and part.stat().st_size:
            found[name] = part.stat().st_size
    return found


def check_thrift(kept: Mapping[str, int | None], asked: Sequence[tuple[str, int]]) -> None:
    """What was here is not fetched again, but for one write whose row a kill may have prevented."""
    for name, size in kept.items():
        starts = [at for path, at in asked if path == address("pods", name)]
        whole = len(zip_of(trees()[name]))
        if size is None or size == whole:
            right = starts in ([], [0]) if size == whole else starts == []
        else:
            right = len(starts) == 1 and size - WRITE <= starts[0] <= size
        assert right, f"{name}: {size} of {whole} bytes were here, asked from {starts}"


def check_end(ended: Ended, root: Path, digest: str) -> None:
    assert ended.code == 0, ended.err[-2000:]
    assert ended.report["tree_digest"] == digest
    assert files_below(root) == wanted()
    folders = {str(Path(path).parent) for path in wanted()}
    folders |= {str(parent) for folder in folders for parent in Path(folder).parents if parent != Path(".")}
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir()}
    assert {path for path in found if not path.startswith(".datafetch")} == folders
    assert scaffolding(root, "pods") == []
    assert set(os.listdir(root / ".datafetch/pods")) - STATE <= {"parts", "archives"}


def in_parallel(lives: Sequence[int], live: Callable[[int], str]) -> Counter[str]:
    """Run them all; fails with the seeds of those that ended badly. Returns how often each phase was met."""

    def guarded(seed: int) -> tuple[str, str]:
        try:
            return live(seed), ""
        except Exception as error:
            return "", f"seed {seed}: {type(error).__name__}: {error}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(guarded, lives))
    bad = [text for _, text in ended if text]
    print(f"seeds {lives[0]} to {lives[-1]}")
    assert not bad, "\n".join(bad)
    return Counter(phase for phase, _ in ended)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, float]:
    """A run that nobody kills: its tree, digest and duration."""
    root = tmp_path_factory.mktemp("undisturbed") / "out"
    with upstream().serve() as server:
        begun = time.monotonic()
        ended = datafetch_("get", *CHOICE, "--mirror", server.url, "-o", str(root), "--json", cwd=root.parent)
        took = time.monotonic() - begun
    check_end(ended, root, tree_digest(root, list(wanted())))
    return root, ended.report["tree_digest"], took


# --- Killed ----------------------------------------------------------------------------------------------------------


def a_life(
    seed: int, folder: Path, numbers: Sequence[signal.Signals], undisturbed: tuple[Path, str, float]
) -> str:
    """`get` into an empty folder, killed once for each signal, then run to its end."""
    chance = random.Random(seed)
    root = folder / str(seed) / "out"
    root.parent.mkdir()
    seen = ""
    with upstream().serve() as server:
        words = ("get", *CHOICE, "--mirror", server.url, "--mirror-only", "-o", str(root), "--json")
        command = Command(words, words, undisturbed[2], undisturbed[1])
        for number in numbers:
            seen = live_and_die(command, root, chance, number)
            if root.exists():
                check_promise(root, {})
        kept, requests = held(root), len(server.seen)
        ended = datafetch_(*command.then, cwd=root.parent)
        check_thrift(kept, [(each.path, each.start) for each in server.seen[requests:]])
    check_end(ended, root, command.digest)
    return seen


KILL, INT, TERM = (signal.SIGKILL,), (signal.SIGINT,), (signal.SIGTERM,)


@pytest.mark.parametrize(
    ("numbers", "lives"),
    [(KILL, 14), (INT, 4), (TERM, 4), (KILL * 2, 5), (KILL * 4, 6), (INT + KILL, 3)],
    ids=["kill", "interrupt", "terminate", "killed twice", "killed four times", "interrupted, then killed"],
)
def test_get_ends_as_if_it_had_never_been_killed(
    tmp_path: Path,
    undisturbed: tuple[Path, str, float],
    numbers: tuple[signal.Signals, ...],
    lives: int,
) -> None:
    first = SEED * 1000 + 37 * sum(numbers)
    seeds = range(first, first + lives)
    print("events before the kill:", in_parallel(seeds, lambda s: a_life(s, tmp_path, numbers, undisturbed)))


def a_repair(seed: int, folder: Path, undisturbed: tuple[Path, str, float]) -> str:
    """`verify --repair` of a tree with damage everywhere, killed once, then run to its end."""
    chance = random.Random(seed)
    root = folder / str(seed) / "out"
    shutil.copytree(undisturbed[0], root)
    for path in chance.sample(sorted(wanted()), 40):
        (root / path).unlink() if chance.random() < 0.3 else (root / path).write_bytes(b"damaged")
    shutil.rmtree(root / "pods/train/mugs_7")
    before = files_below(root)
    with upstream().serve() as server:
        words = ("verify", "pods", "--mirror", server.url, "--mirror-only", "-o", str(root), "--json")
        command = Command((*words, "--repair"), words, undisturbed[2], undisturbed[1])
        seen = live_and_die(command, root, chance, signal.SIGKILL)
        check_promise(root, before)
        requests = len(server.seen)
        kept = held(root)
        ended = datafetch_(*command.killed, cwd=root.parent)
        if any(damaged(root, wanted())):
            raise AssertionError("damage is left after a repair")
        check_thrift(kept, [(each.path, each.start) for each in server.seen[requests:]])
    check_end(ended, root, command.digest)
    return seen


def damaged(root: Path, files: Mapping[str, bytes]) -> list[str]:
    found = files_below(root)
    return [path for path, data in files.items() if found.get(path) != data]


def test_repair_ends_as_if_it_had_never_been_killed(
    tmp_path: Path, undisturbed: tuple[Path, str, float]
) -> None:
    seeds = range(SEED * 1000 + 900, SEED * 1000 + 906)
    print("events before the kill:", in_parallel(seeds, lambda s: a_repair(s, tmp_path, undisturbed)))


# --- Shards, a list of images, faults of every kind ------------------------------------------------------------------


def a_demo(seed: int, folder: Path, digest: str, duration: float) -> str:
    chance = random.Random(seed)
    root = folder / str(seed) / "out"
    root.parent.mkdir()
    process = start(("demo", "-o", str(root), "--json"), root.parent)
    with process:
        time.sleep(chance.uniform(0.15, duration))
        process.kill()
        process.wait(timeout=30)
    ended = datafetch_("demo", "-o", str(root), "--json", cwd=root.parent)
    assert ended.code == 0, ended.err
    assert ended.report["tree_digest"] == digest
    assert scaffolding(root, "demo") == []
    return ""


def test_shards_and_lists_of_images_end_as_if_they_had_never_been_killed(tmp_path: Path) -> None:
    begun = time.monotonic()
    whole = datafetch_("demo", "-o", "undisturbed", "--json", cwd=tmp_path)
    duration = time.monotonic() - begun
    assert whole.code == 0
    seeds = range(SEED * 1000 + 950, SEED * 1000 + 956)
    in_parallel(seeds, lambda s: a_demo(s, tmp_path, whole.report["tree_digest"], duration))


def test_an_orderly_end_is_told_in_the_report_and_by_the_exit_code(tmp_path: Path) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        root = tmp_path / str(code)
        with upstream().serve() as server:
            words = ("get", *CHOICE, "--mirror", server.url, "-o", str(root), "--json", "--progress", "none")
            with start(words, tmp_path) as process:
                assert process.stderr is not None
                while '"started"' not in process.stderr.readline():
                    pass
                process.send_signal(number)
                out, err = process.communicate(timeout=30)
        assert (process.returncode, "Traceback" in err) == (code, False)
        report = msgspec.json.decode(out)
        assert (report["exit_code"], report["status"]) == (code, "failed")
        assert any(problem["why"] == "interrupted" and problem["hint"] for problem in report["problems"])
        assert not (root / ".datafetch/pods/lease").exists()
