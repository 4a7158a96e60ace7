"""`get mscoco` end to end: the tree, coco_raw.json as NeuralTalk2's notebook makes it, the corrupt picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coco import CORRUPT, S3, Release, get, picture
from process import datafetch_
from server import Answer, FaultServer, Thing
from test_cli_tree import files_below, manifest_of, scaffolding

PATH = f"train2014/COCO_train2014_{CORRUPT:012d}.jpg"
BROKEN = {PATH.partition("/")[2]: picture(CORRUPT)[:400]}
AZURE = "/msvocds.blob.core.windows.net"


def tree(release: Release, *splits: str) -> dict[str, bytes]:
    files = {f"mscoco/{path}": data for split in splits for path, data in release.pictures(split).items()}
    return files | {f"mscoco/{path}": data for path, data in release.annotations().items()}


def found(root: Path) -> tuple[dict[str, bytes], object]:
    files = files_below(root)
    return files, json.loads(files.pop("mscoco/coco_raw.json"))


def test_the_tree_is_upstreams_and_coco_raw_is_that_of_the_notebook(tmp_path: Path) -> None:
    release = Release()
    with FaultServer(release.things().get) as server:
        ended = get(server, tmp_path / "out")
        assert ended.code == 0, ended.err
        before = len(server.seen)
        assert get(server, tmp_path / "out").code == 0
        assert len(server.seen) == before, "a second run asks nobody"
    files, raw = found(tmp_path / "out")
    assert files == tree(release, "train", "val")
    assert raw == release.raw()
    assert ended.report["counts"] | {"skipped": 0} == ended.report["counts"]
    assert ended.report["counts"]["ok"] == ended.report["counts"]["total"] == 7 + 6 + 1
    assert scaffolding(tmp_path / "out", "mscoco") == []
    sizes = {
        one["path"]: (one.get("width"), one.get("height")) for one in manifest_of(tmp_path / "out", "mscoco")
    }
    assert sizes["mscoco/val2014/COCO_val2014_000000391895.jpg"] == (40 + 391895 % 31, 30 + 391895 % 17)


def test_coco_raw_has_the_same_bytes_on_every_machine_and_a_record_a_line(tmp_path: Path) -> None:
    with FaultServer(Release().things().get) as server:
        for name in ("one", "other"):
            assert get(server, tmp_path / name).code == 0
    one, other = ((tmp_path / name / "mscoco/coco_raw.json").read_bytes() for name in ("one", "other"))
    assert one == other and one.count(b"\n") == 7 + 2


@pytest.mark.parametrize(
    "at", [f"{AZURE}/images/262993_z.jpg", f"{S3}/{PATH}", f"/images.cocodataset.org/{PATH}"]
)
def test_the_corrupt_picture_is_replaced_from_whoever_has_another_copy(tmp_path: Path, at: str) -> None:
    release = Release(instead=BROKEN)
    copy = picture(99)
    table: dict[str, Answer] = {**release.things(), at: Thing(copy)}
    with FaultServer(table.get) as server:
        ended = get(server, tmp_path / "out")
        assert ended.code == 0, ended.err
        (tmp_path / "out/mscoco" / PATH).unlink()
        args = ("verify", "mscoco", "--repair", "--mirror", server.url, "--mirror-only", "-o", "out")
        zips = sum(seen.path.endswith(".zip") for seen in server.seen)
        mended = datafetch_(*args, "--registry", "recipes", cwd=tmp_path)
        assert mended.code == 0, mended.err + mended.out
        assert sum(seen.path.endswith(".zip") for seen in server.seen) == zips, "one picture, not its archive"
    files, raw = found(tmp_path / "out")
    assert files == tree(release, "train", "val") | {f"mscoco/{PATH}": copy}
    assert raw == release.raw()
    counts = ended.report["counts"]
    assert counts["ok"] == counts["total"] == 14
    assert any(PATH in note and "does not decode" in note for note in ended.report["notes"])


def test_a_corrupt_picture_that_nobody_has_is_left_out_and_told(tmp_path: Path) -> None:
    release = Release(instead=BROKEN)
    table = release.things()
    with FaultServer(table.get) as server:
        ended = get(server, tmp_path / "out")
        assert ended.code == 6, ended.err
        assert (ended.report["counts"]["missing"], ended.report["counts"]["ok"]) == (1, 13)
        files, raw = found(tmp_path / "out")
        assert files == {
            path: data for path, data in tree(release, "train", "val").items() if PATH not in path
        }
        assert raw == [record for record in release.raw() if record["id"] != CORRUPT]
        assert any(
            "1 pictures of captions_train2014.json are not here" in note for note in ended.report["notes"]
        )
        assert get(server, tmp_path / "out", "--min-complete", "90%").code == 0
        missing = datafetch_("status", "mscoco", "-o", "out", "--urls", "--registry", "recipes", cwd=tmp_path)
        assert missing.out.split() == [f"https://{AZURE[1:]}/images/262993_z.jpg"]
        table[f"{S3}/{PATH}"] = Thing(picture(7))
        again = get(server, tmp_path / "out", "--retry-gone")
    assert again.code == 0, again.err
    assert found(tmp_path / "out")[1] == release.raw(), "what came back is listed again"
    assert again.report["counts"]["ok"] == again.report["counts"]["total"] == 14


def test_a_set_that_comes_later_is_listed_without_fetching_annotations_again(tmp_path: Path) -> None:
    release = Release()
    with FaultServer(release.things().get) as server:
        first = get(server, tmp_path / "out", "--split", "val")
        assert first.code == 0, first.err
        assert found(tmp_path / "out")[1] == release.raw()[:3]
        assert get(server, tmp_path / "out").code == 0
        asked = [seen.path for seen in server.seen if "annotations" in seen.path]
    files, raw = found(tmp_path / "out")
    assert files == tree(release, "train", "val") and raw == release.raw()
    assert len(set(asked)) == len(asked) == 1
    verified = datafetch_("verify", "mscoco", "-o", "out", "--registry", "recipes", cwd=tmp_path)
    assert verified.code == 0, verified.out


def test_both_releases_stand_side_by_side(tmp_path: Path) -> None:
    old, new = Release(), Release("2017", 2, {"train": (9, 42), "val": (391895,)})
    with FaultServer({**old.things(), **new.things()}.get) as server:
        ended = get(server, tmp_path / "out", "--release", "2014,2017")
        assert ended.code == 0, ended.err
        assert get(server, tmp_path / "other", "--release", "2017").code == 0
    files, raw = found(tmp_path / "out")
    assert raw == old.raw()
    assert json.loads(files.pop("mscoco/coco_raw_2017.json")) == new.raw()
    assert files == tree(old, "train", "val") | tree(new, "train", "val")
    other = files_below(tmp_path / "other")
    assert json.loads(other.pop("mscoco/coco_raw_2017.json")) == new.raw()
    assert other == tree(new, "train", "val")


def test_what_is_no_caption_file_is_one_clear_line(tmp_path: Path) -> None:
    class Broken(Release):
        def annotations(self) -> dict[str, bytes]:
            return super().annotations() | {"annotations/captions_val2014.json": b'{"images": [{"id": "x"}]}'}

    with FaultServer(Broken().things().get) as server:
        ended = get(server, tmp_path / "out")
    assert ended.code == 5
    assert "captions_val2014.json is no caption file of COCO" in ended.err
    assert not (tmp_path / "out/mscoco").exists(), "a folder is complete or absent"


def test_a_few_pictures_of_each_set_are_fetched_by_themselves_and_the_rest_later(tmp_path: Path) -> None:
    release = Release(instead=BROKEN)
    table: dict[str, Answer] = {**release.things(), f"{S3}/{PATH}": Thing(picture(99))}
    whole = tree(release, "train", "val") | {f"mscoco/{PATH}": picture(99)}
    with FaultServer(table.get) as server:
        few = get(server, tmp_path / "out", "--max-per-class", "3")
        assert few.code == 0, few.err
        files, raw = found(tmp_path / "out")
        assert raw == release.raw()[:6], "the corrupt one of them from elsewhere"
        assert files == {path: data for path, data in whole.items() if "000000318219" not in path}
        ended = get(server, tmp_path / "out")
        assert ended.code == 0, ended.err
    assert found(tmp_path / "out") == (whole, release.raw())
    assert scaffolding(tmp_path / "out", "mscoco") == []
