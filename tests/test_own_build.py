"""`datafetch build`: a person's own pictures as a dataset like any other."""

from __future__ import annotations

import csv
import errno
import json
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from process import Ended, datafetch_

from datafetch.errors import UsageError
from datafetch.own.gathered import Gathered, files_below


def picture(path: Path, size: tuple[int, int] = (8, 6), colour: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (colour, 40, 10)).save(path)


def mask(path: Path, size: tuple[int, int] = (8, 6), value: int = 255) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


def photos(root: Path) -> Path:
    for label in ("cat", "dog"):
        for number in range(5):
            picture(root / "photos" / label / f"{number}.jpg", colour=10 * number)
    return root / "photos"


# One failing look left the picture out of the dataset, which was called complete, also by every later run.
def test_a_file_that_cannot_be_looked_at_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, real = photos(tmp_path), os.lstat

    def failing(path: str, *more: object, **how: object) -> os.stat_result:
        if os.fspath(path).endswith("cat/3.jpg"):
            raise OSError(errno.EIO, "Input/output error", path)
        return real(path)

    monkeypatch.setattr(os, "lstat", failing)
    with pytest.raises(UsageError, match=r"cat/3\.jpg: cannot be read"):
        files_below(source, Gathered())


def build(cwd: Path, *args: str) -> Ended:
    return datafetch_("build", "pets", *args, cwd=cwd)


def tree(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and ".datafetch" not in p.parts}


@pytest.mark.parametrize("page", ["p.jpg", "page", "there/is/none.html"])
def test_a_page_goes_only_into_a_page_and_makes_no_folder(tmp_path: Path, page: str) -> None:
    """HTML was written into p.jpg, and folders were made for a name that was mistyped."""
    photos(tmp_path)
    assert build(tmp_path, "--from", "photos").code == 0
    before = sorted(tmp_path.iterdir())
    ended = datafetch_("show", "pets", "-o", page, cwd=tmp_path)
    assert ended.code == 2 and f"error: -o {page}: " in ended.err and "hint: " in ended.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_set_of_ones_own_that_is_not_here_is_to_be_built(tmp_path: Path) -> None:
    """The hint was to `get` it, which knows no such dataset elsewhere."""
    photos(tmp_path)
    assert build(tmp_path, "--from", "photos").code == 0
    (tmp_path / "data/.datafetch/pets/manifest.jsonl").unlink()
    ended = datafetch_("verify", "pets", cwd=tmp_path)
    assert ended.code == 13 and "hint: datafetch build pets --from … makes it" in ended.err


def test_folders_become_classes_and_a_share_goes_to_test(tmp_path: Path) -> None:
    photos(tmp_path)
    picture(tmp_path / "empty" / "far" / "a.jpg")
    ended = build(tmp_path, "--from", "photos", "--test", "40%", "--negatives", "empty", "--json")
    assert (ended.code, ended.report["counts"]["ok"]) == (0, 11)
    found = tree(tmp_path / "data")
    for label in ("cat", "dog"):
        assert sum(path.startswith(f"pets/test/{label}/") for path in found) == 2
        assert sum(path.startswith(f"pets/train/{label}/") for path in found) == 3
    assert "pets_negatives/a.jpg" in found
    # No second copy of the bytes, and the person's own files are as they were.
    train = next(path for path in found if path.startswith("pets/train/cat/"))
    source = tmp_path / "photos" / "cat" / Path(train).name
    assert source.read_bytes() == (tmp_path / "data" / train).read_bytes()
    again = build(tmp_path, "--from", "photos", "--test", "40%", "--negatives", "empty", "--json")
    assert again.report["tree_digest"] == ended.report["tree_digest"]
    assert datafetch_("verify", "pets", "--full", cwd=tmp_path).code == 0
    assert "own files" in datafetch_("list", cwd=tmp_path).out


def test_what_is_added_or_taken_away_shows_in_the_next_build(tmp_path: Path) -> None:
    source = photos(tmp_path)
    assert build(tmp_path, "--from", "photos").code == 0
    (source / "cat" / "0.jpg").unlink()
    picture(source / "emu" / "1.jpg")
    assert build(tmp_path, "--from", "photos").code == 0
    found = tree(tmp_path / "data")
    assert "pets/train/cat/0.jpg" not in found
    assert "pets/train/emu/1.jpg" in found
    assert len(found) == 10


def test_a_damaged_file_is_brought_back_from_the_persons_own(tmp_path: Path) -> None:
    photos(tmp_path)
    assert build(tmp_path, "--from", "photos", "--copy").code == 0
    target = tmp_path / "data" / "pets" / "train" / "cat" / "0.jpg"
    before = target.read_bytes()
    target.write_bytes(before[:-1] + b"x")
    assert datafetch_("verify", "pets", cwd=tmp_path).code == 13
    assert datafetch_("verify", "pets", "--repair", cwd=tmp_path).code == 0
    assert target.read_bytes() == before


