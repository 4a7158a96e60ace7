"""The recipe of MS COCO: what upstream and those who hashed its files say, its choices, and where members go."""

from __future__ import annotations

import pytest

from datafetch.layout.place import place
from datafetch.model import Choice, Http, UrlList
from datafetch.plan.choose import choose
from datafetch.recipe import registry

RECIPE = registry.load("mscoco")
BY_NAME = {artifact.name: artifact for artifact in RECIPE.artifacts}
# Name, bytes, the first digits of sha256 and md5: as other projects publish them.
FILES = [
    ("train2014", "zips/train2014.zip", 13510573713, "ede4087e640bddba", "0da8c0bd3d6becc4"),
    ("val2014", "zips/val2014.zip", 6645013297, "fe9be816052049c3", "a3d79f5ed8d289b7"),
    ("test2014", "zips/test2014.zip", 6660437059, "ead40c62230cb2cf", "04127eef689ceac5"),
    ("annotations/2014", "annotations/annotations_trainval2014.zip", 252872794, "031296bbc80c45a1", "0a379cfc70b0e713"),
    ("annotations/test2014", "annotations/image_info_test2014.zip", 763464, "7cecc66f6b09c167", "25304cbbafb2117f"),
    ("train2017", "zips/train2017.zip", 19336861798, "69a8bb58ea5f8f99", "cced6f7f71b7629d"),
    ("val2017", "zips/val2017.zip", 815585330, "4f7e2ccb2866ec50", "442b8da7639aecaf"),
    ("annotations/2017", "annotations/annotations_trainval2017.zip", 252907541, "113a836d90195ee1", "f4bbac642086de4f"),
]  # fmt: skip


@pytest.mark.parametrize("name,path,size,sha256,md5", FILES, ids=[row[0] for row in FILES])
def test_files_have_the_sizes_and_sums_that_are_published(
    name: str, path: str, size: int, sha256: str, md5: str
) -> None:
    artifact = BY_NAME[name]
    assert artifact.size == size
    digests = {checksum.algorithm: checksum.digest[:16] for checksum in artifact.checksums}
    assert digests == {"sha256": sha256, "md5": md5}
    assert all(checksum.source for checksum in artifact.checksums)
    assert isinstance(artifact.source, Http)
    # The one way that passes strict TLS, then the address by which everybody knows it.
    assert artifact.source.urls[:2] == (
        f"https://s3.amazonaws.com/images.cocodataset.org/{path}",
        f"http://images.cocodataset.org/{path}",
    )


def test_the_md5_that_contradicts_all_others_is_nowhere() -> None:
    assert "68baf1a0733e26f5878a1450feeebc20" not in repr(RECIPE)


def test_historic_homes_are_mirrors_of_the_two_sets_they_had() -> None:
    mirrors = {name: a.source.urls[2:] for name, a in BY_NAME.items() if isinstance(a.source, Http)}
    assert {name for name, urls in mirrors.items() if urls} == {"train2014", "val2014"}
    assert mirrors["train2014"] == (
        "http://msvocds.blob.core.windows.net/coco2014/train2014.zip",
        "https://pjreddie.com/media/files/train2014.zip",
    )


@pytest.mark.parametrize(
    "picked,names",
    [
        ((), {"annotations/2014", "train2014", "val2014"}),
        ((("split", "val"),), {"annotations/2014", "val2014"}),
        (
            (("split", "train,val,test"),),
            {"annotations/2014", "train2014", "val2014", "test2014", "annotations/test2014"},
        ),
        ((("release", "2017"),), {"annotations/2017", "train2017", "val2017"}),
    ],
)
def test_choices_take_what_they_name_and_the_lists_that_mend_it(
    picked: tuple[tuple[str, str], ...], names: set[str]
) -> None:
    chosen = choose(RECIPE, Choice(picked))
    assert {each.name for each in chosen if isinstance(each.source, Http)} == names
    mended = {each.source.file for each in chosen if isinstance(each.source, UrlList)}
    assert mended == {name for name in names if "/" not in name}


def test_members_stand_in_the_tree_as_in_their_archives() -> None:
    members = [f"annotations/{what}_{split}2014.json" for what in ("captions", "instances", "person_keypoints")
               for split in ("train", "val")]  # fmt: skip
    placed = place(BY_NAME["annotations/2014"], RECIPE.layout, members)
    assert list(placed.targets) == [f"mscoco/{member}" for member in members]
    pictures = [
        "train2014/COCO_train2014_000000000009.jpg",
        "train2014/readme.txt",
        "__MACOSX/train2014/._x.jpg",
    ]
    assert place(BY_NAME["train2014"], RECIPE.layout, pictures).targets == (
        f"mscoco/{pictures[0]}",
        None,
        None,
    )
