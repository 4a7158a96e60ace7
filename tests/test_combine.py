"""`combine`: captions of COCO and im2text in one document, under one rule for ids, and prepared together."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coco import Release, get, heavy, picture
from hypothesis import given
from hypothesis import strategies as st
from neuraltalk2 import Files, prepare
from process import Ended, datafetch_, start
from sbu import tar_gz
from server import Answer, FaultServer, Thing

from datafetch.talk.combine import STEP, combined_id

SBU = "/www.cs.rice.edu/~vo9/sbucaptions/sbu-captions-all.tar.gz"
ROWS = 5


def _im2text() -> dict[str, Answer]:
    photos = [f"{3229411919 + row}_eaf0ae261a.jpg" for row in range(ROWS)]
    columns = {
        "image_urls": [f"http://static.flickr.com/3311/{photo}" for photo in photos],
        "user_ids": ["47889917@N08"] * ROWS,
        "captions": [f" natalie listens for the ocean, {row}." for row in range(ROWS)],
    }
    table: dict[str, Answer] = {SBU: Thing(tar_gz({"sbu-captions-all.json": json.dumps(columns).encode()}))}
    for row, photo in enumerate(photos):
        table[f"/static.flickr.com/3311/{photo}"] = Thing(picture(row))
    return table


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `data`, where both datasets stand, of each of which one picture has been deleted since."""
    folder = tmp_path_factory.mktemp("both")
    release = Release()
    with FaultServer({**release.things(), **_im2text()}.get) as server:
        assert get(server, folder / "data").code == 0
        ended = get(server, folder / "data", "--variant", "urls", name="im2text")
        assert ended.code == 0, ended.err
    (folder / "data/mscoco" / release.path("train", 9)).unlink()
    (folder / "data/im2text/im2text/im2text_000000000003.jpg").unlink()
    yield folder


def combine(folder: Path, *words: str) -> Ended:
    return datafetch_("combine", *words, "--registry", "recipes", cwd=folder)


def expected() -> list[dict[str, Any]]:
    coco = [
        {"captions": record["captions"], "file_path": f"mscoco/{record['file_path']}", "id": record["id"]}
        for record in Release().raw()
        if record["id"] != 9
    ]
    other = [
        {
            "captions": [f" natalie listens for the ocean, {row - 1}."],
            "file_path": f"im2text/im2text/im2text_{row:012d}.jpg",
            "id": 10**12 + row,
            "url": f"http://static.flickr.com/3311/{3229411918 + row}_eaf0ae261a.jpg",
            "image_id": str(3229411918 + row),
        }
        for row in range(1, ROWS + 1)
        if row != 3
    ]
    return coco + other


def test_both_sets_in_one_document_without_what_is_not_on_disk(both: Path) -> None:
    ended = combine(both, "mscoco", "im2text", "-o", "all.json")
    assert ended.code == 0, ended.err
    assert json.loads((both / "all.json").read_bytes()) == expected()
    assert ended.out.splitlines() == [
        "mscoco: 6 records, 1 left out, their pictures are not here",
        "im2text: 4 records, 1 left out, their pictures are not here",
        "all.json: 10 records, paths below data",
    ]
    before = (both / "all.json").read_bytes()
    told = combine(both, "mscoco", "im2text", "-o", "all.json", "--json").report
    assert (both / "all.json").read_bytes() == before
    counted = [(one["name"], one["records"], one["absent"]) for one in told["sets"]]
    assert counted == [("mscoco", 6, 1), ("im2text", 4, 1)]


def test_the_order_of_the_names_is_that_of_the_records_and_decides_the_ids(both: Path) -> None:
    assert combine(both, "im2text", "mscoco", "-o", "other.json").code == 0
    ids = [record["id"] for record in json.loads((both / "other.json").read_bytes())]
    assert ids == [1, 2, 4, 5, *(10**12 + record["id"] for record in Release().raw() if record["id"] != 9)]


def test_both_are_prepared_together_by_neuraltalk2s_rules(both: Path) -> None:
    more = ("--prepro", "--num-val", "2", "--num-test", "3", "--word-count-threshold", "2")
    ended = combine(both, "mscoco", "im2text", "-o", "talk/all.json", *more)
    assert ended.code == 0, ended.err
    Files.load(both / "talk/all_talk").agrees_with(prepare(expected(), both / "data", 2, 3, 2))
    assert sorted(path.name for path in (both / "talk").iterdir()) == [
        "all.json",
        "all_talk.h5",
        "all_talk.json",
    ]


@pytest.mark.parametrize(
    "words,code,said",
    [
        (("mscoco", "-o", "x.json"), 2, "expected two datasets or more"),
        (("mscoco", "mscoco", "-o", "x.json"), 2, "each once"),
        (("mscoco", "pods", "-o", "x.json"), 2, "pods has no captions to combine"),
        (("mscoco", "im2txt", "-o", "x.json"), 3, 'no dataset "im2txt"'),
        (("mscoco", "im2text"), 2, "-o FILE is missing"),
        (("mscoco", "im2text", "-o", "data"), 2, "-o data is a folder"),
        (("mscoco", "im2text", "-o", "x.json", "--output-dir", "elsewhere"), 13, "mscoco is not in"),
    ],
)
def test_what_cannot_be_combined_is_one_clear_line(
    both: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    ended = combine(both, *words)
    assert ended.code == code and said in ended.err
    assert not (both / "x.json").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_one_line_and_no_half_file(
    both: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """SIGTERM ended it without a word, and left a temporary file beside the document."""
    shutil.copytree(both, tmp_path / "both")
    for file in (tmp_path / "both/data").glob("*/*/*.jpg"):
        file.write_bytes(heavy())
    args = ("combine", "mscoco", "im2text", "--prepro", "-o", "ended/all.json", "--registry", "recipes")
    with start(args, tmp_path / "both") as process:
        while not list(tmp_path.glob("both/ended/.*.h5.tmp")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "error: interrupted\n" in said and "Traceback" not in said
    assert [path.name for path in (tmp_path / "both/ended").iterdir()] == ["all.json"]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, STEP - 1)), unique=True))
def test_no_two_sets_ever_share_an_id_and_a_double_holds_it(pairs: list[tuple[int, int]]) -> None:
    ids = [combined_id(place, own) for place, own in pairs]
    assert ids == [combined_id(place, f"{own:012d}") for place, own in pairs], "however the id is spelled"
    assert len(set(ids)) == len(ids)
    assert all(id is not None and int(float(id)) == id for id in ids)


@pytest.mark.parametrize("own", [None, "", "abc", "-1", "1.5", -3, STEP, "1" * 13, "²"])
def test_an_id_that_is_no_number_of_twelve_digits_is_none(own: int | str | None) -> None:
    assert combined_id(1, own) is None
