"""Lock files of datasets with documents that are made here, of pictures that come from elsewhere."""

from __future__ import annotations

import tomllib
from pathlib import Path

import coco
import test_get_im2text as im2text
import test_get_p9d as p9d
from coco import Release, recipe_without_sums
from process import Ended, datafetch_
from server import FaultServer
from shop import serve
from test_cli_tree import files_below


def lock(name: str, root: Path, *more: str) -> Ended:
    return datafetch_("lock", name, "-o", str(root), *more, cwd=root.parent)


def test_documents_made_here_are_in_the_tree_and_no_matter_of_upstream(tmp_path: Path) -> None:
    release = Release()
    with FaultServer(release.things().get) as server:
        assert coco.get(server, tmp_path / "out").code == 0
        recipes = ("--registry", str(recipe_without_sums(tmp_path)))
        assert lock("mscoco", tmp_path / "out", *recipes).code == 0
        new = coco.get(server, tmp_path / "new", "--frozen")
        assert new.code == 0, new.err
        again = coco.get(server, tmp_path / "new", "--frozen")
        assert (again.code, again.report["bytes"]["transferred"]) == (0, 0)
    (entry,) = tomllib.loads((tmp_path / "datafetch.lock").read_text())["dataset"]
    assert entry["tree"] == new.report["tree_digest"]
    files = files_below(tmp_path / "new")
    assert "mscoco/coco_raw.json" in files and files == files_below(tmp_path / "out")
    assert entry["files"] == len(files) == sum(one["files"] for one in entry["artifact"]) + 1


def test_lists_that_share_pictures_from_files_that_a_person_may_bring(tmp_path: Path) -> None:
    with serve() as server:
        assert p9d.get(server, tmp_path / "out").code == 0
        assert lock("p9d", tmp_path / "out").code == 0
        new = p9d.get(server, tmp_path / "new", "--frozen")
        assert new.code == 0, new.err
    assert files_below(tmp_path / "new") == files_below(tmp_path / "out")


def test_some_rows_of_a_list_with_their_captions(tmp_path: Path) -> None:
    rows = ("--first", "2", "--count", "3")
    with im2text.serve() as server:
        assert im2text.get(server, tmp_path / "out", *rows).code == 0
        where = ("--registry", str(tmp_path / "recipes"))
        assert lock("im2text", tmp_path / "out", "--variant", "urls", *rows, *where).code == 0
        new = im2text.get(server, tmp_path / "new", *rows, "--frozen")
        assert new.code == 0, new.err
        other = im2text.get(server, tmp_path / "other", "--frozen")
        assert other.code == 2 and "--first 2 --count 3" in other.err
    assert files_below(tmp_path / "new") == files_below(tmp_path / "out")
