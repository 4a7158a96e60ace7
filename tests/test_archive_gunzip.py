"""Gzip that arrives in shards: the same bytes as gzip's own, also from every mark that was left on the way."""

from __future__ import annotations

import gzip
import io
import random
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from datafetch.archive import borders
from datafetch.archive.arriving import Arriving
from datafetch.archive.borders import WINDOW, find_border, inflater
from datafetch.archive.crowd import Crowd
from datafetch.archive.gunzip import GzipStream, Mark
from datafetch.errors import DamagedArchive, Interrupted, UnsafeArchive
from datafetch.layout.names import meeting

NOISE = random.Random(3)
_BLOCKS = [bytes(NOISE.choices(range(256), range(256, 0, -1), k=3000)) for _ in range(60)]
PICTURES = b"".join(NOISE.randbytes(1000) + bytes(60) + NOISE.choice(_BLOCKS) for _ in range(700))
WORDS = b" ".join(NOISE.choice(_BLOCKS)[:7] for _ in range(500_000))


class Shards:
    """The bytes in so many files, handed out in order."""

    def __init__(self, folder: Path, data: bytes, count: int) -> None:
        size = -(-len(data) // count)
        self.paths = [folder / f"{index:04d}" for index in range(count)]
        for index, path in enumerate(self.paths):
            path.write_bytes(data[index * size : (index + 1) * size])
        self.first = 0

    def take(self) -> Path | None:
        self.first += 1
        return self.paths[self.first - 1] if self.first <= len(self.paths) else None

    def free(self, count: int) -> None:
        raise AssertionError("reading frees nothing")


def read(stream: GzipStream, at: int) -> Iterator[bytes]:
    while data := stream.pread(70_001, at):
        yield data
        at += len(data)


def packed(form: str) -> tuple[bytes, bytes]:
    """What is packed, and how it is packed."""
    match form:
        case "fast" | "best":
            return PICTURES, gzip.compress(PICTURES, 1 if form == "fast" else 9)
        case "words":
            return WORDS, gzip.compress(WORDS)
        case "noise":
            data = NOISE.randbytes(4 << 20)
            return data, gzip.compress(data)
        case "members":
            pieces = [PICTURES[at : at + 900_000] for at in range(0, len(PICTURES), 900_000)]
            return PICTURES, b"".join(map(gzip.compress, pieces))
        case "header":
            plain = zlib.compressobj(6, zlib.DEFLATED, -15)
            head = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x03\x00abc" + b"name\0" + b"comment\0" + b"\0\0"
            body = plain.compress(PICTURES) + plain.flush()
            end = zlib.crc32(PICTURES).to_bytes(4, "little") + len(PICTURES).to_bytes(4, "little")
            return PICTURES, head + body + end + bytes(700)
    raise AssertionError(form)


@pytest.mark.parametrize("count", [1, 12, 40])
@pytest.mark.parametrize("form", ["fast", "best", "words", "noise", "members", "header"])
def test_reading_goes_on_from_every_mark(tmp_path: Path, form: str, count: int) -> None:
    data, archive = packed(form)
    assert gzip.GzipFile(fileobj=io.BytesIO(archive)).read() == data
    shards = Shards(tmp_path, archive, count)
    stream = GzipStream(Arriving(shards, 0, 0))
    marks: list[Mark] = []
    at = 0
    for piece in read(stream, 0):
        assert piece == data[at : at + len(piece)]
        at += len(piece)
        if stream.mark is not None and stream.mark not in marks[-1:]:
            marks.append(stream.mark)
    assert at == len(data)
    if count == 12:  # a few of shards so small may end without a border near
        assert len({mark.shards for mark in marks}) >= 9
    for mark in marks[:: max(1, len(marks) // 3)]:
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(mark), type=Mark)
        shards.first = again.shards
        stream = GzipStream(Arriving(shards, again.shards, again.size), again)
        assert b"".join(read(stream, again.out)) == data[again.out :]
        assert len(again.tail) <= 256 << 10


@pytest.mark.parametrize("bit", range(1, 8))
def test_filler_is_empty_and_ends_at_its_bit(bit: int) -> None:
    filler, length = borders._filler(bit)
    assert length % 8 == bit
    stream = inflater()
    assert stream.decompress(filler.to_bytes(length // 8 + 1, "little")) == b""
    assert not stream.eof


def test_a_border_is_found_at_every_bit_of_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    real = borders._aligned

    def aligned(data: bytes, byte: int, bit: int) -> bytes:
        seen.add(bit)
        return real(data, byte, bit)

    monkeypatch.setattr(borders, "_aligned", aligned)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = packer.compress(PICTURES) + packer.flush()
    for start in range(1000, len(data) - 100_000, 25_000):
        before = inflater()
        out = before.decompress(data[:start])
        found = find_border(before, out[-WINDOW:], data[start : start + 100_000])
        assert found is not None
        after = inflater(found.window).decompress(found.data)
        at = len(out) + len(found.between)
        assert after == PICTURES[at : at + len(after)]
    assert seen >= set(range(8))


@pytest.mark.parametrize("at", [3, 5000, -5, -1])
def test_a_flipped_byte_or_a_missing_end_is_damage(tmp_path: Path, at: int) -> None:
    archive = bytearray(gzip.compress(PICTURES[:300_000], mtime=0))
    cut = Shards(tmp_path, bytes(archive[:at]), 3)
    archive[at] ^= 0xFF
    for shards in (cut, Shards(tmp_path, bytes(archive), 3)):
        with pytest.raises(DamagedArchive):
            list(read(GzipStream(Arriving(shards, 0, 0)), 0))


def test_bytes_behind_the_end_are_damage(tmp_path: Path) -> None:
    shards = Shards(tmp_path, gzip.compress(PICTURES[:1000]) + b"more" * 9, 2)
    with pytest.raises(DamagedArchive, match="bytes follow"):
        list(read(GzipStream(Arriving(shards, 0, 0)), 0))


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        (["a/b", "a/c"], []),
        (["a/b", "a/b"], []),
        (["a/b", "a/B"], []),
        (["a/b", "A/c"], []),
        (["a/b", "a"], []),
        (["a/b"], ["A"]),
        (["a/b"], ["a", "a/b"]),
        (["\u00e9"], ["e\u0301"]),
        (["a/b", "a/d"], ["a", "a/c"]),
    ],
)
def test_a_crowd_says_of_names_what_layout_says(files: list[str], folders: list[str]) -> None:
    crowd = Crowd()
    for folder in folders:
        crowd.add_folder(folder)
    for file in files:
        crowd.add(file)
    assert (crowd.meeting(lambda: files) is None) == (meeting(files, folders) is None)


EMPTY = gzip.compress(b"", mtime=0)


def test_empty_members_are_read_as_gzip_does_and_refused_when_they_have_no_end(tmp_path: Path) -> None:
    few = EMPTY * 900 + gzip.compress(b"a") + EMPTY * 900 + gzip.compress(b"b") + bytes(700)
    assert b"".join(read(GzipStream(Arriving(Shards(tmp_path, few, 3), 0, 0)), 0)) == b"ab"
    with pytest.raises(UnsafeArchive, match="hold nothing"):
        list(read(GzipStream(Arriving(Shards(tmp_path, EMPTY * 1100, 3), 0, 0)), 0))


# 40 MB of them took minutes: all that had arrived was copied for each header.
def test_many_short_members_take_as_long_as_they_are_many(tmp_path: Path) -> None:
    one = gzip.compress(b"x", mtime=0)
    began = time.process_time()
    assert b"".join(read(GzipStream(Arriving(Shards(tmp_path, one * 100_000, 2), 0, 0)), 0)) == b"x" * 100_000
    assert time.process_time() - began < 20


def test_a_stop_is_heard_when_nothing_comes_of_what_is_read(tmp_path: Path) -> None:
    asked = iter([False, False, True])
    shards = Arriving(Shards(tmp_path, one_long_header(), 4), 0, 0, lambda: next(asked))
    with pytest.raises(Interrupted):
        GzipStream(shards).pread(1, 0)


def one_long_header() -> bytes:
    """Deflate blocks that hold nothing, for ever."""
    return b"\x1f\x8b\x08\x00" + bytes(6) + b"\x00\x00\x00\xff\xff" * 500_000


@pytest.mark.parametrize("length", [(64 << 10) - 1, 64 << 10, 300 << 10])
def test_a_name_without_end_is_damage(length: int, tmp_path: Path) -> None:
    head = b"\x1f\x8b\x08\x08" + bytes(6)
    archive = head + b"n" * length + b"\0" + gzip.compress(b"data")[10:]
    stream = GzipStream(Arriving(Shards(tmp_path, archive, 5), 0, 0))
    if length < 64 << 10:
        assert stream.pread(9, 0) == b"data"
    else:
        with pytest.raises(DamagedArchive, match="has no end"):
            stream.pread(9, 0)


def test_a_stream_full_of_false_borders_is_not_searched_for_ever() -> None:
    """A stored block whose bytes look like headers of blocks, each of which goes on to the end before it fails."""
    false = b"\0\0\xff\xff" + b"\0" * 5 + b"\xff\xff" + bytes(5)
    inside = (false * 5000)[:65_000]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    behind = packer.compress(bytes(30 << 20)) + packer.flush()
    before = inflater()
    before.decompress(b"\0" + (65_000).to_bytes(2, "little") + (65_000 ^ 0xFFFF).to_bytes(2, "little"))
    began = time.process_time()
    find_border(before, b"", inside + behind)
    assert time.process_time() - began < 20
