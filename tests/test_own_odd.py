"""`datafetch build` of what people really have: strays, flat zips, phones' formats, documents of odd COCO forms."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from test_own_build import build, photos, picture, tree

from datafetch.loaders.rules import TORCHVISION
from datafetch.own.sorting import IMAGES, UNREAD, sort_out


def zipped(path: Path, *files: tuple[Path, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file, name in files:
            archive.write(file, name)


@pytest.mark.parametrize("packed", [False, True])
def test_a_picture_beside_the_classes_does_not_make_them_one(packed: bool, tmp_path: Path) -> None:
    """One stray file made `photos` the class of every picture, without a word."""
    photos(tmp_path / "up")
    picture(tmp_path / "up/photos/stray.jpg")
    source = "up"
    if packed:
        source = "up.zip"
        each = sorted((tmp_path / "up").rglob("*.jpg"))
        zipped(tmp_path / source, *((path, path.relative_to(tmp_path).as_posix()) for path in each))
    ended = build(tmp_path, "--from", source)
    assert ended.code == 6
    where = "up/photos" if packed else "photos"
    assert f"note: {where}/stray.jpg: no folder and no annotation says its class" in ended.err
    assert {path.split("/")[2] for path in tree(tmp_path / "data")} == {"cat", "dog"}


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["w/a/1.jpg", "w/b/1.jpg", "w/s.jpg"], ["a", "b", ""]),
        (["w/a/1.jpg", "w/a/b/2.jpg"], ["a", "a"]),
        (["cat/1.jpg", "cat/more/2.jpg"], ["cat", "cat"]),  # one class, and a folder in it
        (["w/s.jpg", "w/train/a/1.jpg"], ["", "a"]),
        (["s.jpg", "a/1.jpg", "b/1.jpg"], ["a", "b", ""]),
        # Masks beside the folder of all pictures: that folder was the class of them all.
        (["pics/a/1.jpg", "pics/b/1.jpg", "masks/a/1.png", "masks/b/1.png"], ["a", "b", "a", "b"]),
        (["cat/1.jpg", "masks/cat/1.png"], ["cat", "cat"]),
    ],
)
def test_which_folder_is_the_class(paths: list[str], labels: list[str]) -> None:
    found = {file.path: file.label for file in sort_out(paths).files}
    assert [found[path] for path in sorted(paths)] == labels


def test_the_share_for_testing_is_drawn_of_pictures_that_decode(tmp_path: Path) -> None:
    """The one that was drawn did not decode, and test/ had nothing of its class."""
    for seed in range(4):
        source = tmp_path / f"{seed}"
        for number in range(4):
            picture(source / "cat" / f"{number}.jpg", colour=10 * number)
        (source / "cat" / f"{seed}.jpg").write_bytes(b"no picture")
    for seed in range(4):  # whichever is drawn, it is one of these
        output = f"out{seed}"
        assert build(tmp_path, "--from", str(seed), "--test", "25%", "-o", output).code == 6
        assert sum(path.startswith("pets/test/cat/") for path in tree(tmp_path / output)) == 1


def test_a_flat_zip_has_no_class(tmp_path: Path) -> None:
    """Its pictures stood in a class `pictures`, which is our own word."""
    for number in range(3):
        picture(tmp_path / f"{number}.jpg")
    zipped(tmp_path / "flat.zip", *((tmp_path / f"{n}.jpg", f"{n}.jpg") for n in range(3)))
    ended = build(tmp_path, "--from", "flat.zip")
    assert ended.code == 2
    assert "3 times no folder and no annotation says its class; the first, 0.jpg: " in ended.err


def test_a_class_that_is_gone_leaves_no_empty_folder(tmp_path: Path) -> None:
    """Its folder stayed, empty: ImageFolder raises at it."""
    source = photos(tmp_path)
    assert build(tmp_path, "--from", "photos", "--test", "40%").code == 0
    mine = tmp_path / "data/pets/train/cat/mine.txt"
    mine.write_text("mine")
    for path in source.glob("*/*.jpg"):
        path.rename(path.with_name("x" + path.name))
    (source / "dog").rename(source / "emu")
    (source / "cat").rename(source / "fox")
    assert build(tmp_path, "--from", "photos").code == 0
    found = {p.relative_to(tmp_path / "data/pets").as_posix() for p in (tmp_path / "data/pets").rglob("*/")}
    assert {path for path in found if "." not in path} == {"train", "train/cat", "train/emu", "train/fox"}
    assert mine.read_text() == "mine"


def test_pictures_that_nobody_reads_are_named_and_those_that_some_read_kept(tmp_path: Path) -> None:
    """A phone's HEIC was counted among texts and not named."""
    source = photos(tmp_path)
    (source / "cat/IMG_1.HEIC").write_bytes(b"heic")
    (source / "cat/notes.txt").write_text("x")
    picture(source / "cat/a.gif")
    picture(source / "cat/b.ppm")
    ended = build(tmp_path, "--from", "photos", "--json")
    counts = ended.report["counts"]
    assert (ended.code, counts["rejected"], counts["skipped"], counts["ok"]) == (6, 1, 1, 12)
    said = "\n".join(ended.report["notes"])
    assert "cat/IMG_1.HEIC: a picture of a kind that loaders do not read: convert it" in said
    assert "cat/a.gif: loaders ignore its extension; kept" in said
    assert not UNREAD & set(TORCHVISION) and not IMAGES - UNREAD - set(TORCHVISION)


