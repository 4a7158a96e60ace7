"""The same choices wherever files come from: tars, shards, files that a person brings, lists of addresses."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from archives import picture
from sbu import record
from server import Ignoring
from shapes import RECIPE, Place, archive, below, members

from datafetch import run
from datafetch.demo.server import Answer, FaultServer, Thing
from datafetch.model import Choice, Settings, Subset
from datafetch.recipe import registry
from datafetch.report import Report

TREE = members(per_class=6, size=500, seed=3)
ONE = Subset(classes=("class_07",), splits=("train",), most=2)
CHOSEN = below(
    TREE,
    lambda path: (
        path.endswith("info.json")
        or (("train/class_07/" in path or "train_masks/class_07/" in path) and path[-5] in "01")
    ),
)


def tar_of(tree: dict[str, bytes], mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:  # type: ignore[call-overload]
        for path, data in tree.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(("name", "mode"), [("real.tar.gz", "w:gz"), ("real.tar", "w"), ("real.bin", "w")])
def test_of_a_tar_only_what_is_chosen_is_placed(name: str, mode: str, tmp_path: Path) -> None:
    with Place(tmp_path, Thing(tar_of(TREE, mode)), name) as place:
        report = place.bring(ONE)
        assert (report.exit_code, place.files()) == (0, CHOSEN)
        assert sum("is fetched whole" in note for note in report.notes) == 1
        stamps = {path: (place.root / path).stat().st_ino for path in CHOSEN}
        assert place.bring(ONE).transferred == 0
        place.bring()
        assert place.files() == TREE
        assert all((place.root / path).stat().st_ino == inode for path, inode in stamps.items())


def bring(folder: Path, subset: Subset, **how: object) -> Report:
    recipe = registry.load("shapes", (folder / "recipes",))
    settings = Settings(str(folder / "out"), allow_private=True, retries=0, subset=subset, **how)  # type: ignore[arg-type]
    return run.get(recipe, Choice(), settings)


def built(folder: Path) -> dict[str, bytes]:
    base = folder / "out"
    return {
        path.relative_to(base).as_posix(): path.read_bytes()
        for path in (base / "shapes").rglob("*")
        if path.is_file()
    }


def recipe(folder: Path, text: str) -> None:
    (folder / "recipes").mkdir()
    (folder / "recipes/shapes.yaml").write_text(text)


LAYOUT = RECIPE.partition("layout:")[2].replace("{{", "{").replace("}}", "}")


@pytest.mark.parametrize("rooted", [True, False])
def test_of_shards_only_what_is_chosen_is_placed(rooted: bool, tmp_path: Path) -> None:
    data = tar_of({path.removeprefix("shapes/"): body for path, body in TREE.items()}, "w:gz")
    shards = {f"/real.a{letter}": Thing(data[at * 40_000 :][:40_000]) for at, letter in enumerate("abc")}
    shards["/real.ad"] = Thing(data[120_000:])
    with FaultServer(shards.get) as server:
        layout = LAYOUT if rooted else LAYOUT.replace("<root>/", "")
        recipe(
            tmp_path,
            f"""
name: shapes
title: shapes in shards
artifacts:
  - name: real.tar.gz
    shards: "{server.url}/real.a{{a..d}}"
    unpack: true
layout:{layout.replace('"real/', '"real.tar.gz/')}""",
        )
        narrow = Subset(classes=("class_07",), splits=("train",))
        assert bring(tmp_path, narrow).exit_code == 0
        assert built(tmp_path) == below(
            TREE,
            lambda path: path.endswith("info.json") or "train/class_07" in path or "masks/class_07" in path,
        )
        asked = len(server.seen)
        assert bring(tmp_path, ONE).transferred == 0 and len(server.seen) == asked
        assert bring(tmp_path, Subset(splits=("test", "train"))).exit_code == 0
        assert built(tmp_path) == TREE


def test_of_a_zip_that_a_person_has_the_same_is_placed(tmp_path: Path) -> None:
    with Place(tmp_path, Thing(b"")) as place:
        (tmp_path / "here").mkdir()
        (tmp_path / "here/real.zip").write_bytes(archive(TREE).data)
        report = place.bring(ONE, from_dir=str(tmp_path / "here"))
        assert (report.exit_code, place.files()) == (0, CHOSEN)
        assert place.server.seen == ()


def test_of_loose_files_that_a_person_has_the_same_are_placed(tmp_path: Path) -> None:
    recipe(
        tmp_path,
        """
