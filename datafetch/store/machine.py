"""Which machine and process this is, in words that another run can compare."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def machine_id() -> str:
    """Tells apart machines of one name; empty when the system does not tell."""
    if sys.platform == "darwin":
        return f"{uuid.getnode():x}"
    return _text("/etc/machine-id")


def boot_id() -> str:
    """Differs after every start of the machine; empty when the system does not tell."""
    if sys.platform == "darwin":
        return _command("sysctl", "-n", "kern.bootsessionuuid")
    return _text("/proc/sys/kernel/random/boot_id")


def pid_space() -> str:
    """Pids may be compared only inside one such space: a container has its own. Empty where there is one."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def started(pid: int) -> str | None:
    """When a process of this pid space began, in the system's own unit; None when it is not running.

    Empty when it runs but its start cannot be read: the pid alone must then do.
    """
    if sys.platform == "darwin":
        return _command("ps", "-o", "lstart=", "-p", str(pid)) or None
    stat = _text(f"/proc/{pid}/stat")
    if stat:
        # The name of the program may hold blanks and brackets: fields are counted from the last bracket.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _command(*words: str) -> str:
    try:
        env = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        return subprocess.run(words, capture_output=True, text=True, timeout=5, env=env).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
