"""V1 and V2 of scripts/bench: a built tree verified by us, and by the tools that people use for it.

V1: every byte of 50,000 files of 20 kB, and of eight of 256 MiB, against sha256sum, md5sum and rclone, which are given
the sums that `datafetch export` writes. V2: a million unchanged files, in a thousand folders and in one. In memory.
BENCH_FILES and BENCH_ROWS make it shorter.
"""

import hashlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench_images import Cost, running

from datafetch.layout import manifest
from datafetch.model import FileRecord
from datafetch.store.home import Home

FILES = int(os.environ.get("BENCH_FILES", 50_000))
ROWS = int(os.environ.get("BENCH_ROWS", 1_000_000))
SIZE, LARGE, LARGE_SIZE, ROUNDS = 20_000, 8, 256 << 20, 3
RECIPE = """
name: many
title: many files
artifacts:
  - {name: real, url: "https://bench.invalid/many.zip", checksums: unknown, unpack: true}
layout:
  - {from: "real/<root>/<class>/<file>", to: "<class>/<file>"}
"""
OURS = "datafetch verify --full"
XARGS = "find | xargs -P2 sha256sum"
PEERS = {
    XARGS: "find many -type f -print0 | xargs -0 -P2 -n 500 sha256sum",
    "sha256sum -c": "sha256sum -c --quiet SHA256SUMS",
    "md5sum -c": "md5sum -c --quiet MD5SUMS",
    "rclone checksum": "rclone checksum sha256 SHA256SUMS . --one-way",
}


def verify() -> None:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        (folder / "recipes").mkdir()
        (folder / "recipes/many.yaml").write_text(RECIPE)
        dice = random.Random(1)
        pool = dice.randbytes(SIZE + FILES)
        small = ((f"c{n % 100:03}/{n:06}.jpg", pool[n : n + SIZE]) for n in range(FILES))
        full(folder, f"V1  {FILES:,} files of 20 kB", (*build(folder / "small", small), small_bar))
        block = dice.randbytes(1 << 20)
        large = ((f"c/{n}.bin", bytes((n,)) * 9 + block * (LARGE_SIZE >> 20)) for n in range(LARGE))
        full(folder, f"    {LARGE} files of 256 MiB", (*build(folder / "large", large), lambda value: ""))
        for title, folders in ((f"{ROWS // 1000} to a folder", 1000), ("in one folder", 1)):
            rows = ((f"c{n % folders:04}/{n:07}.jpg", b"") for n in range(ROWS))
            root, _ = build(folder / "rows", rows)
            unchanged(folder, root, f"V2  {ROWS:,} unchanged files, {title}")
            shutil.rmtree(root)


def build(root: Path, files: object) -> tuple[Path, int]:
    """The tree and its manifest, as a `get` leaves them; the number of files."""
    home, records = Home(root, "many"), []
    home.state.mkdir(parents=True)
    for path, data in files:  # type: ignore[attr-defined]
        place = root / "many" / path
        try:
            place.write_bytes(data)
        except FileNotFoundError:
            place.parent.mkdir(parents=True)
            place.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        records.append(FileRecord(f"many/{path}", len(data), digest, "https://bench.invalid/many.zip", ""))
    manifest.write(home.manifest, records)
    return root, len(records)


def ours(folder: Path, root: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "datafetch", "verify", "many", "-q", "--progress", "none", *more]
    return [*words, "--registry", str(folder / "recipes"), "-o", str(root)]


def small_bar(value: float) -> str:
    return f"bar <= 0.9 {'holds' if value <= 0.9 else 'FALLS SHORT'}, aim 0.6"


def full(folder: Path, title: str, built: tuple[Path, int, Callable[[float], str]]) -> None:
    """Every byte read, by each in turn, so that all see the same machine."""
    root, _, bar = built
    export = [sys.executable, "-m", "datafetch", "export", "many", "--output-dir", str(root), "-q"]
    subprocess.run(
        [*export, "--registry", str(folder / "recipes"), "-o", str(root / "SHA256SUMS")], check=True
    )
    subprocess.run("find many -type f -print0 | xargs -0 md5sum > MD5SUMS", cwd=root, shell=True, check=True)
    commands = {OURS: ours(folder, root, "--full")}
    for name, line in PEERS.items():
        if shutil.which(name.split()[0]) or name == XARGS:
            commands[name] = ["sh", "-c", f"cd {root} && {line} > /dev/null"]
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, words in commands.items():
            with running(words, folder / "out") as cost:
                found[name].append(cost)
    print(f"\n{title}, every byte read, medians of {ROUNDS}; ratio = ours / theirs")
    print(f"{'':32}{'wall s':>8}{'cpu s':>8}{'MB':>6}{'ratio':>8}")
    for name in (OURS, *PEERS):
        if name not in found:
            print(f"{name:32}{'is not installed here':>30}")
            continue
        costs = found[name]
        value = statistics.median(a.wall / b.wall for a, b in zip(found[OURS], costs, strict=True))
        say(name, costs, "" if name == OURS else f"{value:.2f}", bar(value) if name == XARGS else "")
    shutil.rmtree(root)


def unchanged(folder: Path, root: Path, title: str) -> None:
    costs: list[Cost] = []
    for turn in range(ROUNDS + 1):
        with running(ours(folder, root), folder / "out") as cost:
            if turn:  # the first one reads everything
                costs.append(cost)
    print(f"\n{title}, medians of {ROUNDS}\n{'':32}{'wall s':>8}{'cpu s':>8}{'MB':>6}")
    wall = statistics.median(cost.wall for cost in costs)
    say("datafetch verify", costs, "", f"bar <= 15 s {'holds' if wall <= 15 else 'FALLS SHORT'}, aim 5 s")


def say(name: str, costs: list[Cost], ratio: str, bar: str) -> None:
    wall, cpu = (statistics.median(getattr(cost, key) for cost in costs) for key in ("wall", "cpu"))
    top = max(cost.memory for cost in costs) / 1e6
    print(f"{name:32}{wall:8.2f}{cpu:8.2f}{top:6.0f}{ratio:>8}   {bar}".rstrip(), flush=True)