# --- COCO's form ----------------------------------------------------------------------------------------------------


def coco(root: Path, segmentation: Any, **more: Any) -> None:
    """Two pictures of 8 by 4: the first has these outlines, the second a square."""
    square = [[0, 0, 3, 0, 3, 3, 0, 3]]
    for number in (1, 2):
        picture(root / "images" / f"{number}.jpg", size=(8, 4))
    document: dict[str, Any] = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 8, "height": 4, **more} for n in (1, 2)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"image_id": n, "category_id": 1, "segmentation": one}
            for n, one in ((1, segmentation), (2, square))
        ],
    }
    (root / "i.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        (None, "no outline to draw a mask from; kept without"),
        ([], "no outline to draw a mask from; kept without"),
        ([[90, 90, 95, 90, 95, 95]], "its outlines hold no pixel of it; kept without a mask"),
        ([[-9, -9, -5, -9, -5, -5]], "its outlines hold no pixel of it; kept without a mask"),
        ({"size": [4, 8], "counts": [32]}, "its outlines hold no pixel of it; kept without a mask"),
    ],
)
def test_outlines_of_nothing_make_no_black_mask(segmentation: Any, said: str, tmp_path: Path) -> None:
    coco(tmp_path, segmentation)
    ended = build(tmp_path, "--from", "images", "--labels", "i.json", "--draw-masks")
    assert ended.code == 0
    assert f"note: 1.jpg: {said}" in ended.err
    assert {path for path in tree(tmp_path / "data") if "_masks" in path} == {"pets/train_masks/cat/2.png"}


def test_a_document_need_not_say_the_sizes_of_pictures(tmp_path: Path) -> None:
    """Every outline was refused, as one "for 0 x 0 pixels"."""
    coco(tmp_path, {"size": [4, 8], "counts": [28, 4]}, width=0, height=0)
    assert build(tmp_path, "--from", "images", "--labels", "i.json", "--draw-masks").code == 0
    with Image.open(tmp_path / "data/pets/train_masks/cat/1.png") as drawn:
        assert drawn.size == (8, 4) and drawn.getbbox() == (7, 0, 8, 4)


def test_a_document_may_name_the_folders_above_the_pictures(tmp_path: Path) -> None:
    """`images/1.jpg` was not found in the folder images/."""
    coco(tmp_path, [])
    document = json.loads((tmp_path / "i.json").read_text())
    for image in document["images"]:
        image["file_name"] = f"set/images/{image['file_name']}"
    (tmp_path / "i.json").write_text(json.dumps(document))
    assert build(tmp_path, "--from", "images", "--labels", "i.json").code == 0
    assert tree(tmp_path / "data") == {"pets/train/cat/1.jpg", "pets/train/cat/2.jpg"}
    (tmp_path / "other").mkdir()
    document["images"][1]["file_name"] = "other/images/1.jpg"  # now two names end in images/1.jpg
    (tmp_path / "i.json").write_text(json.dumps(document))
    ended = build(tmp_path, "--from", "images", "--labels", "i.json")
    assert "1.jpg: no annotation says its class" in ended.err


# --- What cannot be used --------------------------------------------------------------------------------------------


def test_a_zip_that_breaks_off_is_not_told_to_mend_itself(tmp_path: Path) -> None:
    """It ended with 5, as a server that may do better tomorrow."""
    photos(tmp_path)
    zipped(tmp_path / "a.zip", *((p, str(p)[1:]) for p in sorted((tmp_path / "photos").rglob("*.jpg"))))
    (tmp_path / "half.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:900])
    ended = build(tmp_path, "--from", "half.zip")
    assert ended.code == 2 and "it is cut short" in ended.err


def test_classes_that_differ_in_letter_case_alone_are_named_with_a_picture_of_each(tmp_path: Path) -> None:
    picture(tmp_path / "photos/a/1.jpg")
    picture(tmp_path / "photos/b/2.jpg")
    (tmp_path / "l.csv").write_text("file,class\na/1.jpg,cat\nb/2.jpg,Cat\n")
    ended = build(tmp_path, "--from", "photos", "--labels", "l.csv")
    assert ended.code == 2
    assert (
        "a/1.jpg and b/2.jpg would meet: two folders, 'train/cat' and 'train/Cat', have one name" in ended.err
    )


def test_a_table_cut_by_semicolons_is_told_what_is_expected(tmp_path: Path) -> None:
    photos(tmp_path)
    (tmp_path / "l.csv").write_text("file;class\n0.jpg;cat\n")
    ended = build(tmp_path, "--from", "photos", "--labels", "l.csv")
    assert ended.code == 2
    assert (
        "found file;class" in ended.err
        and "hint: its first line names the columns, cut by commas" in ended.err
    )


def test_when_nothing_fits_every_reason_is_counted(tmp_path: Path) -> None:
    """Ids that are texts in one place and numbers in the other: nothing said so."""
    coco(tmp_path, [])
    document = json.loads((tmp_path / "i.json").read_text())
    for one in document["annotations"]:
        one["image_id"] = str(one["image_id"])
    (tmp_path / "i.json").write_text(json.dumps(document))
    ended = build(tmp_path, "--from", "images", "--labels", "i.json")
    assert ended.code == 2 and "2 times annotation of a picture that is not there" in ended.err
