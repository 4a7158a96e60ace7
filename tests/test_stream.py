"""--stream: archives become trees while they arrive; no archive on disk, nothing published before it is proven."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import random
import signal
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest
from archives import zip_of
from hypothesis import given
from hypothesis import strategies as st
from process import datafetch_, start
from server import Answer, Exchange, Ignoring, Thing, corrupt
from shapes import Place
from test_cli_tree import scaffolding
from test_relay import Sampler

from datafetch.archive.central import Held, Tie, listed
from datafetch.archive.flow import Flow, PlainFlow
from datafetch.archive.hands import Hand
from datafetch.errors import DamagedArchive
from datafetch.obtain.wire import cut_of
from datafetch.store.files import Tree

SEED = int(os.environ.get("CRASH_SEED", "2026"))
FORMS = ("real.zip", "real.tar.gz", "real.tar")
EVERY = (*FORMS, "real.tar.bz2", "real.tar.xz")


@cache
def tree(count: int, size: int) -> Mapping[str, bytes]:
    chance = random.Random(count)
    found = {"shapes/info.json": b'{"classes": 20}'}
    for k in range(count):
        found[f"shapes/train/class_{k % 20:02}/{k}.jpg"] = chance.randbytes(size)
    return found


SMALL = tree(120, 4_000)
LARGE = tree(600, 100_000)  # 60 MB: seven marks
MEDIUM = tree(240, 100_000)  # 24 MB: two


@cache
def packed(name: str, count: int, size: int) -> bytes:
    members = tree(count, size)
    if name.endswith(".zip"):
        return zip_of(dict(members), deflate=False)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gz": lambda data: gzip.compress(data, 1),
        "bz2": bz2.compress,
        "xz": lambda data: lzma.compress(data, preset=0),
    }
    return pack.get(name.rpartition(".")[2], bytes)(out.getvalue())


def small(name: str) -> bytes:
    return packed(name, 120, 4_000)


def medium(name: str) -> bytes:
    return packed(name, 240, 100_000)


def large(name: str) -> bytes:
    return packed(name, 600, 100_000)


def wanted(members: Mapping[str, bytes]) -> dict[str, bytes]:
    return dict(members)


def known(data: bytes, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, data).hexdigest()
    return f"[{{{algorithm}: {digest}, source: here}}]"


class Slow:
    """The answer in pieces with a moment between them, and how much of it was sent."""

    def __init__(self, data: bytes) -> None:
        self._thing = Thing(data)
        self.sent = 0
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        code, body, headers = self._thing.rest(exchange.seen)
        exchange.head(code, headers)
        for at in range(0, len(body), 256 << 10):
            piece = body[at : at + (256 << 10)]
            exchange.raw(piece)
            with self._lock:
                self.sent += len(piece)
            time.sleep(0.03)


class Switch:
    """One answer for the first bytes of the body, another for requests after them."""

    def __init__(self, first: Answer, times: int, then: Answer) -> None:
        self.first, self.left, self.then = first, times, then
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            self.left -= 1
            now = self.first if self.left >= 0 else self.then
        now(exchange)


# --- It comes out right, by one look at each byte ------------------------------------------------------------------


@pytest.mark.parametrize("checked", [False, True], ids=["unknown", "checksum"])
@pytest.mark.parametrize("name", EVERY)
def test_an_archive_becomes_its_tree_and_was_never_on_disk(name: str, checked: bool, tmp_path: Path) -> None:
    data = small(name)
    checksums = known(data) if checked else "unknown"
    with Place(tmp_path, Thing(data), name=name, checksums=checksums) as place:
        report = place.bring(stream=True)
        assert (report.exit_code, place.files()) == (0, wanted(SMALL)), report.problems
        assert not [note for note in report.notes if "whole" in note or "applicable" in note]
        assert scaffolding(place.root, "shapes") == []
        assert report.transferred < len(data) + 70_000
        assert place.bring(stream=True).transferred == 0


@pytest.mark.parametrize("name", ["real.zip", "real.tar.gz"])
def test_disk_holds_the_result_and_five_per_cent_at_most_and_memory_little(name: str, tmp_path: Path) -> None:
    data, most = large(name), 0
    checksums = "unknown" if name == "real.zip" else known(data)  # without one, processes share the members
    with Place(tmp_path, Thing(data), name=name, checksums=checksums) as place:
        sampler = Sampler(place.root)
        sampler.start()
        args = place.command("get", "--allow-private", "--json", "--stream", "--limit-rate", "40M")
        with start(args, tmp_path) as process:
            assert process.stderr is not None and process.stdout is not None
            for _ in process.stderr:
                most = max(most, high_water(process.pid))
            peak = json.loads(process.stdout.read())["bytes"]["peak"]
        sampler.stop.set()
        sampler.join()
        assert place.files() == wanted(LARGE)
    result = sum(-(-len(data) // 4096) * 4096 for data in LARGE.values())
    assert result < sampler.peak <= 1.05 * result
    assert peak <= 1.05 * result
    assert 0 < most <= 150_000_000


def high_water(pid: int) -> int:
    """The most memory that a process has had so far; not its rusage, which tells of us before it was itself."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


