"""Of a large file that is damaged only what is damaged is fetched again, where its server gives ranges."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

import pytest

from datafetch import run
from datafetch.demo.server import FaultServer, Thing
from datafetch.model import Choice, Recipe, Settings
from datafetch.recipe import registry
from datafetch.report import Report
from datafetch.run import home_of
from datafetch.store import journal
from datafetch.transfer.pieces import GRAIN, MOST, Grains, Pieces, crc_of

DATA = random.Random(1).randbytes(12 << 20)
RECIPE = """
name: one
title: one file
artifacts:
  - {name: one, url: 'https://one.invalid/one.bin', checksums: unknown}
layout:
  - {from: one, to: one.bin}
"""
NAME = "one/one.bin"


class Place:
    """The file as it was got, and the server it came from."""

    def __init__(self, folder: Path, thing: Thing) -> None:
        (folder / "one.yaml").write_text(RECIPE)
        self.recipe: Recipe = registry.load("one", (folder,))
        self.thing, self.root = thing, folder / "out"
        self.server = FaultServer(lambda path: self.thing)
        self.path = self.root / NAME

    def __enter__(self) -> Self:
        url = self.server.__enter__().url
        self.settings = Settings(str(self.root), mirrors=(url,), mirror_only=True)
        assert run.get(self.recipe, Choice(), self.settings).exit_code == 0
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(None, None, None)

    def run(self) -> Report:
        return run.repair(self.recipe, frozenset((NAME,)), self.settings)

    def repair(self) -> Report:
        report = self.run()
        assert report.exit_code == 0, report.problems
        assert self.path.read_bytes() == DATA
        return report

    def write(self, at: int, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(at)
            file.write(data)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Place(tmp_path, Thing(DATA)) as place:
        yield place


def test_only_what_is_damaged_is_fetched(place: Place) -> None:
    place.write(1 << 20, b"\0" * 10)
    place.write(9 << 20, b"\0" * 10)
    assert place.repair().transferred < 6 << 20


def test_and_again_from_a_file_that_was_mended(place: Place) -> None:
    for at in (0, len(DATA) - 5, 5 << 20):
        place.write(at, b"xxxxx")
        assert place.repair().transferred < 4 << 20


def test_a_tail_that_is_gone_is_fetched(place: Place) -> None:
    os.truncate(place.path, 10 << 20)
    assert place.repair().transferred < 5 << 20


def test_a_tail_that_is_too_much_costs_nothing(place: Place) -> None:
    with place.path.open("ab") as file:
        file.write(b"more")
    assert place.repair().transferred == 0


def test_a_file_that_is_gone_is_fetched_whole(place: Place) -> None:
    place.path.unlink()
    assert place.repair().transferred == len(DATA)


def test_another_version_upstream_is_not_mixed_in(place: Place) -> None:
    place.write(1 << 20, b"\0" * 10)
    place.thing = Thing(random.Random(2).randbytes(len(DATA)))
    report = place.run()
    assert report.exit_code != 0
    assert place.path.read_bytes() != place.thing.data


def test_without_a_validator_the_whole_is_fetched(tmp_path: Path) -> None:
    with Place(tmp_path, Thing(DATA, etag="", modified=0)) as place:
        assert journal.known(home_of(place.settings, "one").journal("one")).grains is None
        place.write(1 << 20, b"\0" * 10)
        assert place.repair().transferred == len(DATA)


def test_grains_are_few_and_make_up_the_file_or_nothing() -> None:
    dice = random.Random(3)
    cuts = sorted({0, *(dice.randrange(1, len(DATA)) for _ in range(9000)), len(DATA)})
    pieces = [(a, b, crc_of([DATA[a:b]])) for a, b in pairwise(cuts)]
    dice.shuffle(pieces)
    grains = Grains()
    for piece in pieces[1:]:
        grains.add(piece)
    assert grains.of(len(DATA)) == (), "one lacks"
    grains.add(pieces[0])
    found = grains.of(len(DATA))
    assert 2 < len(found) <= MOST
    assert all(crc_of([DATA[start:end]]) == crc for start, end, crc in found)
    assert max(end - start for start, end, _ in found) < 3 * GRAIN
    assert [(0, len(DATA))] == list(Pieces(found).spans())
    grains.add((0, 5, 1))
    assert grains.of(len(DATA)) == (), "one is there twice"
