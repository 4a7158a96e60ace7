"""A dataset in one large archive for the tests of subsets: a recipe, its members, and what a server gave of it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archives import zip_of
from process import Ended, datafetch_

from datafetch import run
from datafetch.demo.server import Answer, Exchange, FaultServer, Thing
from datafetch.model import Choice, Recipe, Settings, Subset
from datafetch.recipe import registry
from datafetch.report import Report

CLASSES = tuple(f"class_{index:02}" for index in range(20))
RECIPE = """
name: shapes
title: shapes in one archive
artifacts:
  - name: real
    url: ["{url}"]
    checksums: {checksums}
    unpack: true
layout:
  - {{from: "real/<root>/<split>/<class>/<file>", to: "<split>/<class>/<file>"}}
  - {{from: "real/<root>/<file>", to: "<file>"}}
"""


def members(per_class: int = 50, size: int = 3000, seed: int = 1) -> dict[str, bytes]:
    """Pictures of 20 classes in two splits, masks of `train`, and one document, below a root folder."""
    chance = random.Random(seed)
    tree = {"shapes/info.json": b'{"classes": 20}'}
    for split in ("train", "test"):
        for name in CLASSES:
            for k in range(per_class):
                tree[f"shapes/{split}/{name}/{k}.jpg"] = chance.randbytes(size)
                if split == "train":
                    tree[f"shapes/train_masks/{name}/{k}.png"] = chance.randbytes(40)
    return tree


def below(tree: dict[str, bytes], takes: Callable[[str], bool]) -> dict[str, bytes]:
    """What should stand in the output directory of the members that `takes`."""
    return {path: data for path, data in tree.items() if takes(path)}


class Counting:
    """An answer that counts the bytes of bodies it sends, and remembers the ranges that were asked for."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.sent = 0
        self.ranges: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            self.ranges.append(exchange.seen.headers.get("range", ""))
        counted = exchange.body

        def body(data: bytes) -> None:
            with self._lock:
                self.sent += len(data)
            counted(data)

        exchange.body = body  # type: ignore[method-assign]
        self.answer(exchange)


def archive(tree: dict[str, bytes], *, deflate: bool = False) -> Thing:
    return Thing(zip_of(tree, deflate=deflate), "application/zip")


class Place:
    """A folder with a recipe, beside a server that has the archive, and `others` by their path."""

    def __init__(
        self,
        folder: Path,
        answer: Answer,
        name: str = "real.zip",
        checksums: str = "unknown",
        others: Mapping[str, Answer] | None = None,
    ) -> None:
        self.folder, self.answer = folder, Counting(answer)
        self.server = FaultServer(
            lambda path: self.answer if path == f"/{name}" else (others or {}).get(path)
        )
        self.root = folder / "out"
        (folder / "recipes").mkdir()
        self.url = f"{self.server.url}/{name}"
        (folder / "recipes/shapes.yaml").write_text(RECIPE.format(url=self.url, checksums=checksums))

    def __enter__(self) -> Place:
        self.server.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self.server.__exit__(None, None, None)

    def command(self, word: str, *more: str) -> tuple[str, ...]:
        where = ("--registry", "recipes", *(() if word in ("info", "list") else ("-o", "out")))
        name = () if word == "list" else ("shapes",)
        return (word, *name, *where, *more)

    def get(self, *more: str, code: int = 0) -> Ended:
        args = self.command("get", "--allow-private", "--json", "--retries", "2", *more)
        ended = datafetch_(*args, cwd=self.folder)
        assert ended.code == code, ended.err + ended.out
        return ended

    @property
    def recipe(self) -> Recipe:
        return registry.load("shapes", (self.folder / "recipes",))

    def bring(self, subset: Subset | None = None, **how: Any) -> Report:
        """`get` without a process of its own."""
        settings = Settings(str(self.root), allow_private=True, retries=1, subset=subset or Subset())
        return run.get(self.recipe, Choice(), replace(settings, **how))

    def mend(self) -> Report:
        """What `verify --repair` does about files that lack."""
        return run.repair(self.recipe, (), Settings(str(self.root), allow_private=True, retries=1))

    def files(self) -> dict[str, bytes]:
        base = self.root / "shapes"
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(base.rglob("*"))
            if path.is_file()
        }
