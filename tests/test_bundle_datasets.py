"""The recipes that ship, exported and imported: every kind of source comes out as the tree that went in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import coco
import pytest
import sbu
import taste
import test_get_im2text
import test_get_imagenet
from process import datafetch_
from server import FaultServer, Thing, status
from shop import serve as serve_p9d
from test_bundle import bring, files, sums_hold
from test_cli_tree import files_below
from upstream import Upstream


def mscoco(here: Path) -> tuple[FaultServer, tuple[str, ...]]:
    """One picture of the archive does not decode and comes from somewhere else."""
    name = f"COCO_train2014_{coco.CORRUPT:012d}.jpg"
    release = coco.Release(instead={name: coco.picture(coco.CORRUPT)[:400]})
    other = {f"{coco.S3}/train2014/{name}": Thing(coco.picture(coco.CORRUPT))}
    registry = coco.recipe_without_sums(here / "recipes", "mscoco")
    return FaultServer(({**release.things(), **other}).get), ("mscoco", "--registry", str(registry))


def im2text(here: Path) -> tuple[FaultServer, tuple[str, ...]]:
    """Rows 2 to 9 of a list, two of them gone."""
    server = test_get_im2text.serve({3: status(404), 5: status(410)})
    with server:
        test_get_im2text.get(server, here / "none", "--dry-run")  # writes the recipe without checksums
    again = test_get_im2text.serve({3: status(404), 5: status(410)})
    window = ("--first", "2", "--count", "8", "--min-complete", "50%")
    return again, ("im2text", "--variant", "urls", "--registry", str(here / "recipes"), *window)


def imagenet(here: Path) -> tuple[FaultServer, tuple[str, ...]]:
    """Lists of lists, and addresses with queries."""
    return test_get_imagenet.serve(), ("imagenet", "--variant", "all15", "--accept-terms")


def p9d_of(here: Path) -> tuple[FaultServer, tuple[str, ...]]:
    """A file by its id on Drive, and rows of which one of two addresses answers."""
    return serve_p9d(), ("p9d", "--accept-terms")


def hub(here: Path) -> tuple[FaultServer, tuple[str, ...]]:
    """Tables of the hub, at a revision."""
    return Upstream().serve(), ("pods", "--source", "hf")


def flickr(here: Path) -> tuple[FaultServer, tuple[str, ...]]:
    """All of it by hand."""
    for name, data in taste.photos().files.items():
        (here / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "mine" / name).write_bytes(data)
    return FaultServer({}.get), ("flickr-aes", "--from", str(here / "mine"))


WORLDS = (mscoco, im2text, imagenet, p9d_of, hub, flickr)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_what_went_in_comes_out(
    tmp_path: Path, world: Callable[[Path], tuple[FaultServer, tuple[str, ...]]]
) -> None:
    server, args = world(tmp_path)
    with server:
        mirror = ("--mirror", server.url, "--mirror-only")
        ended = datafetch_("bundle", "export", *args, "-o", "b", "--json", *mirror, cwd=tmp_path)
        plain = datafetch_("get", *args, "-o", "plain", "--json", *mirror, cwd=tmp_path)
    assert (ended.code, plain.code) == (0, 0), ended.err + plain.err
    assert ended.report["tree_digest"] == plain.report["tree_digest"]
    assert sums_hold(tmp_path / "b")
    there = bring(tmp_path, "--accept-terms")
    assert there.code == 0, there.err
    assert there.report["tree_digest"] == plain.report["tree_digest"]
    assert there.report["counts"] == plain.report["counts"]
    assert files_below(tmp_path / "there") == files_below(tmp_path / "plain")
    assert not [name for name in files(tmp_path / "b") if name.startswith(".datafetch")]


def test_shards_are_kept_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/cut.yaml").write_text(
        "name: cut\ntitle: x\nartifacts:\n"
        "  - {name: all.tar.gz, shards: 'https://example.org/all.{a..c}', checksums: unknown, unpack: true}\n"
        "layout: [{from: 'all.tar.gz/<file>', to: '<file>'}]\n"
    )
    whole = sbu.tar_gz({f"{n}.txt": bytes([n]) * 3000 for n in range(40)})
    third = len(whole) // 3 + 1
    parts = {f"/example.org/all.{c}": Thing(whole[n * third : (n + 1) * third]) for n, c in enumerate("abc")}
    args = ("cut", "--registry", "recipes")
    with FaultServer(parts.get) as server:
        export = ("bundle", "export", *args, "-o", "b", "--mirror", server.url, "--json")
        assert datafetch_(*export, cwd=tmp_path).code == 0
    bodies = b"".join((tmp_path / f"b/mirror/example.org/all.{c}").read_bytes() for c in "abc")
    assert bodies == whole
    there = bring(tmp_path)
    assert there.code == 0, there.err
    assert len(files_below(tmp_path / "there")) == 40
    assert json.loads((tmp_path / "b/bundle.json").read_text())["datasets"][0]["artifacts"][0]["files"] == 3
