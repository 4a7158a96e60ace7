"""`get` of a part of a remote zip: the bytes of that part and of the directory are fetched, and no others."""

from __future__ import annotations

from pathlib import Path

from shapes import CLASSES, Place, archive, below, members

TREE = members()
WHOLE = archive(TREE)
DIRECTORY = len(WHOLE.data) - WHOLE.data.index(b"PK\x01\x02")


def test_one_percent_of_the_members_costs_two_percent_of_the_bytes_and_the_directory(tmp_path: Path) -> None:
    with Place(tmp_path, WHOLE) as place:
        report = place.get("--split", "test", "--max-per-class", "1").report
        chosen = below(TREE, lambda p: (p.endswith("/0.jpg") and "/test/" in p) or p.endswith("info.json"))
        assert place.files() == chosen
        assert place.answer.sent == report["bytes"]["transferred"]
        assert place.answer.sent <= 0.02 * len(WHOLE.data) + DIRECTORY


def test_a_wider_get_adds_what_is_missing_and_a_narrower_one_asks_nobody(tmp_path: Path) -> None:
    with Place(tmp_path, WHOLE) as place:
        place.get("--split", "train", "--classes", CLASSES[3])
        first = place.answer.sent
        stamps = {path: (place.root / path).stat().st_ino for path in place.files()}
        place.get("--split", "train", "--classes", f"{CLASSES[3]},{CLASSES[4]}")
        added = sum(len(data) + 200 for path, data in TREE.items() if "train" in path and CLASSES[4] in path)
        assert place.answer.sent - first <= added
        assert all((place.root / path).stat().st_ino == inode for path, inode in stamps.items())
        asked = len(place.server.seen)
        report = place.get("--split", "train", "--classes", CLASSES[4], "--max-per-class", "2").report
        assert len(place.server.seen) == asked and report["bytes"]["transferred"] == 0
        place.get()
        assert place.files() == TREE
        assert place.answer.sent <= len(WHOLE.data) + DIRECTORY
