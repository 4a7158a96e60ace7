"""Parts of a remote zip where things go wrong: servers that give no ranges, files that change, kills, lies."""

from __future__ import annotations

import io
import random
import signal
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from archives import zip_of
from process import environment, start
from server import Ignoring, multipart, part, status
from shapes import Counting, Place, archive, below, members

from datafetch.demo.server import Answer, Exchange, Thing, drop_after
from datafetch.model import Subset

TREE = members(per_class=6, size=2000, seed=2)
WHOLE = archive(TREE)
ONE = Subset(classes=("class_07",), splits=("test",))
CHOSEN = below(TREE, lambda path: "test/class_07" in path or path.endswith("info.json"))


def other(tree: dict[str, bytes]) -> dict[str, bytes]:
    """The same names and sizes, other bytes."""
    chance = random.Random(9)
    return {path: chance.randbytes(len(data)) for path, data in tree.items()}


class Switch:
    """One answer for the first requests, another after."""

    def __init__(self, first: Answer, times: int, then: Answer) -> None:
        self.first, self.left, self.then = first, times, then

    def __call__(self, exchange: Exchange) -> None:
        self.left -= 1
        (self.first if self.left >= 0 else self.then)(exchange)


def wrong_start(exchange: Exchange) -> None:
    """Every range begins a byte late, honestly labelled."""
    if exchange.seen.suffix is not None or not exchange.seen.start:
        WHOLE(exchange)
        return
    start, stop = exchange.seen.start + 1, (exchange.seen.stop or 0) + 1
    part(WHOLE, start, stop, len(WHOLE.data), ETag=str(WHOLE.headers["ETag"]))(exchange)


# --- Where ranges do not work the whole is fetched, and still only what is chosen is placed -----------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Ignoring(WHOLE), "the server ignores ranges"),
        (Thing(WHOLE.data, etag='W/"weak"'), "nothing that ties two ranges"),
        (Thing(WHOLE.data, etag="", modified=time.time() + 86_400), "nothing that ties two ranges"),
        (Switch(multipart(WHOLE), 1, Thing(WHOLE.data)), "ignores ranges"),
        (wrong_start, "the server sent"),
        (Switch(WHOLE, 1, Ignoring(WHOLE)), "the server ignores ranges"),
    ],
    ids=["ignores", "weak", "fresh date", "multipart", "wrong start", "ignores later"],
)
def test_without_ranges_the_whole_is_fetched_and_the_choice_is_placed(
    answer: Answer, reason: str, tmp_path: Path
) -> None:
    with Place(tmp_path, answer) as place:
        report = place.bring(ONE)
        assert (report.exit_code, place.files()) == (0, CHOSEN)
        notes = [note for note in report.notes if "fetched whole" in note]
        assert len(notes) == 1 and reason in notes[0]
        again = place.bring(ONE)
        assert again.transferred == 0
        wider = place.bring(Subset(classes=("class_07",)))
        assert (wider.exit_code, wider.counts["failed"]) == (0, 0)
        assert place.files() == below(TREE, lambda path: "class_07" in path or path.endswith("info.json"))


def test_a_date_that_is_old_enough_ties_ranges_together(tmp_path: Path) -> None:
    with Place(tmp_path, Thing(WHOLE.data, etag="")) as place:
        assert place.bring(ONE).exit_code == 0
        assert place.files() == CHOSEN
        assert place.answer.sent < len(WHOLE.data) / 2


def test_a_mirror_that_gives_ranges_serves_where_the_origin_does_not(tmp_path: Path) -> None:
    mirror = Counting(WHOLE)
    with Place(tmp_path, Ignoring(WHOLE), others={"/mirror.zip": mirror}) as place:
        file = tmp_path / "recipes/shapes.yaml"
        file.write_text(
            file.read_text().replace('real.zip"]', f'real.zip", "{place.server.url}/mirror.zip"]')
        )
        report = place.bring(ONE)
        assert (report.exit_code, place.files()) == (0, CHOSEN)
        assert mirror.sent < len(WHOLE.data) / 2


# --- Lines that drop, servers that are busy ----------------------------------------------------------------------


