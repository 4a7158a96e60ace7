"""The unmodified command line as a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datafetch

SOURCES = Path(datafetch.__file__).resolve().parent.parent
LIMIT = 60.0  # seconds that no command of a test may take


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> Any:
        """The one JSON document on stdout; anything beside it is an error."""
        return json.loads(self.out)


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """A user without settings: nothing of the developer's own reaches a command."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(SOURCES),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "COLUMNS": "80",
        **(more or {}),
    }


def start(
    args: tuple[str, ...],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    before: Callable[[], object] | None = None,
) -> subprocess.Popen[str]:
    """`python -m datafetch ARGS` under way, both outputs piped; `before` runs in the child."""
    return subprocess.Popen(
        (sys.executable, "-m", "datafetch", *args),
        cwd=cwd,
        env=environment(cwd, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=before,
    )


def datafetch_(
    *args: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    before: Callable[[], object] | None = None,
) -> Ended:
    """The command, to its end. No traceback may reach a user."""
    with start(args, cwd, env, before) as process:
        try:
            out, err = process.communicate(timeout=LIMIT)
        except BaseException:
            process.kill()
            raise
    assert "Traceback" not in err, err
    return Ended(process.returncode, out, err)
