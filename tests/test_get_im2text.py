"""`get im2text --variant urls` end to end: the lists of SBU in both forms, rows by number, and the captions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from archives import picture
from process import Ended, datafetch_
from sbu import tar_gz
from server import Answer, FaultServer, Thing, status
from test_cli_tree import files_below, scaffolding

from datafetch.recipe.files import builtin

ROWS = 12
CAPTIONS = [
    "A wooden chair in the living room",
    ' a "quoted" one; with \\ and blanks ',
    "voilà",
    *(f"caption {n}" for n in range(4, 13)),
]
PHOTOS = [f"{4385058960 + n}_b0f291553e.jpg" for n in range(ROWS)]
URLS = [f"http://static.flickr.com/2723/{photo}" for photo in PHOTOS]
TITLE = "dataset/SBU_captioned_photo_dataset"
HOST = "/www.cs.rice.edu/~vo9/sbucaptions"


def columns() -> bytes:
    users = [f"{47889917 + n}@N08" for n in range(ROWS)]
    return json.dumps({"image_urls": URLS, "user_ids": users, "captions": CAPTIONS}).encode()


def serve(instead: Mapping[int, Answer] | None = None) -> FaultServer:
    """A mirror of the lists and of Flickr; rows whose number is a key of `instead` differ."""
    others = dict(instead or {})
    table: dict[str, Answer] = {
        f"{HOST}/sbu-captions-all.tar.gz": Thing(tar_gz({"sbu-captions-all.json": columns()})),
        f"{HOST}/SBUCaptionedPhotoDataset.tar.gz": Thing(
            tar_gz(
                {
                    f"{TITLE}_urls.txt": "".join(f"{url}\r\n" for url in URLS).encode(),
                    f"{TITLE}_captions.txt": "".join(f"{caption}\r\n" for caption in CAPTIONS).encode(),
                    "dataset/README": b"read me",
                }
            )
        ),
    }
    for row, photo in enumerate(PHOTOS, 1):
        table[f"/static.flickr.com/2723/{photo}"] = others.get(row) or Thing(picture(row))
    return FaultServer(table.get)


def get(server: FaultServer, root: Path, *more: str) -> Ended:
    """With the recipe that ships, but for the sizes and checksums of the lists, which no test could meet."""
    registry = root.parent / "recipes"
    registry.mkdir(exist_ok=True)
    text = (builtin() / "im2text.yaml").read_text()
    text = re.sub(r"^    checksums:\n(      .*\n)+|^    size: .*\n", "", text, flags=re.MULTILINE)
    (registry / "im2text.yaml").write_text(text)
    (registry / "im2text.md5").write_bytes((builtin() / "im2text.md5").read_bytes())
    args = (
        "get",
        "im2text",
        "--variant",
        "urls",
        "--mirror",
        server.url,
        "--mirror-only",
        "-o",
        str(root),
        "--json",
    )
    return datafetch_(*args, "--registry", str(registry), *more, cwd=root.parent)


def path_of(row: int) -> str:
    return f"im2text/im2text/im2text_{row:012d}.jpg"


def record(row: int, caption: str | None = None) -> dict[str, Any]:
    return {
        "captions": [CAPTIONS[row - 1] if caption is None else caption],
        "id": f"{row:012d}",
        "file_path": f"im2text/im2text_{row:012d}.jpg",
        "url": URLS[row - 1],
        "image_id": str(4385058959 + row),
    }


def found(root: Path) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """The pictures, and what the JSON says of them."""
    files = files_below(root)
    told = json.loads(files.pop("im2text/im2text.json"))
    return {path: data for path, data in files.items() if path.startswith("im2text/")}, told


def pictures(*rows: int) -> dict[str, bytes]:
    return {path_of(row): picture(row) for row in rows}


def asked(server: FaultServer) -> list[str]:
    return [seen.path for seen in server.seen if "/static.flickr.com/" in seen.path]


@pytest.mark.parametrize("source", ["json", "txt"])
def test_pictures_are_numbered_by_row_and_each_has_its_caption(tmp_path: Path, source: str) -> None:
    with serve() as server:
        ended = get(server, tmp_path / "out", "--source", source)
        assert ended.code == 0, ended.err
        before = len(server.seen)
        assert get(server, tmp_path / "out", "--source", source).code == 0
        assert len(server.seen) == before, "a second run asks nobody"
    images, told = found(tmp_path / "out")
    assert images == pictures(*range(1, ROWS + 1))
    # Lines lose the blanks around them; a column keeps them.
    assert told == [record(row) for row in range(1, ROWS + 1)]
    assert scaffolding(tmp_path / "out", "im2text") == []


def test_two_half_runs_fit_together(tmp_path: Path) -> None:
    with serve() as server:
        ended = get(server, tmp_path / "out", "--first", "7", "--count", "3")
        assert ended.code == 0, ended.err
        assert ended.report["counts"]["total"] == 5, "three pictures, their JSON, the list"
        assert found(tmp_path / "out") == (pictures(7, 8, 9), [record(row) for row in (7, 8, 9)])
        assert get(server, tmp_path / "out", "--count", "2").code == 0
        assert found(tmp_path / "out") == (pictures(1, 2, 7, 8, 9), [record(row) for row in (1, 2, 7, 8, 9)])
        before = len(server.seen)
        for again in (("--count", "2"), ("--first", "8", "--count", "1")):
            assert get(server, tmp_path / "out", *again).code == 0
        assert len(server.seen) == before, "what is here is not asked for"
        assert get(server, tmp_path / "out").code == 0
        assert found(tmp_path / "out") == (pictures(*range(1, 13)), [record(row) for row in range(1, 13)])
        assert len(asked(server)) == len(set(asked(server))) == ROWS
        assert len(server.seen) == ROWS + 1, "and the list once"


def test_repair_brings_back_the_rows_that_were_asked_for_and_no_others(tmp_path: Path) -> None:
    with serve() as server:
        assert get(server, tmp_path / "out", "--first", "4", "--count", "3").code == 0
        (tmp_path / "out" / path_of(5)).unlink()
        (tmp_path / "out/im2text/im2text.json").write_text("[]")
        args = ("verify", "im2text", "--repair", "--mirror", server.url, "--mirror-only", "-o", "out")
        ended = datafetch_(*args, "--registry", "recipes", cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert len(asked(server)) == 4
    assert found(tmp_path / "out") == (pictures(4, 5, 6), [record(row) for row in (4, 5, 6)])


def test_dead_links_and_placeholders_have_no_caption_and_are_counted(tmp_path: Path) -> None:
    page = Thing(b"<html>gone fishing</html>")
    with serve({2: status(404), 5: page, 6: status(403)}) as server:
        ended = get(server, tmp_path / "out", "--count", "8")
        assert ended.code not in (0, 1, 2)
        left = (1, 3, 4, 7, 8)
        assert found(tmp_path / "out") == (pictures(*left), [record(row) for row in left])
        counts = ended.report["counts"]
        assert counts["ok"] == 7 and counts["total"] == sum(counts.values()) - counts["total"]
        enough = get(server, tmp_path / "other", "--count", "8", "--min-complete", "70%")
    assert (enough.report["status"], enough.report["counts"]) == ("complete", counts)


def test_the_other_form_of_the_list_is_another_way_to_the_same_files(tmp_path: Path) -> None:
    with serve() as server:
        assert get(server, tmp_path / "out", "--count", "2").code == 0
        ended = get(server, tmp_path / "out", "--source", "txt")
    assert ended.code == 2 and "--source json" in ended.err


@pytest.mark.parametrize("bad", [("--first", "0"), ("--count", "0"), ("--first", "x")])
def test_a_row_that_can_be_none_is_refused(tmp_path: Path, bad: tuple[str, str]) -> None:
    ended = datafetch_("plan", "im2text", "--variant", "urls", *bad, cwd=tmp_path)
    assert ended.code == 2 and bad[0] in ended.err