# The damaged file and the person's own were one file: the damage was taken for a repair, with exit code 0.
def test_damage_to_a_file_with_two_names_is_no_repair(tmp_path: Path) -> None:
    source = photos(tmp_path) / "cat" / "0.jpg"
    assert build(tmp_path, "--from", "photos").code == 0
    target = tmp_path / "data" / "pets" / "train" / "cat" / "0.jpg"
    for path in {source, target}:
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(data) if path == source or not os.path.samefile(source, target) else None
    assert datafetch_("verify", "pets", cwd=tmp_path).code == 13
    mended = datafetch_("verify", "pets", "--repair", cwd=tmp_path)
    assert mended.code in (7, 13)
    assert "have changed since they were taken" in mended.err
    assert build(tmp_path, "--from", "photos").code == 0  # as it is now, because it was asked for


# Both rows say "1.png": one mask vanished, and its picture got the other's.
def test_masks_of_one_name_go_to_the_pictures_beside_them(tmp_path: Path) -> None:
    for number, label in enumerate(("a", "b"), 1):
        picture(tmp_path / "set" / label / "1.jpg", colour=number)
        mask(tmp_path / "set" / label / "1.png", value=number)
    (tmp_path / "l.csv").write_text("file,class,mask\na/1.jpg,k,1.png\nb/1.jpg,k,1.png\n")
    assert build(tmp_path, "--from", "set", "--labels", "l.csv").code == 0
    assert tree(tmp_path / "data") == {
        f"pets/{kind}/k/{label}_1.{ending}"
        for kind, ending in (("train", "jpg"), ("train_masks", "png"))
        for label in "ab"
    }
    with Image.open(tmp_path / "data/pets/train_masks/k/b_1.png") as found:
        assert found.getpixel((0, 0)) == 2


def test_outlines_of_another_size_are_named_and_the_rest_is_built(tmp_path: Path) -> None:
    outlines = {
        1: (8, 4, [[0, 0, 3, 0, 3, 1]]),
        2: (100, 50, [[0, 0, 9, 0, 9, 9]]),
        3: (8, 4, [[1, 2, 3, 4]]),
    }
    document: dict[str, list[object]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "c"}],
    }
    for number, (width, height, polygons) in outlines.items():
        picture(tmp_path / "images" / f"{number}.jpg", size=(8, 4))
        document["images"].append(
            {"id": number, "file_name": f"{number}.jpg", "width": width, "height": height}
        )
        document["annotations"].append({"image_id": number, "category_id": 1, "segmentation": polygons})
    (tmp_path / "i.json").write_text(json.dumps(document))
    ended = build(tmp_path, "--from", "images", "--labels", "i.json", "--draw-masks", "--json")
    assert (ended.code, ended.report["counts"]["ok"], ended.report["counts"]["rejected"]) == (6, 4, 2)
    assert "2.jpg: outlines for 100 x 50 pixels, of 8 x 4" in ended.err
    assert "3.jpg: a polygon of 4 numbers" in ended.err


def test_a_folder_that_is_gone_leaves_the_dataset_as_it_is(tmp_path: Path) -> None:
    source = photos(tmp_path)
    assert build(tmp_path, "--from", "photos", "--copy").code == 0
    source.rename(tmp_path / "elsewhere")
    assert datafetch_("get", "pets", cwd=tmp_path).code == 0
    assert build(tmp_path, "--from", "photos").code == 2