def test_a_range_that_drops_goes_on_where_it_was(tmp_path: Path) -> None:
    with Place(tmp_path, Switch(WHOLE, 1, Switch(drop_after(3000, WHOLE), 2, WHOLE))) as place:
        assert place.bring(ONE).exit_code == 0
        assert place.files() == CHOSEN
        ends = [span.partition("-")[2] for span in place.answer.ranges]
        assert len(ends) > len(set(ends))  # the same end was asked for again, from further on


def test_a_busy_server_is_waited_for(tmp_path: Path) -> None:
    with Place(tmp_path, Switch(status(503), 1, Switch(WHOLE, 1, Switch(status(429), 1, WHOLE)))) as place:
        assert place.bring(ONE).exit_code == 0
        assert place.files() == CHOSEN


def test_what_is_gone_is_told_as_always(tmp_path: Path) -> None:
    with Place(tmp_path, status(404)) as place:
        assert place.bring(ONE).exit_code == 4


# --- A file that changes is never mixed ----------------------------------------------------------------------------


@pytest.mark.parametrize("when", [1, 2, 3])
def test_a_file_that_changes_between_two_ranges_is_never_mixed(when: int, tmp_path: Path) -> None:
    new = other(TREE)
    picks = Subset(most=1)  # many requests
    with Place(tmp_path, Switch(WHOLE, when, archive(new))) as place:
        assert place.bring(picks).exit_code == 0
        assert place.files() == below(new, lambda path: "/0." in path or path.endswith("info.json"))


def test_other_bytes_under_the_old_label_are_never_published(tmp_path: Path) -> None:
    liar = Thing(zip_of(other(TREE)), etag=str(WHOLE.headers["ETag"]))
    with Place(tmp_path, Switch(WHOLE, 1, liar)) as place:
        report = place.bring(ONE)
        assert report.exit_code == 5
        assert place.files() == {}
        assert "does not agree with the directory" in report.problems[0].text


def test_a_later_version_is_not_put_beside_an_earlier_one(tmp_path: Path) -> None:
    with Place(tmp_path, WHOLE) as place:
        place.bring(ONE)
        place.answer.answer = archive(other(TREE))
        report = place.bring(Subset(classes=("class_08",), splits=("test",)))
        assert (report.exit_code, place.files()) == (5, CHOSEN)
        assert "upstream has another" in report.problems[0].text
        again = place.bring(Subset(classes=("class_08",), splits=("test",)))
        assert (again.exit_code, place.files()) == (5, CHOSEN)
        place.answer.answer = Thing(WHOLE.data, etag='"the same under another label"')
        assert place.bring(Subset(classes=("class_08",), splits=("test",))).exit_code == 0


# --- Kills -------------------------------------------------------------------------------------------------------


def test_what_is_staged_and_proven_is_not_asked_for_again(tmp_path: Path) -> None:
    picks = Subset(most=1)
    with Place(tmp_path, Switch(WHOLE, 12, status(500))) as place:
        assert place.bring(picks, retries=0).exit_code == 5
        assert place.files() == {}
        asked = set(place.answer.ranges)
        served = list(place.answer.ranges)[2:12]
        place.answer.answer = WHOLE
        before = len(place.answer.ranges)
        assert place.bring(picks).exit_code == 0
        assert not set(place.answer.ranges[before:]) & set(served)
        assert len(place.files()) == 61 and asked
        assert not list((place.root / ".datafetch/shapes").glob("staging*"))


def test_a_half_written_member_is_fetched_again(tmp_path: Path) -> None:
    with Place(tmp_path, Switch(WHOLE, 3, status(500))) as place:
        place.bring(Subset(most=1), retries=0)
        staged = [path for path in (place.root / ".datafetch/shapes/staging").rglob("*.*") if path.is_file()]
        assert staged
        staged[0].write_bytes(b"x" * staged[0].stat().st_size)
        place.answer.answer = WHOLE
        assert place.bring(Subset(most=1)).exit_code == 0
        assert place.files() == below(TREE, lambda path: "/0." in path or path.endswith("info.json"))


