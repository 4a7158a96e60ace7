"""A recipe with one URL list, and the unmodified command line to get it from a server that may misbehave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from process import Ended, datafetch_

from datafetch.demo.pictures import photo, scene
from datafetch.demo.server import Answer, FaultServer, Thing
from datafetch.images.ledger import Settled, batch_files
from datafetch.store.journal import Journal, read

RECIPE = """
name: shop
title: shop
artifacts:
  - {{name: links.txt, url: '{url}/links.txt', checksums: unknown, folder: shop_lists}}
  - name: pictures
    url_list: {{file: links.txt, read: lines, keys: [id, link], url: '<link>', save_as: '<id>.png', check: image}}
    folder: shop
layout:
  - {{from: 'links.txt', to: 'links.txt'}}
  - {{from: 'pictures/<image>', to: '<image>'}}
"""


def picture(name: str) -> bytes:
    return photo(scene(name, "disc"))


class Shop(FaultServer):
    """Serves a list of `paths`, and a picture of its own for each path without another answer."""

    def __init__(self, paths: list[str], answers: Mapping[str, Answer] | None = None) -> None:
        self.paths = paths
        self.answers = dict(answers or {})
        super().__init__(self._find)

    def _find(self, path: str) -> Answer:
        if path == "/links.txt":
            lines = [f"{number} {self.url}{each}" for number, each in enumerate(self.paths, 1)]
            return Thing("\n".join(lines).encode())
        return self.answers.get(path) or Thing(picture(path))

    def run(self, folder: Path, command: str, *options: str, env: Mapping[str, str] | None = None) -> Ended:
        """`datafetch COMMAND shop` on `folder`/out."""
        recipes = folder / "recipes"
        recipes.mkdir(exist_ok=True)
        (recipes / "shop.yaml").write_text(RECIPE.format(url=self.url))
        named = ("shop", "--registry", str(recipes), "-o", "out")
        private = () if command in ("status", "show") else ("--allow-private",)
        return datafetch_(command, *named, *private, *options, cwd=folder, env=env)


def state(folder: Path) -> Path:
    return folder / "out/.datafetch/shop"


def rows(folder: Path) -> dict[int, Settled]:
    """What the journals say of each row."""
    files = batch_files(state(folder) / "journal/pictures")
    return {row.row: row for path in files for row in read(path, Settled).rows}


def rewrite(folder: Path, settled: Mapping[int, Settled]) -> None:
    """Give the only batch these rows."""
    Journal(state(folder) / "journal/pictures/00000.jsonl").replace(settled.values())


def tree(folder: Path) -> dict[str, bytes]:
    """The published pictures by name."""
    return {path.name: path.read_bytes() for path in (folder / "out/shop").iterdir()}