# --- Killed ---------------------------------------------------------------------------------------------------------


def killed(place: Place, is_time: Callable[[], bool]) -> None:
    """A run that is killed in the midst, as soon as it is time."""
    with start(place.command("get", "--allow-private", "--json", "--stream"), place.folder) as process:
        while not is_time() and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None, "it was too fast to be killed"
        process.kill()


@pytest.mark.parametrize("name", FORMS)
def test_killed_it_goes_on_and_fetches_little_twice(name: str, tmp_path: Path) -> None:
    data = medium(name)
    chance = random.Random(f"{SEED} {name}")
    server = Slow(data)
    with Place(tmp_path, server, name=name) as place:
        for _ in range(2):
            until = server.sent + chance.randrange(2, 10) * 10**6
            killed(place, lambda until=until: server.sent >= until)  # type: ignore[misc]
            assert place.files() == {}
        assert scaffolding(place.root, "shapes") != []
        before = server.sent
        place.get("--stream")
        assert place.files() == wanted(MEDIUM)
        assert scaffolding(place.root, "shapes") == []
        assert server.sent - before <= len(data) + (2 << 20)  # some of it still to those that were killed
        # What was ahead of the reader, once for each life, and what came after the last mark.
        assert server.sent <= len(data) + 2 * (cut_of(len(data)) + (17 << 20))


def is_kept(place: Place) -> bool:
    """Whether a run has got to where a later one goes on: some members of a zip, the first mark of a tar."""
    state = place.root / ".datafetch/shapes"
    mark = state / "archives/real.shards/.place"
    return mark.exists() or (
        place.url.endswith(".zip") and sum(1 for _ in state.glob("staging/real/**/*.jpg")) > 90
    )


@pytest.mark.parametrize("name", FORMS)
def test_what_came_before_the_last_mark_is_not_asked_for_again(name: str, tmp_path: Path) -> None:
    server = Slow(medium(name))
    with Place(tmp_path, server, name=name) as place:
        killed(place, lambda: is_kept(place))
        before = server.sent
        place.get("--stream")
        assert place.files() == wanted(MEDIUM)
        assert server.sent - before < len(medium(name)) - 7_000_000


@pytest.mark.parametrize("name", FORMS)
def test_a_checksum_that_was_not_seen_whole_is_said_not_to_apply(name: str, tmp_path: Path) -> None:
    data = medium(name)
    server = Slow(data)
    with Place(tmp_path, server, name=name, checksums=known(data)) as place:
        killed(place, lambda: is_kept(place) or (server.sent > 21_000_000 and name == "real.tar"))
        ended = place.get("--stream")
        assert place.files() == wanted(MEDIUM)
        told = "sha256 is not applicable: it was resumed in the middle" in ended.err
        assert told is (name != "real.tar")  # no CRC proves a plain tar: it was begun anew, and hashed
        assert (ended.report["bytes"]["transferred"] >= len(data)) is (name == "real.tar")


# --- Nothing is published that is not proven -------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_wrong_checksum_publishes_nothing(name: str, tmp_path: Path) -> None:
    with Place(tmp_path, Thing(small(name)), name=name, checksums=known(b"another")) as place:
        ended = place.get("--stream", code=5)
        assert place.files() == {}
        assert ended.report["problems"][0]["why"] == "checksum"
        assert not list((place.root / ".datafetch/shapes/staging").glob("*"))


@pytest.mark.parametrize("name", ["real.zip", "real.tar.gz", "real.tar.xz"])
def test_a_damaged_archive_publishes_nothing(name: str, tmp_path: Path) -> None:
    with Place(tmp_path, corrupt(Thing(small(name))), name=name) as place:
        place.get("--stream", code=5)
        assert place.files() == {}


def test_a_member_that_comes_damaged_once_is_asked_for_alone(tmp_path: Path) -> None:
    thing = Thing(small("real.zip"))
    answer = Switch(thing, 1, Switch(corrupt(thing), 1, thing))
    with Place(tmp_path, answer, checksums=known(thing.data)) as place:
        report = place.bring(stream=True)
        assert (report.exit_code, place.files()) == (0, wanted(SMALL))
        assert any("a member came damaged and was asked for again" in note for note in report.notes)
        assert report.transferred < len(thing.data) + 100_000


