"""JSONs held against the pictures they name, and written anew without those that are not here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import zip_of
from lists import picture
from process import Ended, datafetch_

from datafetch.demo.server import Answer, FaultServer, Thing, status

RECIPE = """
name: p
title: p
artifacts:
  - {{name: train.json, url: '{url}/train.json', checksums: unknown}}
  - {{name: test.json, url: '{url}/test.json', checksums: unknown}}
  - name: train
    url_list: {{file: train.json, read: map, keys: [domain, id], url: '<link>', save_as: '<id>.png', check: image}}
  - name: test
    url_list: {{file: test.json, read: map, keys: [id], url: '<link>', save_as: '<id>.png', check: image}}
layout:
  - {{from: 'train.json', to: 'json/train.json'}}
  - {{from: 'test.json', to: 'json/test.json'}}
  - {{from: 'train/<image>', to: 'train_images/<image>'}}
  - {{from: 'test/<image>', to: 'test_images/<image>'}}
"""


class Two(FaultServer):
    """Serves two JSONs and their pictures but those that are gone."""

    recipe = RECIPE

    def __init__(self, gone: set[str]) -> None:
        self.gone = gone
        super().__init__(self._find)

    def record(self, number: str) -> dict[str, object]:
        return {"title": f"茶 {number} \\", "link": f"{self.url}/{number}.png", "price": 1.50}

    @property
    def train(self) -> dict[str, dict[str, object]]:
        return {
            "食品/保健": {n: self.record(n) for n in ("11", "12")},
            "母婴": {n: self.record(n) for n in ("21", "22", "23")},
        }

    def _find(self, path: str) -> Answer:
        if path == "/train.json":
            return Thing(json.dumps(self.train, indent=1).encode())
        if path == "/test.json":
            return Thing(json.dumps({n: self.record(n) for n in ("31", "32")}, ensure_ascii=False).encode())
        return status(404) if path in self.gone else Thing(picture(path))

    def run(self, folder: Path, command: str, *options: str) -> Ended:
        recipes = folder / "recipes"
        recipes.mkdir(exist_ok=True)
        (recipes / "p.yaml").write_text(self.recipe.format(url=self.url))
        named = ("p", "--registry", "recipes", "-o", "out", "--allow-private")
        return datafetch_(command, *named, *options, cwd=folder)


@pytest.fixture
def two() -> Iterator[Two]:
    with Two({"/12.png", "/21.png", "/31.png"}) as server:
        yield server


def test_a_filtered_json_names_exactly_the_pictures_that_are_here(tmp_path: Path, two: Two) -> None:
    two.run(tmp_path, "get")
    ended = two.run(tmp_path, "verify", "--write-available", "--json")
    assert ended.code == 0 and ended.report["notes"] == [
        "p/json/train.json: 5 records, 2 without a picture here",
        "p/json/test.json: 2 records, 1 without a picture here",
        "p/json/train.available.json is written",
        "p/json/test.available.json is written",
    ]
    folder = tmp_path / "out/p"
    kept = json.loads((folder / "json/train.available.json").read_text())
    assert kept == {
        "食品/保健": {"11": two.record("11")},
        "母婴": {"22": two.record("22"), "23": two.record("23")},
    }
    assert list(kept) == list(two.train)
    assert {f"{id}.png" for records in kept.values() for id in records} == {
        path.name for path in (folder / "train_images").iterdir()
    }
    assert json.loads((folder / "json/test.available.json").read_text()) == {"32": two.record("32")}


def test_the_filtered_json_is_of_the_dataset_upstreams_stays_and_a_later_run_asks_nobody(
    tmp_path: Path, two: Two
) -> None:
    two.run(tmp_path, "get")
    before = (tmp_path / "out/p/json/train.json").read_bytes()
    two.run(tmp_path, "verify", "--write-available")
    assert (tmp_path / "out/p/json/train.json").read_bytes() == before
    asked = len(two.seen)
    assert two.run(tmp_path, "get", "--json").report["counts"]["ok"] == 4 + 2 + 2
    assert len(two.seen) == asked
    verified = two.run(tmp_path, "verify", "--full", "--json").report
    assert verified["counts"] == {"ok": 8, "missing": 0, "failed": 0, "rejected": 0, "skipped": 0, "total": 8}


def test_what_comes_back_is_in_it_when_it_is_written_again(tmp_path: Path, two: Two) -> None:
    two.run(tmp_path, "get")
    two.run(tmp_path, "verify", "--write-available")
    two.gone.clear()
    two.run(tmp_path, "get", "--retry-gone")
    assert two.run(tmp_path, "verify", "--write-available").code == 0
    whole = json.loads((tmp_path / "out/p/json/train.json").read_text())
    assert json.loads((tmp_path / "out/p/json/train.available.json").read_text()) == whole


def test_a_lost_picture_is_not_available_and_repair_fetches_it_and_no_other(tmp_path: Path, two: Two) -> None:
    two.run(tmp_path, "get")
    (tmp_path / "out/p/train_images/22.png").unlink()
    ended = two.run(tmp_path, "verify", "--write-available", "--json")
    assert ended.code == 13
    assert "22" not in json.loads((tmp_path / "out/p/json/train.available.json").read_text())["母婴"]
    asked = len(two.seen)
    assert two.run(tmp_path, "verify", "--repair").code == 0
    assert {seen.path for seen in two.seen[asked:]} - {"/robots.txt"} == {"/22.png"}


@pytest.mark.parametrize("command", [("get",), ("verify", "--repair")])
def test_a_filtered_json_that_is_lost_or_outdated_is_made_anew(
    tmp_path: Path, two: Two, command: tuple[str, ...]
) -> None:
    """Once deleted it was missing for ever: `get` said partial, `verify --repair` fetched nothing that could mend it.
    One that was there did not tell of the pictures that had come since.
    """
    two.run(tmp_path, "get")
    assert two.run(tmp_path, "verify", "--write-available").code == 0
    path = tmp_path / "out/p/json/train.available.json"
    whole = path.read_bytes()
    path.unlink()
    mended = two.run(tmp_path, *command, "--json")
    assert mended.report["counts"]["missing"] == (3 if command == ("get",) else 0), mended.out
    assert path.read_bytes() == whole
    two.gone.clear()
    two.run(tmp_path, "get", "--retry-gone")
    assert json.loads(path.read_bytes()) == two.train
    assert two.run(tmp_path, "verify", "--full").code == 0


def test_rows_by_number_are_refused_where_the_recipe_does_not_allow_them(tmp_path: Path, two: Two) -> None:
    """It said that what is asked for has no list, of a dataset that is nothing else."""
    ended = two.run(tmp_path, "get", "--first", "10", "--count", "5")
    assert ended.code == 2
    assert "the list of p takes no --first: its recipe would need window: true" in ended.err


def test_pictures_that_no_json_names_are_counted(tmp_path: Path, two: Two) -> None:
    two.run(tmp_path, "get")
    file = tmp_path / "out/p/json/test.json"
    file.write_text(file.read_text().replace('"32"', '"33"'))
    said = two.run(tmp_path, "verify", "--full", "--json").report["notes"]
    assert "1 picture here that no JSON names" in said
    assert "p/json/test.json: 2 records, 2 without a picture here" in said


FORMS = """
name: p
title: p
artifacts:
  - {{name: lists, url: '{url}/lists.zip', checksums: unknown, unpack: true, folder: p_lists}}
  - name: wide
    url_list: {{file: lists/wide.json, read: columns, url: '<link>', save_as: 'w<row>.png', check: image}}
  - name: long
    url_list: {{file: lists/long.jsonl, read: jsonl, url: '<link>', save_as: 'l<id>.png', check: image}}