def test_after_kill_9_the_next_run_goes_on(tmp_path: Path) -> None:
    script = """
import os, sys
from datafetch.obtain import gather
left = [25]
add = gather.Gatherer._add
def killing(self, *args):
    add(self, *args)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
gather.Gatherer._add = killing
from datafetch.cli import main
sys.exit(main())
"""
    with Place(tmp_path, WHOLE) as place:
        words = place.command("get", "--allow-private", "--max-per-class", "1")
        killed = subprocess.run(
            (sys.executable, "-c", script, *words),
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
        )
        assert killed.returncode == -9
        first = len(place.answer.ranges)
        place.get("--max-per-class", "1")
        assert place.files() == below(TREE, lambda path: "/0." in path or path.endswith("info.json"))
        assert len(place.answer.ranges) - first <= 60 - 24  # neither the directory nor what was staged


def test_ctrl_c_while_a_server_is_silent_ends_at_once_and_the_next_run_goes_on(tmp_path: Path) -> None:
    def silent(exchange: Exchange) -> None:
        exchange.wait_for_close(30)

    with Place(tmp_path, Switch(WHOLE, 8, silent)) as place:
        words = place.command("get", "--allow-private", "--max-per-class", "1")
        with start(words, tmp_path) as process:
            until = time.monotonic() + 20
            while len(place.answer.ranges) < 10 and time.monotonic() < until:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            out, err = process.communicate(timeout=20)
        assert process.returncode == 130, out + err
        assert time.monotonic() - began < 5 and "Traceback" not in err
        place.answer.answer = WHOLE
        asked = len(place.answer.ranges)
        assert place.bring(Subset(most=1)).exit_code == 0
        assert len(place.answer.ranges) - asked <= 60 - 6


def test_max_transfer_stops_in_the_middle_and_keeps_what_came(tmp_path: Path) -> None:
    with Place(tmp_path, WHOLE) as place:
        assert place.bring(Subset(splits=("test",)), max_transfer=110_000).exit_code == 8
        assert place.answer.sent >= 110_000 and place.files() == {}
        report = place.bring(Subset(splits=("test",)))
        assert report.exit_code == 0 and report.transferred < len(WHOLE.data)


# --- Damage ------------------------------------------------------------------------------------------------------


def damaged(path: str) -> Thing:
    """The archive with one byte of a member changed, and every label as it was."""
    data = bytearray(WHOLE.data)
    data[data.index(TREE[path]) + 5] ^= 1
    return Thing(bytes(data), etag=str(WHOLE.headers["ETag"]))


def test_a_member_that_comes_damaged_once_is_asked_for_again_and_no_other(tmp_path: Path) -> None:
    bad = damaged("shapes/test/class_07/3.jpg")
    with Place(tmp_path, Switch(WHOLE, 1, Switch(bad, 2, WHOLE))) as place:
        assert place.bring(ONE).exit_code == 0
        assert place.files() == CHOSEN
        assert place.answer.sent < 66_000 + 3 * sum(map(len, CHOSEN.values()))


def test_a_member_that_is_damaged_for_good_is_never_published(tmp_path: Path) -> None:
    with Place(tmp_path, damaged("shapes/test/class_07/3.jpg")) as place:
        report = place.bring(ONE)
        assert (report.exit_code, place.files()) == (5, {})
        assert "class_07/3.jpg" in report.problems[0].text


def test_one_lost_file_is_mended_by_its_own_bytes(tmp_path: Path) -> None:
    with Place(tmp_path, WHOLE) as place:
        place.bring()
        assert place.files() == TREE
        victim = place.root / "shapes/test/class_07/3.jpg"
        sent = place.answer.sent
        victim.write_bytes(b"short")
        assert place.mend().exit_code == 0
        assert place.files() == TREE
        assert place.answer.sent - sent < len(WHOLE.data) / 3  # the directory and one member
        sent = place.answer.sent
        victim.unlink()
        assert place.mend().exit_code == 0 and place.files() == TREE
        assert place.answer.sent - sent < 2500  # the directory is here


def test_a_mend_falls_back_to_the_whole_and_takes_no_other_version(tmp_path: Path) -> None:
    with Place(tmp_path, WHOLE) as place:
        place.bring()
        victim = place.root / "shapes/test/class_07/3.jpg"
        victim.unlink()
        place.answer.answer = archive(other(TREE))
        refused = place.mend()
        assert refused.exit_code == 5 and not victim.exists()
        place.answer.answer = Ignoring(WHOLE)
        assert place.mend().exit_code == 0
        assert place.files() == TREE


# --- Directories that lie ------------------------------------------------------------------------------------------


