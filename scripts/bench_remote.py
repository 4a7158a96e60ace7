"""A4 of scripts/bench archives: a zip on a server of this machine becomes a verified tree, by ours straight from the
wire, by others in the steps that people type: curl, then unzip, then sha256sum of the files.
"""

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench_images import Cost, running
from bench_servers import nginx

HOST = "bench.invalid"  # what the recipe asks for; the mirror on loopback answers
BAR, AIM = 0.35, 0.25
RECIPE = f"""
name: many
title: many pictures in one zip
artifacts:
  - {{name: real, url: "https://{HOST}/many.zip", checksums: CHECKSUMS, unpack: true}}
layout:
  - {{from: "real/<root>/<split>/<class>/<file>", to: "<split>/<class>/<file>"}}
"""
PEER = "curl, unzip, sha256sum"
THEIRS = f"""
curl -sf -o many.zip URL/{HOST}/many.zip
unzip -q many.zip -d out
rm many.zip
find out -type f -print0 | xargs -0 sha256sum > sums
"""


def remote(folder: Path, count: int, rounds: int) -> None:
    """`folder` has the files in `many`; they are packed, served, and brought back."""
    if shutil.which("nginx") is None:
        print("A4   skipped: nginx is not installed")
        return
    folder.chmod(0o755)
    site = folder / "site" / HOST
    site.mkdir(parents=True)
    packed = site / "many.zip"
    subprocess.run(["zip", "-q", "-r", "-0", packed, "many"], cwd=folder, check=True)
    digest = subprocess.run(["sha256sum", packed], capture_output=True, text=True, check=True).stdout.split()[
        0
    ]
    ours: dict[str, Callable[[str], list[str]]] = {}
    for name, said, more in (
        ("datafetch --stream", "unknown", os.environ.get("A4", "--stream").split()),
        (
            "the same, checksum known",
            f"[{{sha256: {digest}, source: https://{HOST}/sums}}]",
            os.environ.get("A4", "--stream").split(),
        ),
        ("datafetch, archive on disk", "unknown", []),
    ):
        registry = folder / "recipes" / str(len(ours))
        registry.mkdir(parents=True)
        (registry / "many.yaml").write_text(RECIPE.replace("CHECKSUMS", said))
        get = [sys.executable, "-m", "datafetch", "get", "many", "--registry", str(registry), "-o", ".", "-q"]
        ours[name] = lambda url, get=get, more=more: [*get, *more, "--mirror", url]  # type: ignore[misc]
    commands = {**ours, PEER: lambda url: ["sh", "-ec", THEIRS.replace("URL", url)]}
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    with nginx(folder) as (plain, _):
        for _ in range(rounds):
            for name, words in commands.items():
                with running(words(plain), folder / "out") as cost:
                    found[name].append(cost)
                    if (
                        sum(len(files) for at, _, files in os.walk(folder / "out") if ".datafetch" not in at)
                        < count
                    ):
                        sys.exit(f"{name} left not all of {count} files")
    shutil.rmtree(folder / "site")
    for name, costs in found.items():
        value = statistics.median(a.wall / b.wall for a, b in zip(costs, found[PEER], strict=True))
        wall, cpu = (statistics.median(getattr(cost, key) for cost in costs) for key in ("wall", "cpu"))
        top = max(cost.memory for cost in costs) / 1e6
        bar = f"<= {BAR}, aim {AIM}" if name in list(ours)[:2] else ""
        shown = "" if name == PEER else f"{value:.2f}"
        print(f"{'A4':5}{name:32}{wall:8.2f}{cpu:8.2f}{top:6.0f}{shown:>8}   {bar}", flush=True)