def test_masks_are_paired_checked_and_named_as_the_loaders_look_for_them(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for number in range(4):
            picture(tmp_path / "set" / split / "cat" / f"{number}.jpg")
    mask(tmp_path / "set/train_masks/cat/0.png")
    mask(tmp_path / "set/train_masks/cat/1.png", size=(3, 3))
    mask(tmp_path / "set/train_masks/cat/2.png", value=0)
    mask(tmp_path / "set/train_masks/cat/77.png")
    mask(tmp_path / "set/test_masks/cat/0.png")
    (tmp_path / "set/test_masks/cat/1.png").write_bytes(b"no picture")
    ended = build(tmp_path, "--from", "set", "--json")
    assert ended.code == 6
    found = {path for path in tree(tmp_path / "data") if "_masks/" in path}
    assert found == {
        "pets/train_masks/cat/0.png",
        "pets/train_masks/cat/2.png",
        "pets/test_masks/cat/0.jpg",  # as the loaders want it: the picture's own name
    }
    notes = "\n".join(ended.report["notes"])
    for said in (
        "cat/1.png: 3 x 3 pixels for 8 x 6: a mask that does not fit",
        "cat/2.png: a mask without a pixel that is set",
        "cat/77.png: a mask without its picture",
        "test_masks/cat/1.png: no image",
        "train/cat/3.jpg: a picture without its mask",
    ):
        assert said in notes
    assert ended.report["counts"]["rejected"] == 3


def test_a_table_says_class_split_and_mask(tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / "flat" / f"{number}.jpg")
    mask(tmp_path / "flat" / "m0.png")
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["file", "class", "split", "mask"], ["0.jpg", "cat", "train", "m0.png"]])
        writer.writerows(
            [["1.jpg", "a/../b", "test", ""], ["9.jpg", "cat", "test", ""], ["2.jpg", "cat", "", ""]]
        )
    ended = build(tmp_path, "--from", "flat", "--labels", "labels.csv", "--json")
    assert tree(tmp_path / "data") == {
        "pets/train/cat/0.jpg",
        "pets/train_masks/cat/0.png",
        "pets/train/cat/2.jpg",
        "pets/test/a_.._b/1.jpg",
    }
    counts = ended.report["counts"]
    assert (ended.code, counts["missing"], counts["rejected"]) == (6, 1, 1)  # 9.jpg; 3.jpg without a class


def test_coco_outlines_become_masks(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "1.jpg", size=(8, 4))
    picture(tmp_path / "images" / "2.jpg", size=(8, 4))
    document = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 8, "height": 4} for n in (1, 2)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "area": 4, "segmentation": [[0, 0, 3, 0, 3, 1, 0, 1]]},
            {"image_id": 2, "category_id": 1, "area": 4, "segmentation": {"size": [4, 8], "counts": [28, 4]}},
        ],
    }
    (tmp_path / "instances.json").write_text(json.dumps(document))
    assert build(tmp_path, "--from", "images", "--labels", "instances.json", "--draw-masks").code == 0
    with Image.open(tmp_path / "data/pets/train_masks/cat/2.png") as drawn:
        assert [drawn.getpixel((7, y)) for y in range(4)] == [255] * 4
        assert drawn.getpixel((6, 0)) == 0
    with Image.open(tmp_path / "data/pets/train_masks/cat/1.png") as drawn:
        assert drawn.getbbox() == (0, 0, 3, 1)


def test_a_zip_is_unpacked_by_the_rules_for_every_archive(tmp_path: Path) -> None:
    photos(tmp_path)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted((tmp_path / "photos").rglob("*.jpg")):
            archive.write(path, path.relative_to(tmp_path))
    assert build(tmp_path, "--from", "photos.zip").code == 0
    assert len(tree(tmp_path / "data")) == 10
    assert not list((tmp_path / "data/.datafetch/pets").rglob("*.opened"))
    with zipfile.ZipFile(tmp_path / "photos.zip", "a") as archive:
        archive.writestr("../../out.jpg", b"x")
    ended = datafetch_("build", "other", "--from", "photos.zip", cwd=tmp_path)
    assert ended.code not in (0, 1)
    assert not (tmp_path / "out.jpg").exists()


def test_pictures_that_do_not_decode_are_left_out_and_named(tmp_path: Path) -> None:
    source = photos(tmp_path)
    (source / "cat" / "half.jpg").write_bytes((source / "cat" / "0.jpg").read_bytes()[:200])
    os.symlink("/etc/passwd", source / "cat" / "link.jpg")
    (source / "cat" / "notes.txt").write_text("x")
    ended = build(tmp_path, "--from", "photos", "--json")
    assert (ended.code, ended.report["counts"]["rejected"], ended.report["counts"]["skipped"]) == (6, 2, 1)
    assert "cat/half.jpg: does not decode" in ended.err
    assert "cat/link.jpg: a link, which is not followed" in ended.err
    assert build(tmp_path, "--from", "photos", "--min-complete", "80%").code == 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("build", "pods", "--from", "photos"), 2, "pods is a dataset that datafetch fetches"),
        (("build", "Pets", "--from", "photos"), 2, "cannot be called 'Pets'"),
        (("build", "pets", "--from", "nowhere"), 2, "--from nowhere: there is nothing"),
        (("build", "pets", "--from", "photos", "--draw-masks"), 2, "--draw-masks needs outlines"),
        (("build", "pets", "--from", ".", "-o", "."), 2, "would stand inside of what it is made from"),
        (("build", "pets", "--from", "photos/cat"), 2, "no folder and no annotation says its class"),
    ],
)
def test_what_cannot_be_built_is_one_line(
    args: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    photos(tmp_path)
    ended = datafetch_(*args, cwd=tmp_path)
    assert ended.code == code
    assert said in ended.err
    assert "Traceback" not in ended.err