def entry(data: bytes, name: str) -> int:
    """Where the directory's entry of a member begins."""
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    return at


def lying(kind: str) -> bytes:
    data = bytearray(WHOLE.data)
    name = "shapes/test/class_07/3.jpg"
    at, end = entry(data, name), data.rindex(b"PK\x05\x06")
    match kind:
        case "offset of another":
            before = entry(data, "shapes/test/class_07/2.jpg")
            data[at + 42 : at + 46] = data[before + 42 : before + 46]
        case "offset outside":
            struct.pack_into("<I", data, at + 42, len(data))
        case "size":
            struct.pack_into("<II", data, at + 20, 2001, 2001)
        case "crc":
            struct.pack_into("<I", data, at + 16, 12345)
        case "count":
            struct.pack_into("<HH", data, end + 8, 60_000, 60_000)
        case "directory outside":
            struct.pack_into("<I", data, end + 16, len(data))
        case "name outside":
            data[at + 46 : at + 46 + 13] = b"../../../../x"
        case "twice":
            data[at + 46 : at + 46 + len(name)] = b"shapes/test/class_07/2.jpg"
        case "encrypted":
            data[at + 8] |= 1
        case "link":
            struct.pack_into("<I", data, at + 38, 0o120777 << 16)
        case "local header":
            local = data.index(name.encode()) - 30
            struct.pack_into("<I", data, local + 14, 99)
        case "cut":
            return bytes(data[: len(data) // 2])
    return bytes(data)


LIES = (
    *("offset of another", "offset outside", "size", "crc", "count", "directory outside", "name outside"),
    *("twice", "encrypted", "link", "local header", "cut"),
)


@pytest.mark.parametrize("kind", LIES)
def test_a_directory_that_lies_publishes_nothing_and_costs_little(kind: str, tmp_path: Path) -> None:
    with Place(tmp_path, Thing(lying(kind))) as place:
        report = place.bring(ONE)
        assert report.exit_code == 5, report.problems
        assert place.files() == {}
        assert place.answer.sent < 6 * 70_000
        outside = [path for path in tmp_path.rglob("*") if path.is_file() and path.name == "x"]
        assert outside == []


# --- Zips of every make -----------------------------------------------------------------------------------------------


METHODS = {"zip64": zipfile.ZIP_STORED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def make(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "prepended":
        out.write(b"#!/bin/sh\nexit\n" * 500)
    method = METHODS.get(kind, zipfile.ZIP_DEFLATED)
    target = Unseekable(out) if kind == "descriptors" else out
    with zipfile.ZipFile(target, "w", method) as file:  # type: ignore[arg-type]
        for path, data in TREE.items():
            info = zipfile.ZipInfo(path, (2024, 12, 1, 0, 0, 0))
            info.compress_type = method
            if kind == "long extras":
                info.extra = struct.pack("<HH", 0x7777, 3000) + bytes(3000)
            with file.open(info, "w", force_zip64=kind == "zip64") as member:
                member.write(data)
        if kind == "comment":
            file.comment = b"made by hand " * 1000
    if kind == "zip64":
        return as_zip64(out.getvalue())
    return out.getvalue()


class Unseekable(io.RawIOBase):
    """Makes zipfile write its sizes behind each member."""

    def __init__(self, out: io.BytesIO) -> None:
        self.out = out

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self.out.write(data)  # type: ignore[arg-type]


def as_zip64(data: bytes) -> bytes:
    """With the end records of a zip of more than 65,535 members."""
    at = data.rindex(b"PK\x05\x06")
    _, _, _, _, count, size, offset, _ = struct.unpack("<IHHHHIIH", data[at:])
    wide = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, at, 1)
    last = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:at] + wide + locator + last


# A member in LZMA ended a run as a bug: what comes from the wire is a view, not bytes.
@pytest.mark.parametrize(
    "kind", ["deflated", "bzip2", "lzma", "prepended", "descriptors", "zip64", "comment", "long extras"]
)
def test_zips_of_every_make_are_read_by_ranges(kind: str, tmp_path: Path) -> None:
    data = make(kind)
    with Place(tmp_path, Thing(data)) as place:
        report = place.bring(ONE)
        assert (report.exit_code, place.files()) == (0, CHOSEN), report.problems
        assert place.answer.sent < len(data) / 2
