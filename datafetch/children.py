"""Processes of our own modules: started with our own path, and without what they have no use for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

# Names of what logs in somewhere: a process that reads archives or asks for plain addresses needs none of it.
_SECRET_BEGINS = ("AWS_", "DATAFETCH_HEARTBEAT")
_SECRET_ENDS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS", "_KEY", "_KEY_ID")


def spawn(
    module: str, *words: str, stdin: int | IO[bytes], stdout: int | IO[bytes], shared: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """`python -m module WORDS`, under way; its stderr goes nowhere. Raises OSError when there is no room for a process.

    Of what is open here it has the descriptors `shared`, under the same numbers, and no others. Nothing is imported
    from the folder that the user stands in. A Ctrl-C is for us alone: we tell them.
    """
    return subprocess.Popen(
        (sys.executable, "-P", "-m", module, *words),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        env={**harmless(os.environ), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        process_group=0,
        pass_fds=shared,
    )


def cores() -> int:
    """How many of them this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the variables that hold secrets, as far as their names tell; proxies stay."""
    return {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(_SECRET_BEGINS) and not name.upper().endswith(_SECRET_ENDS)
    }
