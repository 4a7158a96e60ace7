"""The reader yields typed records lazily, and raises where a picture is missing; so does nothing upstream."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from archives import picture

from datafetch.errors import UnknownName, UsageError
from datafetch.preference import MissingPicture, load


def info(number: int) -> dict[str, Any]:
    return {
        "item_id": f"i{number}",
        "caption": f"caption {number}",
        "image_path": f"40K/i{number}.jpg",
        "score": 4,
        "aesthetic_score": 0.5,
    }


def build(root: Path, count: int = 5) -> Path:
    records = [
        {
            "worker_id": "A2BHHEWR9PRDX8",
            "history_item_ids": [f"i{n}" for n in range(at, at + 3)],
            "history_items_info": [info(n) for n in range(at, at + 3)],
            "target_item_id": f"i{at + 3}",
            "target_item_info": info(at + 3),
            "worker_style": "serene",
            "num_interactions": 3,
            "window_position": at,
            "total_sequence_length": 9,
        }
        for at in range(count)
    ]
    folder = root / "flickr-aes"
    (folder / "processed_dataset").mkdir(parents=True)
    (folder / "40K").mkdir()
    (folder / "processed_dataset/train.json").write_text(json.dumps(records, indent=2))
    for number in range(count + 3):
        (folder / f"40K/i{number}.jpg").write_bytes(picture(number))
    return folder


def test_records_are_typed_and_their_pictures_are_there(tmp_path: Path) -> None:
    folder = build(tmp_path)
    train = load(tmp_path, "flickr-aes", "train")
    assert len(train) == len(list(train)) == 5
    record = train[1]
    assert (record.user, record.style, record.position) == ("A2BHHEWR9PRDX8", "serene", 1)
    assert [item.item_id for item in record.history] == ["i1", "i2", "i3"]
    assert record.target.path == folder / "40K/i4.jpg" and record.target.path.read_bytes() == picture(4)
    assert (record.target.score, record.target.aesthetic_score) == (4, 0.5)
    assert train[-1] == train[4]
    with pytest.raises(IndexError):
        train[5]
    assert train[1:3] == (train[1], train[2]) and train[::-2] == (train[4], train[2], train[0])
    assert train[5:] == ()


def test_a_missing_picture_is_no_noise(tmp_path: Path) -> None:
    folder = build(tmp_path)
    (folder / "40K/i6.jpg").unlink()
    train = load(tmp_path, "flickr-aes", "train")
    assert train[2].target.item_id == "i5"
    with pytest.raises(MissingPicture, match=r"the picture of i6 is not there"):
        train[3]
    with pytest.raises(FileNotFoundError):
        load(tmp_path, "flickr-aes", "train", check=True)
    (folder / "40K/i6.jpg").touch()
    with pytest.raises(MissingPicture):
        train[4]


def test_it_goes_to_a_worker_and_needs_no_torch(tmp_path: Path) -> None:
    build(tmp_path)
    train = load(tmp_path, "flickr-aes", "train")
    assert list(pickle.loads(pickle.dumps(train))) == list(train)
    assert "torch" not in sys.modules


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    folder = build(tmp_path)
    with pytest.raises(UnknownName, match="train, val, test"):
        load(tmp_path, "flickr-aes", "training")
    with pytest.raises(UsageError, match=r"has no val\.json"):
        load(tmp_path, "flickr-aes", "val")
    older = '[{"user_id": "a", "interaction_sequence": [], "num_interactions": 0}]'
    (folder / "processed_dataset/test.json").write_text(older)
    with pytest.raises(UsageError, match="record 0 is none"):
        load(tmp_path, "flickr-aes", "test")[0]
    (folder / "processed_dataset/test.json").write_text("[]")
    assert len(load(tmp_path, "flickr-aes", "test")) == 0
    (folder / "processed_dataset/test.json").write_text("")
    with pytest.raises(UsageError, match="JSON list"):
        load(tmp_path, "flickr-aes", "test")
