"""`get` of a part of a remote zip: the bytes of that part and of the directory are fetched, and no others."""

from __future__ import annotations

from pathlib import Path

from archives import Entry, raw_zip
from shapes import CLASSES, Place, archive, below, members

from datafetch.demo.server import Thing

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


def test_a_part_has_the_names_that_the_whole_has_in_an_old_code_page(tmp_path: Path) -> None:
    """`get --split train` of a zip with `encoding: cp932` published other names than `get` did, and ended with 0."""
    tree = {
        f"shapes/{split}/犬/写真{k}.jpg": b"%d" % k * 500 for split in ("train", "test") for k in range(3)
    }
    data = raw_zip([Entry(path.encode("cp932"), body) for path, body in tree.items()])
    with Place(tmp_path, Thing(data, "application/zip")) as place:
        recipe = tmp_path / "recipes/shapes.yaml"
        recipe.write_text(recipe.read_text().replace("unpack: true", "unpack: true\n    encoding: cp932"))
        place.get("--split", "train")
        assert place.files() == below(tree, lambda path: "train" in path)
        asked = len(place.server.seen)
        (tmp_path / "out/shapes/train/犬/写真1.jpg").unlink()
        place.get("--split", "train")
        assert place.files() == below(tree, lambda path: "train" in path)
        assert len(place.server.seen) == asked + 1  # the directory was kept, with its page
