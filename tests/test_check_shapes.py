"""`datafetch check`: what a folder is taken for, and that what we make ourselves satisfies it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from process import datafetch_
from test_check import another, dataset, link, look, told, write

from datafetch.errors import UsageError


def test_a_folder_of_classes_is_taken_as_it_is(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        another(tmp_path / "set" / label / "1.jpg")
    write(tmp_path / "set/links.json")
    checked = look(tmp_path / "set")
    assert (checked.shape, checked.satisfied) == ("classes", True)
    assert told(checked) == {"file-beside-classes": ["links.json"]}
    (tmp_path / "set").rename(tmp_path / "train")  # here the same file is a class of it
    assert told(look(tmp_path / "train")) == {"stray-file": ["links.json"]}


def test_a_folder_of_pictures_is_one_of_negatives_or_nothing(tmp_path: Path) -> None:
    another(tmp_path / "dogs_negatives/1.jpg")
    checked = look(tmp_path / "dogs_negatives")
    assert (checked.shape, checked.satisfied, checked.splits[0].pictures) == ("pictures", True, 1)
    (tmp_path / "dogs_negatives").rename(tmp_path / "dogs")
    assert told(look(tmp_path / "dogs")) == {"no-classes": [".: pictures lie in it directly"]}


def test_an_empty_folder_is_nothing(tmp_path: Path) -> None:
    assert told(look(tmp_path)) == {"no-pictures": ["."]}
    (tmp_path / "train").mkdir()
    checked = look(tmp_path)
    assert told(checked) == {"no-classes": ["train/"], "no-pictures": ["."]}


def test_without_train_the_rest_can_be_loaded(tmp_path: Path) -> None:
    another(tmp_path / "test/cat/1.jpg")
    checked = look(tmp_path)
    assert checked.satisfied and told(checked) == {"no-train": ["."]}


def test_splits_inside_of_classes_are_told_with_the_way_out(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        for split in ("train", "test"):
            another(tmp_path / label / split / "1.jpg")
    checked = look(tmp_path)
    assert not checked.satisfied
    assert told(checked)["split-inside-class"] == [
        f"{label}/: test, train; datafetch build turns it round" for label in ("cat", "dog")
    ]


@pytest.mark.parametrize("label", ["val", "validation", "mask"])
def test_one_class_may_be_called_like_a_split_in_other_words(label: str, tmp_path: Path) -> None:
    another(tmp_path / "cat/1.jpg")
    another(tmp_path / label / "1.jpg")
    checked = look(tmp_path)
    if label == "val":  # that is the very name
        assert checked.shape == "splits"
    else:
        assert (checked.shape, told(checked)) == ("classes", {})


def test_a_folder_of_datasets_is_refused_with_the_right_one(tmp_path: Path) -> None:
    dataset(tmp_path / "data/my pets")
    with pytest.raises(UsageError) as error:
        look(tmp_path / "data")
    assert str(error.value).endswith("data holds datasets and is none itself: my pets")
    assert error.value.hint.endswith("data/my pets'")


def test_links_to_pictures_inside_count_as_pictures(tmp_path: Path) -> None:
    """Datasets are often made of links into a store; only what leads out is left alone."""
    root = dataset(tmp_path / "d")
    os.rename(root / "train/cat/0.jpg", root / "store.jpg")
    link("../../store.jpg", root / "train/cat/0.jpg")
    assert told(look(root)) == {}


def test_a_class_of_links_that_lead_out_is_not_called_empty(tmp_path: Path) -> None:
    another(tmp_path / "store/1.jpg")
    for label in ("cat", "dog"):
        (tmp_path / "d" / label).mkdir(parents=True)
        link("../../store/1.jpg", tmp_path / "d" / label / "1.jpg")
    assert told(look(tmp_path / "d")) == {
        "no-pictures": [".: what lies behind links is not looked at"],
        "link": ["cat/1.jpg", "dog/1.jpg"],
    }


# --- What get and build make ----------------------------------------------------------------------------------------


def test_what_demo_and_build_make_satisfies_it(tmp_path: Path) -> None:
    assert datafetch_("demo", "-o", "made", cwd=tmp_path).code == 0
    for folder in sorted((tmp_path / "made").glob("demo*")):
        checked = look(folder)
        assert checked.satisfied, told(checked)
    source = dataset(tmp_path / "mine")
    write(source / "train/notes.txt")
    write(source / "train/dog/half.jpg", b"half")
    (source / "train/empty").mkdir()
    assert not look(source).satisfied
    assert datafetch_("build", "pets", "--from", "mine", cwd=tmp_path).code == 6
    assert told(look(tmp_path / "data/pets")) == {}
