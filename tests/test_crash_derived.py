"""Killed while documents are made of raw tables: the next run ends with the same bytes and nothing left over.

No clock decides when: a process counts what it asks of the disk once the artifact is being made, and ends itself, as
`kill -9` would, at one of those points, or in the middle of a write. CRASH_SEED=n tries other points.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import taste
from process import SOURCES, Ended, datafetch_
from test_cli_tree import files_below, scaffolding
from test_get_preference import put
from test_preference_faults import brought_pictures

SEED = int(os.environ.get("CRASH_SEED", "2025"))
POINTS = 5  # of those that there are
WRITES = 2  # more, each after so many bytes of a document
AT_ONCE = 3  # processes

DYING = """
import os, resource, signal, sys

about, at, most, tell = os.environ["DIE"].split("|")
if "get" in sys.orig_argv:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python would make an error of it
    told = os.open(tell, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    count = 0

    def hook(event, given):
        global count
        if not count and not any(about in str(one) for one in given):
            return
        if event == "open" or event.startswith("os."):
            count += 1
            os.write(told, b".")
            if count == int(at):
                os.kill(os.getpid(), signal.SIGKILL)
            if count == 1 and most:
                resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))

    sys.addaudithook(hook)
"""


@dataclass(frozen=True)
class Life:
    """A command that makes an artifact in `folder`; `about` stands in a path that it asks for once it does so."""

    folder: Path
    words: tuple[str, ...]
    about: str

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def run(self, at: int = 0, most: int | str = "") -> Ended:
        """To its end, or to the point `at`, or until a file has grown to `most` bytes."""
        if not (dying := self.folder / "dying/sitecustomize.py").exists():
            put(self.folder, {"dying/sitecustomize.py": DYING.encode()})
        env = {
            "PYTHONPATH": f"{dying.parent}{os.pathsep}{SOURCES}",
            "DIE": f"{self.about}|{at}|{most}|{self.folder / 'told'}",
        }
        return datafetch_(*self.words, "-o", str(self.out), "--offline", cwd=self.folder, env=env)

    @property
    def points(self) -> int:
        """How many there were in the last run."""
        return (self.folder / "told").stat().st_size


def tree(out: Path) -> dict[str, bytes]:
    return files_below(out) if out.exists() else {}


def live(life: Life, before: Mapping[str, bytes], wanted: Mapping[str, bytes], **end: int) -> str:
    """One life that is ended there, and the run after it; what went wrong."""
    if before:
        shutil.copytree(life.folder.parent / "before", life.out, symlinks=True)
    try:
        ended = life.run(**end)
        assert ended.code in (-signal.SIGKILL, -signal.SIGXFSZ), f"it lived: {ended.code}"
        found = tree(life.out)
        for path, data in found.items():
            assert data in (wanted.get(path), before.get(path)), f"{path} is neither old nor new"
        assert found.keys() in (before.keys(), wanted.keys(), before.keys() | wanted.keys()), "half built"
        ended = life.run()
        assert ended.code == 0, ended.err[-1000:]
        assert tree(life.out) == wanted
        assert scaffolding(life.out, life.words[1]) == []
    except Exception as error:
        return f"{end}: {type(error).__name__}: {error}"
    return ""


def check(tmp_path: Path, words: tuple[str, ...], about: str, document: str) -> None:
    """Ended at points of the whole run, it ends the same; `before` below `tmp_path` is what it begins with."""
    first = tmp_path / "before"
    before = tree(first)
    whole = Life(tmp_path / "whole", words, about)
    whole.folder.mkdir()
    if before:
        shutil.copytree(first, whole.out, symlinks=True)
    ended = whole.run()
    assert ended.code == 0, ended.err
    wanted, points = tree(whole.out), whole.points
    chance = random.Random(SEED)
    size = len(wanted[document])
    ends = [{"at": at} for at in chance.sample(range(1, points), POINTS)]
    ends += [{"most": chance.randrange(1, size)} for _ in range(WRITES)]

    def one(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        return live(Life(folder, words, about), before, wanted, **ends[number])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        bad = [text for text in pool.map(one, range(len(ends))) if text]
    print(f"seed {SEED}, {points} points")
    assert not bad, "\n".join(bad)


def test_records_of_ratings(tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", taste.photos().files)
    words = ("get", "flickr-aes", "--from", str(mine))
    check(tmp_path, words, "staging/unified", "flickr-aes/processed_dataset/train.json")


def test_records_that_are_made_once_more_for_captions(tmp_path: Path) -> None:
    files = taste.photos().files
    mine = put(tmp_path / "mine", files)
    first = datafetch_("get", "flickr-aes", "--from", str(mine), "-o", "before", "--offline", cwd=tmp_path)
    assert first.code == 0, first.err
    stems = [Path(name).stem for name in files if name.startswith("40K/")]
    captions = json.dumps({stem: f"a photo called {stem}" for stem in stems}).encode()
    words = ("get", "flickr-aes", "--from", str(put(tmp_path / "words", {"FLICKR_captions.json": captions})))
    check(tmp_path, words, "staging/unified", "flickr-aes/processed_dataset/train.json")


@pytest.mark.parametrize("about", ["selection", "staging/unified"])
def test_users_that_are_drawn_and_their_records(tmp_path: Path, about: str) -> None:
    tables = taste.clicks()
    mine = put(tmp_path / "mine", tables | brought_pictures(tables))
    words = ("get", "pog", "--from", str(mine))
    document = "selection/users.txt" if about == "selection" else "processed_dataset/train.json"
    check(tmp_path, words, about, f"pog/{document}")
