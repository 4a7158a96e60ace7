"""Pictures that are lost after their records were made: found, told, and left out of what is written without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import taste
from process import Ended, datafetch_
from test_get_preference import documents, get, put

from datafetch import preference

SPLITS = ("train", "val", "test")


def verify(out: Path, *more: str) -> Ended:
    return datafetch_("verify", "flickr-aes", "-o", str(out), *more, cwd=out.parent)


def build(tmp_path: Path, *more: str) -> Path:
    mine = put(tmp_path / "mine", taste.photos().files)
    ended = get("flickr-aes", tmp_path / "out", "--from", str(mine), "--offline", *more)
    assert ended.code == 0, ended.err
    return tmp_path / "out"


def shown(record: Any) -> set[str]:
    """Every image_path in a record, wherever it stands."""
    if isinstance(record, dict):
        own = {record[key] for key in ("image_path", "target_image_path") if key in record}
        return own.union(*map(shown, record.values()))
    return set().union(*map(shown, record)) if isinstance(record, list) else set()


@pytest.mark.parametrize("how", [(), ("--absolute-paths",), ("--schema", "older")])
def test_records_are_written_without_those_that_lack_a_picture(tmp_path: Path, how: tuple[str, ...]) -> None:
    out = build(tmp_path, *how)
    made, folder = documents(out, "flickr-aes"), out / "flickr-aes"
    (lost,) = sorted(shown(made["val"][0]))[:1]
    (folder / lost).unlink()
    ended = verify(out, "--write-available")
    assert ended.code == 13 and "missing: flickr-aes/40K/" in ended.out
    gone = 0
    for split in SPLITS:
        kept = [record for record in made[split] if lost not in shown(record)]
        written = json.loads((folder / f"processed_dataset/{split}.available.json").read_bytes())
        assert written == kept
        gone += len(made[split]) - len(kept)
        lacking = f"{split}.json: {len(made[split]):,} records, {len(made[split]) - len(kept):,} without"
        assert lacking in ended.out
    assert gone and documents(out, "flickr-aes") == made


def test_a_run_that_cannot_bring_a_picture_back_says_which_records_lack_it(tmp_path: Path) -> None:
    out = build(tmp_path)
    made = documents(out, "flickr-aes")
    lost = made["val"][0]["target_item_info"]["image_path"]
    (out / "flickr-aes" / lost).unlink()
    ended = get("flickr-aes", out, "--offline")
    assert ended.code == 5 and ended.report["counts"]["missing"] == 1
    lacking = sum(lost in shown(record) for record in made["val"])
    told = f"flickr-aes/processed_dataset/val.json: {lacking} of {len(made['val'])} records lack a picture"
    assert any(note.startswith(told) and "--write-available" in note for note in ended.report["notes"])
    with pytest.raises(preference.MissingPicture):
        list(preference.load(out, "flickr-aes", "val"))


def test_what_was_written_without_them_is_whole_again_once_they_are_back(tmp_path: Path) -> None:
    out = build(tmp_path)
    lost = documents(out, "flickr-aes")["val"][0]["target_item_info"]["image_path"]
    (out / "flickr-aes" / lost).unlink()
    assert verify(out, "--write-available").code == 13
    ended = get("flickr-aes", out, "--from", str(tmp_path / "mine"), "--offline")
    assert ended.code == 0, ended.err
    assert not any("lack a picture" in note for note in ended.report["notes"])
    for split in SPLITS:
        written = (out / f"flickr-aes/processed_dataset/{split}.available.json").read_bytes()
        assert json.loads(written) == documents(out, "flickr-aes")[split]
    assert verify(out).code == 0
