"""scripts/prove in its short form: every part of the table says ok, with the seed that was used."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from process import environment

SCRIPT = Path(__file__).resolve().parent.parent / "scripts/prove"
SEED = "2026"
LEAST = {"kills": 100, "faults": 40, "power": 100, "damage": 100, "hostile": 300, "list": 2}


def prove(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, str(SCRIPT), *words)
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)


@pytest.mark.parametrize("part", LEAST)
def test_nothing_is_found_by_the_short_form_of(tmp_path: Path, part: str) -> None:
    done = prove(tmp_path, part, "--small", "--seed", SEED, "--folder", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seed {SEED}" in done.stdout
    line = next(line for line in done.stdout.splitlines() if line.startswith(part))
    cells = re.sub(r"[,]", "", line).split()
    assert cells[2:] == ["0", "0", "0", "0", "ok"]
    assert int(cells[1]) >= LEAST[part]


def test_an_unknown_part_is_told_with_those_there_are(tmp_path: Path) -> None:
    done = prove(tmp_path, "killz")
    assert done.returncode == 2
    assert "no part killz; there are kills, faults, power, damage, hostile, list" in done.stderr
