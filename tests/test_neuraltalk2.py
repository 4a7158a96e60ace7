"""The maker of coco_raw.json: order, ids, and what is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datafetch.annotate import Made, Source
from datafetch.annotate.neuraltalk2 import neuraltalk2
from datafetch.errors import BadList


def source(folder: str, images: dict[int, str], captions: list[tuple[int, str]]) -> Source:
    document = {
        "images": [{"id": id, "file_name": name, "license": 3} for id, name in images.items()],
        "annotations": [
            {"image_id": id, "id": at, "caption": text} for at, (id, text) in enumerate(captions)
        ],
        "licenses": [],
    }
    return Source(f"captions_{folder}.json", json.dumps(document).encode(), folder)


def records(made: Made) -> list[Any]:
    return [json.loads(record) for record in made.records]


def test_documents_pictures_and_captions_keep_their_order_and_captions_their_blanks() -> None:
    val = source("val", {9: "b.jpg", 4: "a.jpg"}, [(4, " second "), (9, "é\n"), (4, "first")])
    train = source("train", {7: "c.jpg"}, [(7, "x"), (7, "y")])
    made = neuraltalk2([val, train], {"val/a.jpg", "val/b.jpg", "train/c.jpg"})
    assert records(made) == [
        {"captions": ["é\n"], "file_path": "val/b.jpg", "id": 9},
        {"captions": [" second ", "first"], "file_path": "val/a.jpg", "id": 4},
        {"captions": ["x", "y"], "file_path": "train/c.jpg", "id": 7},
    ]
    assert (made.count, made.notes) == (3, ())


def test_what_is_left_out_is_counted_by_document() -> None:
    val = source(
        "val", {1: "a.jpg", 2: "gone.jpg", 3: "silent.jpg"}, [(1, "x"), (2, "y"), (99, "of nothing")]
    )
    train = source("train", {1: "again.jpg"}, [(1, "z")])
    made = neuraltalk2([val, train], {"val/a.jpg", "val/silent.jpg", "train/again.jpg"})
    assert records(made) == [{"captions": ["x", "z"], "file_path": "val/a.jpg", "id": 1}]
    assert made.notes == (
        "1 pictures of captions_val.json are not here, and are left out",
        "1 pictures of captions_val.json have no caption, and are left out",
        "1 pictures of captions_train.json have an id that came before, and are left out",
        "1 captions are of no picture",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"images": [], "annotations": {}}',
        b'{"images": [{"id": "1", "file_name": "a"}], "annotations": []}',
        b'{"images": [], "annotations": [{"image_id": 1, "caption": null}]}',
        b'{"images": [], "annotations": [' + b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_caption_file_is_a_bad_list(data: bytes) -> None:
    with pytest.raises(BadList, match=r"x\.json is no caption file of COCO"):
        neuraltalk2([Source("x.json", data, "val")], set())
