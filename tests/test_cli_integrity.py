"""The command line, killed or cut off between two sources: what it publishes is one file, and the right one."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from datafetch.demo.server import FaultServer, Thing, drop_after, status
from tests.hub import in_turn
from tests.process import Ended, datafetch_, environment

ONE, TWO = random.Random(1).randbytes(600_000), random.Random(2).randbytes(600_000)
KILLED_AT_THE_RENAME = """
import os, sys
from datafetch.transfer.part import PartFile
PartFile.rename = lambda *args: os._exit(9)
from datafetch.cli import main
sys.exit(main())
"""
GET = ("get", "far", "--registry", "recipes", "-o", "out", "--allow-private", "--retries", "1")


def recipe(folder: Path, *urls: str) -> None:
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / "recipes/far.yaml").write_text(
        f"""
name: far
title: a file
artifacts:
  - name: f.bin
    url: [{", ".join(urls)}]
    checksums: unknown
layout:
  - {{from: "f.bin", to: "f.bin"}}
"""
    )


def published(folder: Path) -> bytes:
    return (folder / "out/far/f.bin").read_bytes()


def test_two_sources_that_break_off_are_never_mixed_by_the_next_run(tmp_path: Path) -> None:
    s3 = in_turn(drop_after(200_000, Thing(ONE)), status(503))
    mirror = in_turn(drop_after(100_000, Thing(TWO)), status(503), status(503), Thing(TWO))
    with FaultServer(lambda _: s3) as first, FaultServer(lambda _: mirror) as second:
        recipe(tmp_path, "s3://buck/f.bin", f"{second.url}/f.bin")
        env = {"AWS_ENDPOINT_URL": first.url, "AWS_EC2_METADATA_DISABLED": "true"}
        ends = [run(tmp_path, env) for _ in range(2)]
    assert [ended.code for ended in ends] == [5, 0], ends[-1].err
    assert published(tmp_path) == TWO


def run(folder: Path, env: dict[str, str] | None = None) -> Ended:
    return datafetch_(*GET, cwd=folder, env=env)


def test_a_part_that_changed_while_nobody_ran_is_not_published(tmp_path: Path) -> None:
    with FaultServer(lambda _: Thing(ONE)) as server:
        recipe(tmp_path, f"{server.url}/f.bin")
        command = (sys.executable, "-c", KILLED_AT_THE_RENAME, *GET)
        dead = subprocess.run(
            command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, check=False
        )
        assert dead.returncode == 9
        [part] = (tmp_path / "out").rglob("*.part")
        fd = os.open(part, os.O_WRONLY)
        os.pwrite(fd, bytes((ONE[300_000] ^ 255,)), 300_000)
        os.close(fd)
        assert run(tmp_path).code == 0
        assert len(server.seen) == 2
    assert published(tmp_path) == ONE
