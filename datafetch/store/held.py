"""What a dataset takes on disk: measured once, then kept up with by events and claims, below a limit."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from datafetch.errors import NoRoom
from datafetch.model import Artifact, Event, Shards, UrlList
from datafetch.store.home import Home, slug
from datafetch.store.inventory import Entry

BLOCK = 4096  # what a file's room is rounded up to, where nobody asks the file system
RECORD = 1024  # what seal, manifest and inventory write of a file
MORE = "raise it, or make room, and run the same command again: what is here is kept"

Taken = Mapping[str, tuple[int, int]]  # artifact -> bytes of its archive or parts, and of its staged files


class Held:
    """The bytes on disk of one dataset, and the most they have been. Safe to call from several threads.

    An event is taken as it comes: what it tells has happened. A claim is made before something is written, and
    raises NoRoom when that would pass the limit: then it holds nothing.
    """

    def __init__(
        self,
        taken: int = 0,
        here: Taken | None = None,
        artifacts: Iterable[Artifact] = (),
        limit: int | None = None,
    ) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        artifacts = tuple(artifacts)
        self._lists = {a.name for a in artifacts if isinstance(a.source, UrlList)}
        self._shards = {
            a.name: [f"{a.name}/{shard.name}" for shard in a.source.shards]
            for a in artifacts
            if isinstance(a.source, Shards)
        }
        self._held: dict[tuple[str, str], int] = {}
        for name, (file, tree) in (here or {}).items():
            self._held["file", name], self._held["tree", name] = file, tree
        self._held["rest", ""] = taken - sum(self._held.values())
        self.peak = taken

    @property
    def now(self) -> int:
        return sum(self._held.values())

    @property
    def over(self) -> bool:
        """Whether the limit is passed by what was not foreseen. What stood beyond it before the run is not that."""
        return self.limit is not None and self.now > self.limit

    def spare(self) -> int:
        """Bytes that may still be taken."""
        return 2**63 if self.limit is None else max(self.limit - self.now, 0)

    def __call__(self, event: Event) -> None:
        with self._lock:
            match event.kind:
                case "started" | "progress" | "fetched":
                    self._hold(
                        "file", event.name, max(event.done, event.total or 0)
                    )  # it is set aside at once
                case "staged" | "grown":
                    self._hold("tree", event.name, event.done + event.count * (BLOCK // 2))
                case "received" if event.name in self._lists:
                    self._hold("tree", event.name, self._held.get(("tree", event.name), 0) + event.done)
                case "freed":
                    for name in (event.name, *self._shards.get(event.name, ())):
                        self._held.pop(("file", name), None)

    def claim_files(self, name: str, sizes: Iterable[int]) -> None:
        """`claim` for the files of a tree, with what is written down of each."""
        listed = list(sizes)
        self.claim("tree", name, on_disk(listed) + len(listed) * RECORD)

    def claim(self, what: str, name: str, size: int) -> None:
        """Hold `size` bytes for a file or a tree from now on, instead of what was held for it."""
        with self._lock:
            now = self.now
            more = size - self._held.get((what, name), 0)
            if self.limit is not None and more > 0 and now + more > self.limit:
                raise NoRoom(
                    f"{name} takes {more:,} bytes more, and --max-disk leaves {max(self.limit - now, 0):,}",
                    MORE,
                )
            self._hold(what, name, size)

    def gone(self, name: str) -> None:
        """The staged files of an artifact are removed again."""
        with self._lock:
            self._held.pop(("tree", name), None)

    def _hold(self, what: str, name: str, size: int) -> None:
        self._held[what, name] = size
        self.peak = max(self.peak, self.now)


def on_disk(sizes: Iterable[int]) -> int:
    """Bytes of blocks that files of these sizes take."""
    return sum(-(-size // BLOCK) * BLOCK for size in sizes)


def look(
    home: Home, artifacts: Sequence[Artifact], files: Sequence[Entry]
) -> tuple[int, dict[str, tuple[int, int]]]:
    """What the dataset takes now, and of that what is on its way: by artifact, or by shard for the files of those.

    One lstat for each file of the state folder; of published ones the manifest tells.
    """
    names: dict[str, tuple[str, str]] = {}  # folder of the state and entry in it -> what, whose
    for artifact in artifacts:
        own, name = slug(artifact.name), artifact.name
        names |= {
            f"archives/{own}": ("file", name),
            f"parts/{own}.part": ("file", name),
            f"staging/{own}": ("tree", name),
        }
        for shard in artifact.source.shards if isinstance(artifact.source, Shards) else ():
            key = home.shard_key(name, shard.name)
            names |= {
                f"archives/{own}.shards/{shard.name}": ("file", key),
                f"parts/{slug(key)}.part": ("file", key),
            }
    found: dict[str, dict[str, int]] = {"file": {}, "tree": {}}
    total = on_disk(file.size for file in files)
    counted: set[tuple[int, int]] = set()
    for path, stats in _walk(home.state):
        if stats.st_nlink > 1 and (stats.st_dev, stats.st_ino) in counted:
            continue  # an archive whose staged file is a second name of it
        counted.add((stats.st_dev, stats.st_ino))
        size = stats.st_blocks * 512
        total += size
        parts = path.split("/")
        owner = names.get("/".join(parts[:3])) or names.get("/".join(parts[:2]))
        if owner is not None:
            what, name = owner
            found[what][name] = found[what].get(name, 0) + size
    here = {
        name: (found["file"].get(name, 0), found["tree"].get(name, 0))
        for name in {*found["file"], *found["tree"]}
    }
    return total, here


def _walk(state: Path) -> Iterator[tuple[str, os.stat_result]]:
    """(path below the state folder, lstat) of every file in it."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = os.scandir(state / folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    try:
                        yield path, entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # a lease's heartbeat, renamed meanwhile