name: shapes
title: shapes in files
artifacts:
  - name: real
    manual: [{at: homepage, link: "https://example.org"}]
    expect: {"*.jpg": ">=1"}
layout:
  - {from: "real/<class>_<n>.jpg", to: "<class>/<n>.jpg"}
""",
    )
    (tmp_path / "here").mkdir()
    for name in ("mug_0", "mug_1", "bottle_0"):
        (tmp_path / f"here/{name}.jpg").write_bytes(picture(len(name)))
    report = bring(tmp_path, Subset(classes=("mug",), most=1), from_dir=str(tmp_path / "here"))
    assert report.exit_code == 0, report.problems
    assert set(built(tmp_path)) == {"shapes/mug/0.jpg"}


LIST = """
name: shapes
title: shapes by address
artifacts:
  - name: links.json
    url: "{url}/links.json"
  - name: pictures
    url_list:
      file: links.json
      read: map
      keys: [class, id]
      url: "<address>"
      save_as: "<class>/<id>.jpg"
layout:
  - {{from: "pictures/<class>/<file>", to: "<class>/<file>"}}
"""


def test_of_a_list_only_the_classes_that_are_wanted_are_asked_for(tmp_path: Path) -> None:
    pictures = {
        f"/{name}/{k}": picture(k * 7 + len(name)) for name in ("mug", "bottle", "cup") for k in range(4)
    }
    table = {path: Thing(data, "image/jpeg") for path, data in pictures.items()}
    with FaultServer(lambda path: table.get(path)) as server:
        rows: dict[str, dict[str, dict[str, str]]] = {}
        for path in pictures:
            _, name, k = path.split("/")
            rows.setdefault(name, {})[k] = {"address": f"{server.url}{path}"}
        table["/links.json"] = Thing(json.dumps(rows).encode(), "application/json")
        recipe(tmp_path, LIST.format(url=server.url))

        def asked() -> list[str]:
            return sorted(seen.path for seen in server.seen if seen.path in pictures)

        report = bring(tmp_path, Subset(classes=("mug",), most=2))
        assert report.exit_code == 0, report.problems
        assert asked() == ["/mug/0", "/mug/1"] and report.counts["skipped"] == 10
        assert bring(tmp_path, Subset(classes=("mug",), most=1)).transferred == 0
        bring(tmp_path, Subset(classes=("mug", "cup")))
        assert asked() == sorted(["/mug/0", "/mug/1", "/mug/2", "/mug/3", *(f"/cup/{k}" for k in range(4))])
        assert {path for path in built(tmp_path) if path.endswith("jpg")} == {
            f"shapes/{name}/{k}.jpg" for name in ("mug", "cup") for k in range(4)
        }
        bring(tmp_path, Subset())
        assert asked() == sorted(pictures)


def test_a_recipe_with_a_split_of_its_own_keeps_it(tmp_path: Path) -> None:
    from process import datafetch_

    told = datafetch_("plan", "p9d", "--split", "test", cwd=tmp_path)
    assert told.code == 0 and "\ntest " in told.out and "train" not in told.out
    refused = datafetch_("plan", "p9d", "--split", "no", cwd=tmp_path)
    assert refused.code == 3 and "gallery" in refused.err


CAPTIONED = """
name: shapes
title: captions that are made to fit
artifacts:
  - name: real
    url: "{url}/real.zip"
    unpack: true
layout:
  - {{from: "real/im2text/<file>", to: "im2text/<file>"}}
finish:
  - {{make: captions, from: "real/im2text.json", to: im2text.json}}
"""


@pytest.mark.parametrize("ranges", [True, False])
def test_captions_fit_what_is_here_also_when_more_comes(ranges: bool, tmp_path: Path) -> None:
    tree = {f"im2text/im2text_{n:012d}.jpg": picture(n) for n in range(1, 60)}
    tree["im2text.json"] = json.dumps([record(n) for n in range(1, 60)]).encode()
    answer: Answer = archive(tree) if ranges else Ignoring(archive(tree))
    with FaultServer(lambda path: answer if path == "/real.zip" else None) as server:
        recipe(tmp_path, CAPTIONED.format(url=server.url))
        for most in (2, 5, None):
            report = bring(tmp_path, Subset(most=most))
            assert report.exit_code == 0, report.problems
            told = json.loads((tmp_path / "out/shapes/im2text.json").read_bytes())
            assert len(told) == (most or 59) == len(built(tmp_path)) - 1
        (tmp_path / "out/shapes/im2text/im2text_000000000007.jpg").unlink()
        assert bring(tmp_path, Subset()).exit_code == 0
        assert len(built(tmp_path)) == 60
