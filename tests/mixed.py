"""A dataset of every kind of source, for the tests of lock files: a zip, a tar in shards, a list of pictures, a file
that lies beside the recipe; and a place where it is got, locked and got again.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from archives import picture, zip_of
from process import Ended, datafetch_

from datafetch.demo.server import Answer, FaultServer, Thing

RECIPE = """
name: mixed
title: Mixed, of every kind of source
min_complete: 1
artifacts:
  - name: real
    url: "{url}/real.zip"
    unpack: true
  - name: more.tar.gz
    shards: "{url}/more.a{{a..c}}"
    unpack: true
  - name: birds.csv
    url: "{url}/birds.csv"
  - name: photos
    url_list:
      {{file: birds.csv, read: csv, keys: [label, link], url: "<link>", save_as: "<label>/<row>.jpg", check: image}}
  - name: words.txt
    bundled: words.txt
layout:
  - {{from: "real/<split>/<class>/<file>", to: "<split>/<class>/<file>"}}
  - {{from: "more.tar.gz/<file>", to: "more/<file>"}}
  - {{from: "photos/<class>/<file>", to: "photos/<class>/<file>"}}
  - {{from: "birds.csv", to: "birds.csv"}}
  - {{from: "words.txt", to: "words.txt"}}
"""
ROWS = 6


def real(seed: int = 0, order: int = 1) -> bytes:
    tree = {
        f"{split}/mug/{n}.png": picture(seed + n, form="PNG") for split in ("train", "test") for n in range(3)
    }
    return zip_of(dict(list(tree.items())[::order]))


def more() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as file:
        for n in range(4):
            body = picture(50 + n)
            info = tarfile.TarInfo(f"{n}.jpg")
            info.size = len(body)
            file.addfile(info, io.BytesIO(body))
    return out.getvalue()


class Mixed:
    """The recipe in `folder`, and its server. `things` may be changed between two runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.things: dict[str, Answer] = {}
        self.server = FaultServer(lambda path: self.things.get(path))

    def __enter__(self) -> Mixed:
        self.server.__enter__()
        url, shards = self.server.url, more()
        third = len(shards) // 3
        self.things |= {
            "/real.zip": Thing(real()),
            "/more.aa": Thing(shards[:third]),
            "/more.ab": Thing(shards[third : 2 * third]),
            "/more.ac": Thing(shards[2 * third :]),
        }
        self.things |= {f"/p/{n}.jpg": Thing(picture(100 + n), "image/jpeg") for n in range(1, ROWS + 1)}
        rows = "".join(f"{'tit' if n % 2 else 'jay'},{url}/p/{n}.jpg\n" for n in range(1, ROWS + 1))
        self.things["/birds.csv"] = Thing(f"label,link\n{rows}".encode(), "text/csv")
        recipes = self.folder / "recipes"
        recipes.mkdir(parents=True)
        self.write(RECIPE)
        (recipes / "words.txt").write_text("of no matter\n")
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)  # type: ignore[arg-type]

    def write(self, recipe: str) -> None:
        (self.folder / "recipes/mixed.yaml").write_text(recipe.format(url=self.server.url))

    def run(self, word: str, *more: str, root: str = "out", **how: object) -> Ended:
        """A command about it, in its folder."""
        args = (word, "mixed", "-o", root, "--registry", "recipes", *more)
        return datafetch_(*args, cwd=self.folder, **how)  # type: ignore[arg-type]

    def get(self, *more: str, root: str = "out", **how: object) -> Ended:
        return self.run("get", "--allow-private", "--retries", "0", "--json", *more, root=root, **how)

    def lock(self, *more: str, root: str = "out", **how: object) -> Ended:
        return self.run("lock", *more, root=root, **how)

    def frozen(self, *more: str, root: str = "out", **how: object) -> Ended:
        return self.get("--frozen", *more, root=root, **how)

    def pin(self, *more: str, root: str = "out") -> Ended:
        words = ("recipe", "pin", "mixed", "-o", root, *(more or ("--registry", "recipes")))
        return datafetch_(*words, cwd=self.folder)

    @property
    def text(self) -> str:
        return (self.folder / "datafetch.lock").read_text("utf-8")

    def asked(self) -> list[str]:
        return [seen.path for seen in self.server.seen]

    def built(self, root: str = "out") -> dict[str, bytes]:
        base = self.folder / root
        return {
            path.relative_to(base).as_posix(): path.read_bytes()
            for path in sorted(base.glob("mixed*/**/*"))
            if path.is_file()
        }


def told(ended: Ended) -> str:
    """All that the report of a run says is wrong, a line each."""
    return "\n".join(f"{one['name']}: {one['text']}" for one in ended.report["problems"])
