"""`datafetch demo`: the true code path against a server that misbehaves, and the story it tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from datafetch.demo.play import Played, play
from datafetch.demo.story import WIDTH
from datafetch.model import Event


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Path, list[Event]]:
    root = tmp_path_factory.mktemp("demo")
    events: list[Event] = []
    return play(root, events.append), root, events


def test_it_ends_well_in_spite_of_every_fault(played: tuple[Played, Path, list[Event]]) -> None:
    report = played[0].report
    assert (report.status, report.exit_code) == ("complete", 0)
    assert report.counts["missing"] == 2 and report.counts["failed"] == report.counts["rejected"] == 0
    assert report.counts["total"] == sum(report.counts[each] for each in report.counts if each != "total")


def test_every_fault_is_told_with_how_it_was_overcome(played: tuple[Played, Path, list[Event]]) -> None:
    text = "\n".join(played[0].lines)
    for told in (
        "continued at byte 60,000",
        "overloaded (503)",
        "its md5 differs",
        "demo_dense.zip.ae",
        "login page",
        "gone for good (410)",
        "no longer here",
        "2 of 24 images are gone for good",
        "a second run asked 0 times",
        "tree digest ",
    ):
        assert told in text, told
    assert max(map(len, played[0].lines)) <= WIDTH


def test_the_tree_is_there_and_nothing_beside_it(played: tuple[Played, Path, list[Event]]) -> None:
    root = played[1]
    assert sorted(path.name for path in root.iterdir()) == [
        ".datafetch",
        "demo",
        "demo_dreambooth_cfg_5",
        "demo_negatives",
        "demo_web",
    ]
    assert sorted(path.name for path in (root / "demo").iterdir()) == [
        "demo_info.json",
        "test",
        "test_dense",
        "test_dense_masks",
        "test_masks",
        "train",
        "train_masks",
    ]
    assert (root / "demo_negatives/mugs_negatives/0.png").is_file()
    assert not list(root.rglob("*_rej"))
    pictures = list((root / "demo_web").rglob("*.png"))
    assert len(pictures) == 22


def test_events_are_handed_on(played: tuple[Played, Path, list[Event]]) -> None:
    kinds = {event.kind for event in played[2]}
    assert {"retry", "fetched", "built", "item"} <= kinds


def test_a_folder_that_holds_the_demo_already_is_left_as_it_is(
    played: tuple[Played, Path, list[Event]],
) -> None:
    again = play(played[1])
    assert again.lines[0] == "nothing went wrong: all of it was here already"
    assert again.report.tree_digest == played[0].report.tree_digest
    assert again.report.transferred == 0