layout:
  - {{from: 'lists/<file>', to: '<file>'}}
  - {{from: 'wide/<image>', to: 'wide/<image>'}}
  - {{from: 'long/<image>', to: 'long/<image>'}}
finish:
  - {{make: sbu, from: wide, to: wide.json}}
"""


class Forms(Two):
    """Serves one list as columns and one as lines."""

    @property
    def wide(self) -> dict[str, object]:
        links = [f"{self.url}/{n}.png" for n in range(1, 5)]
        return {"version": 1.50, "link": links, "captions": ["a", "é \\ b", "c", " d"]}

    @property
    def long(self) -> list[str]:
        lines = [json.dumps({"id": n, "link": f"{self.url}/{n}.png", "price": 1.5}) for n in (7, 8, 9)]
        return [lines[0], "", "nonsense", *lines[1:]]

    def _find(self, path: str) -> Answer:
        if path == "/lists.zip":
            return Thing(
                zip_of(
                    {"wide.json": json.dumps(self.wide).encode(), "long.jsonl": "\n".join(self.long).encode()}
                )
            )
        return status(404) if path in self.gone else Thing(picture(path))

    recipe = FORMS


def test_columns_lines_and_made_records_are_written_without_what_is_missing(tmp_path: Path) -> None:
    with Forms({"/2.png", "/8.png"}) as server:
        server.run(tmp_path, "get")
        (tmp_path / "out/p/wide/w3.png").unlink()
        ended = server.run(tmp_path, "verify", "--write-available", "--json")
        wide, long = server.wide, server.long
    assert ended.report["notes"][:3] == [
        "p_lists/wide.json: 4 records, 2 without a picture here",
        "p_lists/long.jsonl: 5 records, 3 without a picture here",
        "p/wide.json: 3 records, 1 without a picture here",
    ]
    out = tmp_path / "out"
    links, captions = wide["link"], wide["captions"]
    assert isinstance(links, list) and isinstance(captions, list)
    assert json.loads((out / "p_lists/wide.available.json").read_text()) == {
        "version": 1.50,
        "link": [links[0], links[3]],
        "captions": [captions[0], captions[3]],
    }
    assert (out / "p_lists/long.available.jsonl").read_text().splitlines() == [long[0], long[4]]
    made = json.loads((out / "p/wide.available.json").read_text())
    assert [record["file_path"] for record in made] == ["wide/w1.png", "wide/w4.png"]
    assert (out / "p/wide.available.json").stat().st_size < (out / "p/wide.json").stat().st_size


def test_of_a_json_without_a_picture_nothing_is_left(tmp_path: Path) -> None:
    with Forms({f"/{n}.png" for n in range(1, 5)}) as server:
        server.run(tmp_path, "get")
        server.run(tmp_path, "verify", "--write-available")
    assert json.loads((tmp_path / "out/p_lists/long.available.jsonl").read_text().splitlines()[0])["id"] == 7
    assert not (tmp_path / "out/p_lists/wide.available.json").exists()
