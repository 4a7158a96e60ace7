"""`get p9d` end to end: JSONs from Drive or by hand, then the pictures that they list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import shop
from archives import zip_of
from process import Ended, datafetch_
from server import FaultServer, Thing, status
from shop import DRIVE_ID, FIRST, FLAT, TRAIN, documents, expected, serve
from test_cli_tree import files_below, manifest_of, scaffolding


def get(server: FaultServer, root: Path, *more: str) -> Ended:
    args = (
        "get",
        "p9d",
        "--mirror",
        server.url,
        "--mirror-only",
        "-o",
        str(root),
        "--json",
        "--accept-terms",
        *more,
    )
    return datafetch_(*args, cwd=root.parent)


def pictures(server: FaultServer) -> list[str]:
    return [seen.path for seen in server.seen if f"/{shop.HOST}/i/" in seen.path]


def bring(folder: Path) -> Path:
    folder.mkdir()
    for name, data in documents().items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("root", ["Product9D/json/", "json/", ""])
def test_the_tree_is_what_the_loader_of_ctp_opens(tmp_path: Path, root: str) -> None:
    with serve(root=root) as server:
        ended = get(server, tmp_path / "out")
        assert ended.code == 0, ended.err
        assert files_below(tmp_path / "out") == expected()
        assert scaffolding(tmp_path / "out", "p9d") == []
        asked = pictures(server)
    unique = {*TRAIN, *FLAT["test"], *FLAT["query"], *FLAT["gallery"]}
    assert len(asked) == len(unique), "an id in two of test, query and gallery is fetched once"
    counts = ended.report["counts"]
    assert counts["ok"] == 4 + len(unique) and counts["skipped"] == 4
    assert counts["total"] == sum(counts[name] for name in counts if name != "total")


def test_a_second_run_asks_nobody_and_a_lost_picture_is_fetched_alone(tmp_path: Path) -> None:
    with serve() as server:
        assert get(server, tmp_path / "out").code == 0
        before = len(server.seen)
        assert get(server, tmp_path / "out").code == 0
        assert len(server.seen) == before
        (tmp_path / f"out/p9d/gallery_images/{FLAT['query'][0]}.jpg").unlink()
        assert get(server, tmp_path / "out").code == 0
        assert len(server.seen) == before + 1
    assert files_below(tmp_path / "out") == expected()


def test_splits_are_brought_one_by_one_and_fit_together(tmp_path: Path) -> None:
    with serve() as server:
        assert get(server, tmp_path / "out", "--split", "gallery").code == 0
        assert files_below(tmp_path / "out") == expected("gallery")
        assert get(server, tmp_path / "out", "--split", "test,query").code == 0
        assert files_below(tmp_path / "out") == expected("test", "query", "gallery")
        assert get(server, tmp_path / "out").code == 0
        assert files_below(tmp_path / "out") == expected()
        asked = pictures(server)
        before = len(server.seen)
        assert get(server, tmp_path / "out").code == 0
        assert len(server.seen) == before
    assert len(asked) == len(set(asked))


def test_terms_are_accepted_first(tmp_path: Path) -> None:
    with serve() as server:
        ended = datafetch_("get", "p9d", "--mirror", server.url, "-o", str(tmp_path / "out"), cwd=tmp_path)
        assert not server.seen
    assert ended.code == 7
    assert "no redistribution" in ended.err and "--accept-terms" in ended.err


def test_four_files_by_hand_do_instead_of_drive(tmp_path: Path) -> None:
    with serve() as server:
        ended = get(server, tmp_path / "out", "--from", str(bring(tmp_path / "mine")))
        assert not [seen for seen in server.seen if "google" in seen.path]
    assert ended.code == 0, ended.err
    assert files_below(tmp_path / "out") == expected()


def test_when_drive_has_it_no_more_a_person_is_told_where_else(tmp_path: Path) -> None:
    with FaultServer(lambda path: status(404)) as server:
        ended = get(server, tmp_path / "out")
    assert ended.code == 7
    (problem, *_) = ended.report["problems"]
    assert problem["name"] == "json"
    assert "pan.baidu.com/s/19uLDfcWpEcp2ZG4GMN3Vxg" in ended.err and "9fm8" in ended.err
    assert "train.json" in ended.err and "--from DIR" in ended.err


def test_the_second_address_is_asked_when_the_first_is_gone_and_a_picture_that_nobody_has_is_told(
    tmp_path: Path,
) -> None:
    gone, page = FIRST + 3, FIRST + 201
    with serve({gone: status(404), page: Thing(b"<html>not here</html>")}) as server:
        ended = get(server, tmp_path / "out")
        assert len([seen for seen in server.seen if f"/oss.{shop.HOST}/o/{gone}.jpg" in seen.path]) == 1
        missing = expected().keys() - files_below(tmp_path / "out").keys()
        assert missing == {f"p9d/train_images/{gone}.jpg", f"p9d/gallery_images/{page}.jpg"}
        assert ended.code != 0 and ended.report["status"] == "partial"
        assert get(server, tmp_path / "other", "--min-complete", "90%").report["status"] == "complete"


def test_the_manifest_says_which_address_a_picture_is_from(tmp_path: Path) -> None:
    with serve() as server:
        assert get(server, tmp_path / "out", "--split", "train").code == 0
    lines = {line["path"]: line for line in manifest_of(tmp_path / "out", "p9d")}
    line = lines[f"p9d/train_images/{FIRST}.jpg"]
    assert (line["url"], line["width"], line["height"]) == (f"https://{shop.HOST}/i/{FIRST}.jpg", 24, 24)
    assert lines["p9d/json/train.json"]["url"] == f"gdrive://{DRIVE_ID}"


@pytest.mark.parametrize("name", ["P9D_json.zip", "json.zip", "P9D.zip"])
def test_the_archive_of_the_jsons_is_brought_as_it_came(tmp_path: Path, name: str) -> None:
    """Only one called `json` was found: the name that Drive gives it is unknown, but hardly that."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / name).write_bytes(zip_of({f"Product9D/json/{each}": data for each, data in documents().items()}))
    with serve() as server:
        ended = get(server, tmp_path / "out", "--split", "test", "--from", str(mine))
        assert ended.code == 0, ended.err
        assert not [seen for seen in server.seen if DRIVE_ID in seen.path]
    assert files_below(tmp_path / "out") == expected("test")


