"""`get --check-upstream`: what is here already is compared with what upstream has, without fetching it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from archives import zip_of
from process import Ended, datafetch_
from server import Answer, Exchange, FaultServer, Thing, status
from tiny import recipe

OLD, NEW = Thing(b"old bytes" * 100), Thing(b"new and longer" * 100, modified=1_700_000_000.0)
CHECK = ("--check-upstream",)


def conditional(thing: Thing) -> Answer:
    """As a server that knows If-None-Match and If-Modified-Since."""

    def answer(exchange: Exchange) -> None:
        asked, own = exchange.seen.headers, thing.headers
        if "if-none-match" in asked:
            same = asked["if-none-match"] == own.get("ETag")
        else:
            same = asked.get("if-modified-since") == own["Last-Modified"]
        if same:
            exchange.head(304, own)
        else:
            thing(exchange)

    return answer


class Place:
    """A server with one file, which may become another."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.server = FaultServer(lambda path: self.answer)

    def get(self, folder: Path, *options: str) -> Ended:
        named = recipe(folder, {"a.bin": f"{self.server.url}/a.bin"})
        return datafetch_("get", *named, "-o", "out", "--allow-private", *options, cwd=folder)


def report(folder: Path) -> Any:
    return json.loads((folder / "out/.datafetch/tiny/report.json").read_text())


@pytest.mark.parametrize(
    "answer",
    [conditional(OLD), OLD, Thing(OLD.data, etag=""), Thing(OLD.data, etag='W/"1"', modified=0)],
    ids=["304", "no conditions", "date only", "weak tag only"],
)
def test_the_same_file_is_unchanged_and_no_body_comes(tmp_path: Path, answer: Answer) -> None:
    place = Place(answer)
    with place.server as server:
        assert place.get(tmp_path).code == 0
        before = len(server.seen)
        again = place.get(tmp_path, *CHECK)
        asked = server.seen[before:]
    assert (again.code, [one.method for one in asked]) == (0, ["HEAD"])
    assert "note: tiny: 1 file unchanged upstream" in again.err
    assert report(tmp_path)["bytes"]["transferred"] == 0
    assert [one["state"] for one in report(tmp_path)["upstream"]] == ["unchanged"]


def test_nobody_is_asked_without_the_option(tmp_path: Path) -> None:
    place = Place(OLD)
    with place.server as server:
        place.get(tmp_path)
        before = len(server.seen)
        place.get(tmp_path)
        assert len(server.seen) == before
    assert "upstream" not in report(tmp_path)


def test_what_changed_is_said_with_old_and_new_and_what_is_here_stays(tmp_path: Path) -> None:
    place = Place(conditional(OLD))
    with place.server:
        place.get(tmp_path)
        place.answer = conditional(NEW)
        again = place.get(tmp_path, *CHECK)
        quiet = place.get(tmp_path, *CHECK, "-q")
    (note,) = [line for line in again.err.splitlines() if "changed upstream" in line]
    assert "size was 900, now 1,400" in note and "ETag was " in note and "Last-Modified was " in note
    assert "another folder with -o" in note
    assert again.code == quiet.code == 0 and quiet.out == "" and quiet.err.splitlines() == [note]
    (stood,) = report(tmp_path)["upstream"]
    assert (stood["state"], stood["was"]["size"], stood["now"]["size"]) == ("changed", "900", "1400")
    assert stood["was"]["etag"] != stood["now"]["etag"]
    assert (tmp_path / "out/tiny/a.bin").read_bytes() == OLD.data


def test_equal_tags_outweigh_a_date(tmp_path: Path) -> None:
    place = Place(Thing(OLD.data, etag='"one"'))
    with place.server:
        place.get(tmp_path)
        place.answer = Thing(OLD.data, etag='"one"', modified=NEW.modified)
        assert "1 file unchanged upstream" in place.get(tmp_path, *CHECK).err


def test_gone_is_said_and_is_no_failure(tmp_path: Path) -> None:
    place = Place(OLD)
    with place.server:
        place.get(tmp_path)
        place.answer = status(404)
        again = place.get(tmp_path, *CHECK, "-q")
    assert again.code == 0 and "gone upstream" in again.err and report(tmp_path)["status"] == "complete"


def test_a_server_without_head_is_asked_for_one_byte(tmp_path: Path) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.seen.method == "HEAD":
            exchange.send(405)
        else:
            OLD(exchange)

    place = Place(answer)
    with place.server as server:
        place.get(tmp_path)
        again = place.get(tmp_path, *CHECK)
        assert server.seen[-1].headers["range"] == "bytes=0-0"
    assert again.code == 0 and "unchanged upstream" in again.err


@pytest.mark.parametrize("how", ["down", "503", "says nothing"])
def test_what_cannot_be_known_is_said_to_be_unknown(tmp_path: Path, how: str) -> None:
    place = Place(OLD)
    with place.server:
        place.get(tmp_path)
        place.answer = status(503) if how == "503" else _bare
        if how != "down":
            again = place.get(tmp_path, *CHECK)
    if how == "down":
        again = place.get(tmp_path, *CHECK)
    assert again.code == 0 and "whether it changed upstream is not known" in again.err
    assert [one["state"] for one in report(tmp_path)["upstream"]] == ["unknown"]


def _bare(exchange: Exchange) -> None:
    exchange.head(200, {"Connection": "close"})
    exchange.hang_up()


def test_members_from_the_wire_know_their_version_too(tmp_path: Path) -> None:
    thing = Thing(zip_of({"top/a/0.txt": b"0" * 5000, "top/b/1.txt": b"1" * 5000}))
    place = Place(thing)
    with place.server:
        folder = tmp_path / "recipes"
        folder.mkdir()
        (folder / "tiny.yaml").write_text(
            "name: tiny\ntitle: tiny\nartifacts:\n"
            f"  - {{name: a, url: '{place.server.url}/a.zip', checksums: unknown, unpack: true}}\n"
            "layout:\n  - {from: 'a/<root>/<class>/<file>', to: '<class>/<file>'}\n"
        )
        words = ("get", "tiny", "--registry", str(folder), "-o", "out", "--allow-private", "--classes", "a")
        assert datafetch_(*words, cwd=tmp_path).code == 0
        same = datafetch_(*words, *CHECK, cwd=tmp_path)
        place.answer = NEW
        other = datafetch_(*words, *CHECK, cwd=tmp_path)
    assert "1 file unchanged upstream" in same.err, same.err
    assert "ETag was " in other.err


def test_it_does_not_go_with_offline(tmp_path: Path) -> None:
    ended = Place(OLD).get(tmp_path, *CHECK, "--offline")
    assert ended.code == 2 and "--offline" in ended.err
