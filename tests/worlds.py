"""Small datasets of every kind with their upstream, and what a run must have made of them: for the proofs under fault.

Each case has a folder of its own; one server gives the files to all, at `/<case>/<host>/<path>` as a mirror does, and
counts for each case what it sent.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archives import split, tar_of, zip_of
from warm import Run, Warm

from datafetch.demo.pictures import photo, scene
from datafetch.demo.server import Answer, Exchange, FaultServer, Thing

HOST = "proof.invalid"  # a reserved name (RFC 2606)
PIECE = 16 << 10
REST = 0.2  # seconds without a request after which none is waiting to be read
HEAD = "name: proof\ntitle: a small set for proofs\nartifacts:\n"
RULE = "  - {{from: '{0}/<root>/<class>/<file>', to: '{0}/<class>/<file>'}}\n"
ARTIFACT = "  - {{name: {0}, url: 'https://proof.invalid/{1}', unpack: true, checksums: unknown}}\n"
LIST = """\
  - {name: links.txt, url: 'https://proof.invalid/links.txt', checksums: unknown, folder: proof_lists}
  - name: pictures
    url_list: {file: links.txt, read: lines, keys: [id, link], url: '<link>', save_as: '<id>.png', check: image}
layout:
  - {from: 'links.txt', to: 'links.txt'}
  - {from: 'pictures/<image>', to: '<image>'}