def images() -> dict[str, bytes]:
    return {path: data for path, data in expected().items() if "_images/" in path}


def test_pictures_of_the_zips_are_brought_unpacked(tmp_path: Path) -> None:
    mine = bring(tmp_path / "mine")
    for path, data in images().items():
        place = mine / path.removeprefix("p9d/")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
    with serve() as server:
        ended = get(server, tmp_path / "out", "--variant", "zips", "--source", "folders", "--from", str(mine))
        assert ended.code == 0, ended.err
        assert not server.seen
        assert files_below(tmp_path / "out") == expected()
        # Another way to the same files is refused, for the two may differ.
        assert get(server, tmp_path / "out").code == 2


def pack(folder: Path, *more: str) -> None:
    """Zips in a shape that nobody knows, as theirs is: several, flat and deep, with pictures of all sets mixed."""
    by_id = {path.rpartition("/")[2]: data for path, data in images().items()}
    names = [*sorted(by_id), *more]
    for turn, prefix in enumerate(("", "P9D/图片/", "a/")):
        tree = {f"{prefix}{name}": by_id.get(name, b"of no list") for name in names[turn::3]}
        (folder / f"part {turn}.zip").write_bytes(zip_of(tree))


def test_zips_of_any_shape_are_sorted_by_the_lists(tmp_path: Path) -> None:
    mine = bring(tmp_path / "mine")
    args = ("--variant", "zips", "--from", str(mine))
    with serve() as server:
        ended = get(server, tmp_path / "out", *args)
        assert (
            ended.code == 7 and "pan.baidu.com/s/1NXn_5TA53B2gqcHXR-ZFbQ" in ended.err and "ezgk" in ended.err
        )
        pack(mine, "1.jpg", "notes.txt")
        ended = get(server, tmp_path / "out", *args)
        assert ended.code == 0, ended.err
        assert files_below(tmp_path / "out") == expected()
        assert ended.report["counts"]["skipped"] == 2
        again = get(server, tmp_path / "out", *args)
        assert (again.code, again.report["bytes"]["transferred"]) == (0, 0)
        lost = sorted(images())[3]
        (tmp_path / "out" / lost).unlink()
        mended = datafetch_("verify", "p9d", "--repair", "-o", "out", "--from", str(mine), cwd=tmp_path)
        assert mended.code == 0, mended.err
        assert not server.seen
    assert files_below(tmp_path / "out") == expected()
    assert scaffolding(tmp_path / "out", "p9d") == []


