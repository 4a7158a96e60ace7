"""Files by their paths, drawn shares and pairs of stems: the pure parts of `datafetch build`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import BadList
from datafetch.own.labels import read_labels
from datafetch.own.pairs import pair
from datafetch.own.sorting import File, sort_out
from datafetch.own.splits import for_testing


@pytest.mark.parametrize(
    ("path", "split", "label", "name", "mask"),
    [
        ("train/cat/1.jpg", "train", "cat", "1.jpg", False),
        ("Training/cat/1.JPG", "train", "cat", "1.JPG", False),
        ("set/images/validation/cat/1.png", "val", "cat", "1.png", False),
        ("cat/test/1.jpg", "test", "cat", "1.jpg", False),
        ("test_dense_masks/cat/1.jpg", "test_dense", "cat", "1.jpg", True),
        ("train/cat/left/eye/1.jpg", "train", "cat", "left_eye_1.jpg", False),
        ("train/masks/cat/1.png", "train", "cat", "1.png", True),
        ("masks/train/cat/1.png", "train", "cat", "1.png", True),
        ("masks/cat/1.png", "", "cat", "1.png", True),
        ("cat/masks/1.png", "", "cat", "1.png", True),
        ("train/1.jpg", "train", "", "1.jpg", False),
        ("1.jpg", "", "", "1.jpg", False),
    ],
)
def test_a_path_says_split_class_and_mask(path: str, split: str, label: str, name: str, mask: bool) -> None:
    found = next(file for file in sort_out([path, "zebra/z.jpg"]).files if file.path == path)
    assert (found.split, found.label, found.name, found.mask) == (split, label, name, mask)


def test_the_folder_that_holds_everything_is_no_class() -> None:
    found = sort_out(["photos/cat/1.jpg", "photos/dog/2.jpg", "photos/dog/.DS_Store", "photos/readme.md"])
    assert [(file.label, file.name) for file in found.files] == [("cat", "1.jpg"), ("dog", "2.jpg")]
    assert (found.others, found.junk) == (("photos/readme.md",), 1)
    assert [file.label for file in sort_out(["cat/1.jpg", "cat/2.jpg"]).files] == ["cat", "cat"]


FILES = st.lists(
    st.builds(
        lambda label, number: File(f"{label}/{number}.jpg", "", label, f"{number}.jpg"),
        st.sampled_from(["cat", "dog", "emu"]),
        st.integers(0, 40),
    ),
    unique=True,
    max_size=60,
)


@given(FILES, st.floats(0.01, 0.99), st.integers(0, 5))
def test_a_share_of_each_class_whatever_the_order_and_the_other_classes(
    files: list[File], share: float, seed: int
) -> None:
    chosen = for_testing(files, share, seed)
    assert chosen == for_testing(files[::-1], share, seed)
    for label in {file.label for file in files}:
        own = [file for file in files if file.label == label]
        mine = {file.path for file in own} & chosen
        assert mine == for_testing(own, share, seed)
        if len(own) > 1:
            assert 1 <= len(mine) < len(own)
            assert abs(len(mine) - share * len(own)) <= 1


def test_masks_find_their_pictures_by_stem_split_and_class() -> None:
    pictures = [File(f"{s}/{c}/1.jpg", s, c, "1.jpg") for s in ("train", "test") for c in ("cat", "dog")]
    masks = [
        File("train_masks/cat/1.png", "train", "cat", "1.png", True),
        File("masks/dog/1.png", "", "dog", "1.png", True),  # train or test? fits two, so none
        File("test_masks/dog/1_mask.png", "test", "dog", "1_mask.png", True),
        File("test_masks/dog/1.bmp", "test", "dog", "1.bmp", True),
        File("test_masks/cat/9.png", "test", "cat", "9.png", True),
    ]
    found = pair(pictures, masks)
    assert {p: m.path for p, m in found.of.items()} == {
        "train/cat/1.jpg": "train_masks/cat/1.png",
        "test/dog/1.jpg": "test_masks/dog/1_mask.png",
    }
    assert [m.path for m in found.alone] == ["test_masks/cat/9.png"]
    assert [m.path for m in found.unsure] == ["masks/dog/1.png"]
    assert [m.path for m in found.twice] == ["test_masks/dog/1.bmp"]


def test_a_table_and_coco_say_the_same(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "Filename,Label,Split,Mask\na/1.jpg,cat,train,m/1.png\n2.jpg,dog,,\n,dog,,\n2.jpg,emu,,\n"
    )
    labels = read_labels(table)
    assert labels.by_file["a/1.jpg"].label == "cat"
    assert (labels.by_file["a/1.jpg"].mask, labels.by_file["2.jpg"].label) == ("m/1.png", "dog")
    assert sum(labels.dropped.values()) == 2
    assert labels.find("photos/a/1.jpg") == "a/1.jpg"
    assert labels.find("photos/b/1.jpg") is None
    coco = tmp_path / "coco.json"
    document = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 8, "height": 4}, {"id": 2, "file_name": "2.jpg"}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
        "annotations": [
            {"image_id": 1, "category_id": 7, "area": 3, "segmentation": [[0, 0, 1, 0, 1, 1]]},
            {"image_id": 1, "category_id": 3, "area": 2, "segmentation": []},
            {"image_id": 1, "category_id": 3, "area": 2, "segmentation": []},
            {"image_id": 5, "category_id": 3},
        ],
    }
    coco.write_text(json.dumps(document))
    labels = read_labels(coco)
    assert (labels.by_file["1.jpg"].label, labels.by_file["2.jpg"].label) == ("dog", "")
    assert labels.dropped == {"annotation of a picture that is not there": 1}
    (tmp_path / "bad.json").write_text("[]")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    for bad in ("bad.json", "bad.csv"):
        with pytest.raises(BadList, match=r"expected|COCO"):
            read_labels(tmp_path / bad)