@pytest.mark.parametrize("name", ["real.zip", "real.tar.gz", "real.tar"])
def test_a_truncated_archive_publishes_nothing(name: str, tmp_path: Path) -> None:
    with Place(tmp_path, Thing(small(name)[: len(small(name)) * 2 // 3]), name=name) as place:
        place.get("--stream", code=5)
        assert place.files() == {}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_that_changes_midway_is_never_mixed(name: str, tmp_path: Path) -> None:
    old, new = medium(name), packed(name, 241, 100_000)
    with Place(tmp_path, Switch(Thing(old), 3, Thing(new)), name=name) as place:
        place.get("--stream")
        assert place.files() == wanted(tree(241, 100_000))


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("times", [0, 3], ids=["never", "no longer"])
def test_without_ranges_the_whole_is_fetched_and_one_line_says_why(
    name: str, times: int, tmp_path: Path
) -> None:
    thing = Thing(medium(name))
    with Place(tmp_path, Switch(thing, times, Ignoring(thing)), name=name) as place:
        ended = place.get("--stream")
        assert place.files() == wanted(MEDIUM)
        notes = [line for line in ended.err.splitlines() if "is fetched whole" in line]
        assert len(notes) == 1 and "the server ignores ranges" in notes[0]
        assert scaffolding(place.root, "shapes") == []


# --- What cannot be streamed, and what leads astray ------------------------------------------------------------------


def test_names_that_mislead_make_it_fetch_the_whole(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in ("stray/train/a/0.jpg", *SMALL):
            data = SMALL.get(path, b"astray")
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with Place(tmp_path, Thing(out.getvalue()), name="real.tar") as place:
        streamed = place.bring(stream=True)
        assert any("mislead about where its files go" in note for note in streamed.notes)
        assert place.files() == wanted(SMALL)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--names", "sequential"), "the names of a tar are numbered once all are known"),
        (("--max-per-class", "2"), "shows once all its names are known"),
    ],
)
def test_a_tar_whose_names_count_together_is_fetched_whole(
    more: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    with Place(tmp_path, Thing(small("real.tar.gz")), name="real.tar.gz") as place:
        assert reason in place.get("--stream", *more).err


def test_a_part_that_is_here_is_not_thrown_away(tmp_path: Path) -> None:
    with Place(tmp_path, Slow(medium("real.zip"))) as place:
        with start(place.command("get", "--allow-private", "--json"), tmp_path) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if '"kind":"progress"' in line and '"done":0,' not in line:
                    break
            process.kill()
            process.stderr.read()
        ended = place.get("--stream")
        assert "is fetched whole: a part of it is here already" in ended.err
        assert place.files() == wanted(MEDIUM)


def test_there_is_no_archive_to_keep(tmp_path: Path) -> None:
    with Place(tmp_path, Thing(small("real.zip"))) as place:
        ended = place.get("--stream", "--keep-archives", code=2)
        assert "hint: give either" in ended.err


def test_the_plan_counts_no_archive(tmp_path: Path) -> None:
    with Place(tmp_path, Thing(small("real.tar")), name="real.tar") as place:
        said = datafetch_(*place.command("plan", "--stream"), cwd=tmp_path)
        assert "no archive on disk" in said.out


# --- Processes that unpack what they are given -----------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["none", "dead", "damaged"])
def test_a_hand_unpacks_what_it_is_given(fault: str, tmp_path: Path) -> None:
    data = bytearray(small("real.zip"))
    directory = listed(Held(len(data), ((0, bytes(data)),)), Tie())
    work = [(member, member.name) for member in directory.members]
    if fault == "damaged":
        data[work[3][0].offset + 200] ^= 1
    with Hand(tmp_path) as hand, Tree(tmp_path) as tree_here:
        for half in (work[:60], work[60:]):
            if fault == "dead":
                assert hand._child is not None
                os.kill(hand._child.pid, signal.SIGKILL)
                hand._child.wait()
            start_at = half[0][0].offset
            done = hand.unpack(tree_here, [memoryview(data)[start_at:]], start_at, half)
            for (member, _), found in zip(half, done, strict=True):
                if fault == "damaged" and member is work[3][0]:
                    assert isinstance(found, DamagedArchive)
                    assert not (tmp_path / member.name).exists()
                else:
                    digest = hashlib.sha256(SMALL[member.name]).hexdigest()
                    assert found == (len(SMALL[member.name]), digest)
                    assert (tmp_path / member.name).read_bytes() == SMALL[member.name]
            if fault == "dead":
                break


# --- Pure parts ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 1 << 45))
def test_marks_are_few_and_on_whole_blocks(total: int) -> None:
    assert cut_of(total) % 512 == 0
    assert -(-total // cut_of(total)) <= 64


@given(
    data=st.binary(min_size=1, max_size=600),
    cut=st.integers(1, 90),
    chunk=st.integers(1, 100),
    steps=st.lists(st.integers(0, 120), max_size=12),
    resume=st.booleans(),
)
def test_a_plain_flow_gives_the_bytes_of_the_body(
    data: bytes, cut: int, chunk: int, steps: list[int], resume: bool
) -> None:
    def flow(first: int) -> Flow:
        rest = memoryview(data)[first * cut :]
        chunks = iter([rest[at : at + chunk] for at in range(0, len(rest), chunk)])
        return Flow(chunks, first, cut, len(data), lambda: False)

    stream, at = PlainFlow(flow(0), None), 0
    for step in steps:
        assert stream.pread(step + 1, at) == data[at : at + step + 1]
        at += step
        if resume and stream.mark is not None and stream.mark.size <= at:
            stream = PlainFlow(flow(stream.mark.shards), stream.mark)
