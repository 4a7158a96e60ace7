"""The real command line in children of a process that has imported it already: thousands of runs are affordable.

The child goes through `datafetch.__main__.main` as any process does, to its own end; what is saved is the import.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

TESTS = Path(__file__).resolve().parent
LIMIT = 60.0  # seconds that no run may take: one that does counts as stuck


@dataclass
class Run:
    """One run under way. `code` is negative when a signal ended it; None while it runs."""

    number: int
    folder: Path
    warm: Warm
    over: threading.Event = field(default_factory=threading.Event)
    code: int | None = None
    pid: int = 0  # once it has begun
    cpu: float = 0.0  # seconds that it and its children took
    stuck: bool = False

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends a signal, unless it has ended."""
        self.warm.tell({"kill": self.number, "signal": int(number)})

    def wait(self, limit: float = LIMIT) -> Run:
        if not self.over.wait(limit):
            self.stuck = True
            self.kill()
            self.over.wait(10)
        return self

    @property
    def out(self) -> str:
        return self._said("out")

    @property
    def err(self) -> str:
        return self._said("err")

    def _said(self, where: str) -> str:
        try:
            return (self.folder / f"{self.number}.{where}").read_text("utf-8", "replace")
        except FileNotFoundError:  # it was killed before it could say anything
            return ""

    @property
    def report(self) -> Any:
        return json.loads(self.out)


class Warm:
    """Runs commands while its block lasts; safe to use from several threads. `folder` gets what they print."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: dict[int, Run] = {}
        self._lock = threading.Lock()
        self._number = 0

    def __enter__(self) -> Self:
        import datafetch

        self._folder.mkdir(parents=True, exist_ok=True)
        sources = Path(datafetch.__file__).resolve().parent.parent
        path = os.pathsep.join(map(str, (TESTS / "layer", TESTS, sources)))
        self._child = subprocess.Popen(
            (sys.executable, str(TESTS / "warm.py")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": path, "LANG": "C.UTF-8"},
            start_new_session=True,  # a Ctrl-C is for us; we end it
        )
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *ended: object) -> None:
        assert self._child.stdin is not None
        for run in list(self._runs.values()):
            run.kill()
        self._child.stdin.close()
        self._child.wait(10)

    def start(self, *args: str, cwd: Path, layer: str = "", env: Mapping[str, str] | None = None) -> Run:
        """`datafetch ARGS`, under way; `layer` is what `disklayer.Spec.dump` gave."""
        with self._lock:
            self._number += 1
            run = self._runs[self._number] = Run(self._number, self._folder, self)
        user = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(cwd),
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
        }
        said = {what: str(self._folder / f"{run.number}.{what}") for what in ("out", "err")}
        env = user | dict(env or {})
        self.tell({"run": run.number, "args": args, "cwd": str(cwd), "layer": layer, "env": env, **said})
        return run

    def __call__(self, *args: str, cwd: Path, layer: str = "", env: Mapping[str, str] | None = None) -> Run:
        """The command, to its end."""
        return self.start(*args, cwd=cwd, layer=layer, env=env).wait()

    def tell(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            assert self._child.stdin is not None
            self._child.stdin.write(json.dumps(message).encode() + b"\n")
            self._child.stdin.flush()

    def _listen(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            what, number, value, *spent = line.split()
            if what == b"began":
                self._runs[int(number)].pid = int(value)
                continue
            run = self._runs.pop(int(number))
            run.code, run.cpu = os.waitstatus_to_exitcode(int(value)), float(spent[0])
            run.over.set()


# --- Inside: a process without threads, which forks ------------------------------------------------------------------


def _serve() -> dict[str, Any] | None:
    """Forks for each message; what comes back is a message in its child, None when no more are to come."""
    children: dict[int, tuple[int, int]] = {}  # number of the run -> pid, descriptor of it
    waiting = b""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == 0:
                data = os.read(0, 1 << 16)
                if not data:
                    for pid, _ in children.values():
                        os.kill(pid, signal.SIGKILL)
                        os.waitpid(pid, 0)
                    return None
                *lines, waiting = (waiting + data).split(b"\n")
                for message in map(json.loads, lines):
                    if "kill" in message:
                        if message["kill"] in children:  # not waited for yet: the pid is its own
                            os.kill(children[message["kill"]][0], message["signal"])
                        continue
                    pid = os.fork()
                    if pid == 0:
                        return dict(message)
                    opened = os.pidfd_open(pid)
                    children[message["run"]] = pid, opened
                    os.write(1, f"began {message['run']} {pid}\n".encode())
                    poll.register(opened, select.POLLIN)
            else:
                number = next(each for each, (_, opened) in children.items() if opened == fd)
                _, status, used = os.wait4(children.pop(number)[0], 0)
                poll.unregister(fd)
                os.close(fd)
                spent = used.ru_utime + used.ru_stime
                os.write(1, f"ended {number} {status} {spent}\n".encode())


def _become(message: Mapping[str, Any]) -> None:
    """What a shell does before the program begins."""
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, message["out"], new),
        (2, message["err"], new),
    ):
        fd = os.open(path, flags, 0o644)
        os.dup2(fd, number)
        os.close(fd)
    os.closerange(3, 256)
    os.chdir(message["cwd"])
    os.environ.clear()
    os.environ.update(message["env"])
    sys.argv = ["datafetch", *message["args"]]
    if message["layer"]:
        import disklayer

        disklayer.install(disklayer.Spec(**json.loads(message["layer"])))


def _import_everything() -> None:
    """All that the commands load; what they load of rare libraries is left to them, for those have threads."""
    import importlib
    import pkgutil

    import datafetch

    for module in pkgutil.walk_packages(datafetch.__path__, "datafetch."):
        if not module.name.startswith(
            ("datafetch.talk", "datafetch.images.worker", "datafetch.archive.helper")
        ):
            importlib.import_module(module.name)
    gc.freeze()  # else the first collection of each child writes to every page


def _end(code: object) -> None:
    """As a process ends, but for taking its modules apart one by one: that took a fifth of a short run."""
    import atexit

    threading._shutdown()  # type: ignore[attr-defined]
    gc.collect()  # who was never asked how it ended says so now
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    sys.path[:] = [path for path in sys.path if path]
    _import_everything()
    given = _serve()
    if given is not None:
        _become(given)
        from datafetch.__main__ import main

        try:
            main()
        except SystemExit as leave:
            left = leave.code
        _end(left)