"""

Files = Mapping[str, bytes]


class Origin:
    """The server of a world. `sent` counts bytes of bodies, by case."""

    def __init__(self, files: Files, pause: float = 0.0) -> None:
        self._things = {f"/{HOST}/{path}": Thing(data) for path, data in files.items()}
        self.pause = pause  # seconds between two pieces, so that a transfer lasts
        self.sent: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._lock = threading.Condition()
        self._server = FaultServer(self._find)

    def __enter__(self) -> Origin:
        self._server.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self._server.__exit__(None, None, None)

    def mirror(self, case: str) -> str:
        return f"{self._server.url}/{case}"

    def settled(self, case: str) -> int:
        """`sent` of a case, once no answer is under way and none begins: what a killed client has asked for is sent
        to nobody.
        """
        with self._lock:
            self._lock.wait_for(lambda: not self._under_way[case], 60)
            before = self.requests[case]
            if not self._lock.wait_for(lambda: self.requests[case] > before, REST):
                return self.sent[case]
        return self.settled(case)

    def _find(self, path: str) -> Answer | None:
        _, case, rest = path.split("/", 2)
        thing = self._things.get(f"/{rest}")
        return None if thing is None else lambda exchange: self._answer(case, thing, exchange)

    def _answer(self, case: str, thing: Thing, exchange: Exchange) -> None:
        status, body, headers = thing.rest(exchange.seen)
        with self._lock:
            self.requests[case] += 1
            self._under_way[case] += 1
        try:
            exchange.head(status, headers)
            for at in range(0, len(body), PIECE):
                exchange.raw(body[at : at + PIECE])
                with self._lock:
                    self.sent[case] += len(body[at : at + PIECE])
                if self.pause:
                    time.sleep(self.pause)
        finally:
            with self._lock:
                self._under_way[case] -= 1
                self._lock.notify_all()


@dataclass(frozen=True)
class World:
    """One kind of dataset: `command` brings it, `wanted` is what then stands below the output folder."""

    name: str
    recipe: str
    files: Files
    wanted: Files
    command: tuple[str, ...] = ("get", "proof")
    prepare: Callable[[Path, random.Random], None] = lambda folder, chance: None

    def words(self, folder: Path, mirror: str) -> tuple[str, ...]:
        """The command line in the folder of a case."""
        if not self.recipe:
            return (*self.command, "-o", "out", "--json", "--progress", "none")
        where = ("--registry", "recipes", "--mirror", mirror, "--mirror-only", "-o", "out")
        return (
            *self.command,
            *where,
            "--json",
            *(() if self.command[0] == "verify" else ("--progress", "none")),
        )

    def begin(self, folder: Path, chance: random.Random) -> None:
        """What stands in the folder of a case before its first run."""
        folder.mkdir(parents=True)
        if self.recipe:
            (folder / "recipes").mkdir()
            (folder / "recipes/proof.yaml").write_text(self.recipe)
        self.prepare(folder, chance)


@dataclass
class State:
    """How a folder differs from what it should be."""

    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)


def look(root: Path, world: World) -> State:
    """The published tree against what is wanted, and the state folder against what a finished run leaves there."""
    found = published(root)
    state = State(
        lost=sorted(world.wanted.keys() - found.keys()),
        corrupt=sorted(path for path, data in found.items() if world.wanted.get(path, data) != data),
        strays=sorted(found.keys() - world.wanted.keys()),
    )
    folders = {str(parent) for path in world.wanted for parent in Path(path).parents if parent != Path(".")}
    here = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir()}
    state.strays += sorted(path for path in here - folders if not path.startswith(".datafetch"))
    for home in (root / ".datafetch").iterdir() if (root / ".datafetch").is_dir() else ():
        for name in ("parts", "archives", "staging", "assembling", "opened"):
            state.strays += [str(path.relative_to(root)) for path in (home / name).rglob("*")]
        state.strays += [
            str(path.relative_to(root))
            for path in home.rglob("*")
            if path.name.endswith(".tmp") or path.name.startswith("lease")
        ]
    return state


def half_done(root: Path, world: World, before: Files) -> list[str]:
    """What breaks the promise at any instant: wrong bytes under a final name, or a folder that is only begun.

    `before` is what stood there when the run began.
    """
    found = published(root)
    bad = [path for path, data in found.items() if data not in (world.wanted.get(path), before.get(path))]
    new = {path.partition("/")[0] for path in found} - {path.partition("/")[0] for path in before}
    for folder in new:
        whole = {path for path in world.wanted if path.startswith(f"{folder}/")}
        bad += sorted(whole - found.keys())
    return bad


def published(root: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            below = str(path.relative_to(root))
            if not below.startswith(".datafetch/"):
                found[below] = path.read_bytes()
    return found


def whole(run: Run, root: Path, world: World) -> str:
    """What is wrong with a run that should have ended well; empty when nothing is."""
    if run.stuck or run.code != 0:
        return f"exit code {run.code}{' after a kill: it was stuck' if run.stuck else ''}: {run.err[-600:]}"
    state = look(root, world)
    return "" if state == State() else f"lost {state.lost}, corrupt {state.corrupt}, strays {state.strays}"


def unpacking(seed: int = 0, members: int = 12, large: int = 150_000) -> World:
    """An archive set: a zip and a tar.gz with small members and a large one, and a file that stays as it is."""
    a = _tree("a", seed, members) | {"a/c0/large.bin": random.Random(seed).randbytes(large)}
    b = _tree("b", seed + 1, members)
    single = random.Random(seed + 2).randbytes(large // 3)
    recipe = HEAD + ARTIFACT.format("a", "a.zip") + ARTIFACT.format("b", "b.tar.gz")
    recipe += "  - {name: notes.txt, url: 'https://proof.invalid/notes.txt', checksums: unknown}\n"
    recipe += "layout:\n" + RULE.format("a") + RULE.format("b") + "  - {from: notes.txt, to: notes.txt}\n"
    files = {"a.zip": zip_of(a), "b.tar.gz": tar_of(b, "w:gz"), "notes.txt": single}
    wanted = {f"proof/{path}": data for path, data in (a | b).items()}
    return World("archives", recipe, files, wanted | {"proof/notes.txt": single})


def streaming(seed: int = 0) -> World:
    """The same straight from the wire: no archive on disk."""
    made = unpacking(seed)
    return World("stream", made.recipe, made.files, made.wanted, ("get", "proof", "--stream"))


def sharded(seed: int = 0, members: int = 12, large: int = 150_000) -> World:
    """A zip cut in four, and a tar.gz cut in three that is unpacked in one pass."""
    a = _tree("a", seed, members) | {"a/c0/large.bin": random.Random(seed).randbytes(large)}
    b = {path.removeprefix("b/"): data for path, data in _tree("b", seed + 1, members).items()}
    b |= {"c0/large.bin": random.Random(seed).randbytes(large)}
    recipe = HEAD
    for name, form, count in (("a", "zip", "d"), ("b", "tar.gz", "c")):
        recipe += f"  - {{name: {name}, shards: 'https://proof.invalid/{name}.{form}.a{{a..{count}}}',"
        recipe += " unpack: true, checksums: unknown}\n"
    recipe += "layout:\n" + RULE.format("a") + "  - {from: 'b/<class>/<file>', to: 'b/<class>/<file>'}\n"
    files = dict(zip((f"a.zip.a{x}" for x in "abcd"), split(zip_of(a), 4), strict=True))
    files |= dict(zip((f"b.tar.gz.a{x}" for x in "abc"), split(tar_of(b, "w:gz"), 3), strict=True))
    wanted = {f"proof/{path}": data for path, data in a.items()}
    return World("shards", recipe, files, wanted | {f"proof/b/{path}": data for path, data in b.items()})


def listed(rows: int = 60, *more: str) -> World:
    """A URL list: a supervisor with its workers."""
    pictures = {f"p/{row}.png": photo(scene(f"{row}", "disc")) for row in range(1, rows + 1)}
    links = "\n".join(f"{row} https://{HOST}/p/{row}.png" for row in range(1, rows + 1)).encode()
    wanted = {f"proof/{path.removeprefix('p/')}": data for path, data in pictures.items()}
    return World(
        "list",
        HEAD + LIST,
        {**pictures, "links.txt": links},
        wanted | {"proof_lists/links.txt": links},
        ("get", "proof", "-j", "8", "-x", "8", *more),
    )


def repairing(built: Path, made: World) -> World:
    """`verify --repair` of what `made` is in the folder `built`, with damage of every sort."""

    def prepare(folder: Path, chance: random.Random) -> None:
        shutil.copytree(built / "out", folder / "out")
        paths = sorted(made.wanted)
        for path in chance.sample(paths, max(1, len(paths) // 4)):
            file = folder / "out" / path
            file.unlink() if chance.random() < 0.4 else file.write_bytes(b"damaged")

    return World("repair", made.recipe, made.files, made.wanted, ("verify", "proof", "--repair"), prepare)


def building(pictures: int = 16) -> World:
    """`build` of a person's own pictures."""
    own = {
        f"{label}/{n}.png": photo(scene(f"{label}{n}", "box")) for label in "ab" for n in range(pictures // 2)
    }

    def prepare(folder: Path, chance: random.Random) -> None:
        for path, data in own.items():
            (folder / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "photos" / path).write_bytes(data)

    wanted = {f"proof/train/{path}": data for path, data in own.items()}
    return World("build", "", {}, wanted, ("build", "proof", "--from", "photos", "--copy"), prepare)


def undisturbed(world: World, folder: Path, warm: Warm, origin: Origin, layer: str = "") -> tuple[Run, float]:
    """A run that nothing happens to, and the seconds that it took. Raises AssertionError when it is not whole."""
    world.begin(folder, random.Random(0))
    begun = time.monotonic()
    run = warm(*world.words(folder, origin.mirror(folder.name)), cwd=folder, layer=layer)
    took = time.monotonic() - begun
    wrong = whole(run, folder / "out", world)
    assert not wrong, f"{world.name}, undisturbed: {wrong}"
    return run, took


def _tree(root: str, seed: int, members: int) -> dict[str, bytes]:
    noise = random.Random(seed).randbytes
    return {f"{root}/c{k % 3}/{k}.bin": noise(300 + 97 * k) for k in range(members)}