def test_a_picture_of_two_sets_stands_in_both_folders(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    one = {str(FIRST): shop.record(FIRST)}
    (mine / "train.json").write_text(json.dumps({"母婴": one}))
    for name in ("test", "query", "gallery"):
        (mine / f"{name}.json").write_text(json.dumps(one if name == "query" else {}))
    (mine / "a.zip").write_bytes(zip_of({f"x/{FIRST}.jpg": b"one"}))
    with serve() as server:
        ended = get(server, tmp_path / "out", "--variant", "zips", "--from", str(mine))
    assert ended.code == 0, ended.err
    found = {path for path in files_below(tmp_path / "out") if "_images/" in path}
    assert found == {f"p9d/train_images/{FIRST}.jpg", f"p9d/gallery_images/{FIRST}.jpg"}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"1.jpg": b"x"}, "none of its 1 files, such as 'bad/1.jpg' is in json/train.json"),
        (
            {f"a/{FIRST}.jpg": b"x", f"b/{FIRST}.jpg": b"y"},
            f"zips: two files have one name, 'p9d/train_images/{FIRST}.jpg'",
        ),
        (None, "bad.zip: it is not an archive"),
    ],
)
def test_zips_that_are_no_use_are_refused_whole(
    tmp_path: Path, tree: dict[str, bytes] | None, said: str
) -> None:
    mine = bring(tmp_path / "mine")
    (mine / "bad.zip").write_bytes(b"rubbish" * 99 if tree is None else zip_of(tree))
    with serve() as server:
        ended = get(server, tmp_path / "out", "--variant", "zips", "--from", str(mine))
    assert ended.code not in (0, 1) and said in ended.err
    assert not (tmp_path / "out/p9d").exists()
    assert (mine / "bad.zip").exists()


def test_a_list_that_is_damaged_is_one_clear_error(tmp_path: Path) -> None:
    mine = bring(tmp_path / "mine")
    (mine / "train.json").write_bytes(documents()["train.json"][:900])
    with serve() as server:
        ended = get(server, tmp_path / "out", "--from", str(mine), "--split", "train")
    assert ended.code != 0
    assert "train.json: not JSON" in ended.err


def test_status_names_what_is_missing_and_not_what_another_list_has(tmp_path: Path) -> None:
    gone = FIRST + 3
    with serve({gone: status(404)}) as server:
        get(server, tmp_path / "out")
    ended = datafetch_("status", "p9d", "-o", "out", cwd=tmp_path)
    missing = ended.out.partition("\nmissing\n")[2].split("\n")
    assert [line for line in missing if line.strip()] == [line for line in missing if f"{gone}.jpg" in line]
    assert "2 test has it" in ended.out.partition("\nmissing\n")[0]
    urls = datafetch_("status", "p9d", "-o", "out", "--urls", cwd=tmp_path).out.split()
    assert len(urls) == 1 and urls[0].endswith(f"{gone}.jpg")


def test_rows_by_number_are_not_for_this_list(tmp_path: Path) -> None:
    ended = datafetch_("plan", "p9d", "--first", "3", cwd=tmp_path)
    assert ended.code == 2 and "takes no --first" in ended.err


@pytest.mark.parametrize(("split", "code"), [("test,qury", 3), ("", 3)])
def test_a_split_that_is_none_is_named(tmp_path: Path, split: str, code: int) -> None:
    ended = datafetch_("plan", "p9d", "--split", split, cwd=tmp_path)
    assert ended.code == code and "expected train, test, query or gallery" in ended.err
