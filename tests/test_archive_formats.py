"""What other tools pack, we read: the same names, the same bytes, whatever the form."""

from __future__ import annotations

import hashlib
import io
import lzma
import struct
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import archives
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datafetch.archive import inflate
from datafetch.archive.join import ShardsReader, digests_of
from datafetch.archive.members import CHUNK, Archive, safe_name
from datafetch.archive.open import open_archive
from datafetch.errors import DamagedArchive, UnsafeArchive

NAMES = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="/\\\0:"), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=3000), min_size=1, max_size=8
)


def read_all(archive: Archive) -> dict[str, bytes]:
    return {m.name: b"".join(archive.read(m)) for m in archive.members if not m.is_dir}


def opened(tmp: Path, data: bytes) -> Archive:
    path = tmp / f"{hashlib.sha256(data).hexdigest()}.bin"  # a name that says nothing
    path.write_bytes(data)
    return open_archive(path)


@pytest.fixture(scope="module")
def tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


TREE = {**archives.real_set("dogs"), **archives.synthetic_set("dogs"), "dogs/empty.txt": b"", **archives.JUNK}


@pytest.mark.parametrize("folders", [False, True])
@pytest.mark.parametrize("deflate", [False, True])
def test_zip_of_upstreams_shape(tmp: Path, deflate: bool, folders: bool) -> None:
    data = archives.zip_of(TREE, deflate=deflate, folders=folders)
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    with opened(tmp, data) as archive:
        assert read_all(archive) == TREE
        assert {m.name + "/" for m in archive.members if m.is_dir} == set(
            archives.folders_of(TREE) if folders else ()
        )


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
def test_tar_of_upstreams_shape(tmp: Path, mode: str, form: int) -> None:
    data = archives.tar_of(TREE, mode, folders=True, form=form)
    with opened(tmp, data) as archive:
        assert read_all(archive) == TREE
        assert {m.name: b"".join(archive.read(m)) for m in reversed(archive.members) if not m.is_dir} == TREE


# It was called damaged, and fetched once more.
@pytest.mark.parametrize("form", ["zstd", "xz"])
def test_a_stream_that_wants_too_much_memory_is_refused_and_not_called_damaged(tmp: Path, form: str) -> None:
    if form == "zstd":  # a frame without a size, whose window is 2 GiB; in it one raw block
        data = b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + (1 | 600 << 3).to_bytes(3, "little") + bytes(600)
    else:
        packer = lzma.LZMACompressor(lzma.FORMAT_XZ, preset=0)
        packed = bytearray(packer.compress(bytes(600)) + packer.flush())
        packed[16] = 34  # the dictionary of its one block: 512 MiB
        packed[20:24] = zlib.crc32(packed[12:20]).to_bytes(4, "little")
        data = bytes(packed)
    with pytest.raises(UnsafeArchive, match="more memory than") as refusal:
        opened(tmp, data)
    assert not isinstance(refusal.value, DamagedArchive)


# pzstd begins with one: "it is not an archive" was said.
def test_a_zstd_that_begins_with_a_frame_without_data_is_read(tmp: Path) -> None:
    frame = struct.pack("<II", 0x184D2A50, 4) + b"size"
    plain = archives.tar_of(TREE)
    data = b"".join(frame + inflate.zstd.compress(half) for half in (plain[:5000], plain[5000:]))
    with opened(tmp, data) as archive:
        assert archive.kind == "tar, zstd"
        assert read_all(archive) == TREE


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * CHUNK + 1])
def test_rare_methods_of_zip(tmp: Path, method: int, size: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        file.writestr("a.bin", bytes(range(256)) * (size // 256) + bytes(size % 256))
    with opened(tmp, out.getvalue()) as archive, zipfile.ZipFile(out) as file:
        assert read_all(archive) == {"a.bin": file.read("a.bin")}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_methods_of_zip_with_a_flipped_bit_are_refused(tmp: Path, method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        file.writestr("a.bin", bytes(range(256)) * 300)
    data = bytearray(out.getvalue())
    data[80] ^= 4
    with opened(tmp, bytes(data)) as archive, pytest.raises(UnsafeArchive):
        read_all(archive)


# Such a member was said to hold more than it announces: without the mark a decoder goes on into what pads the end.
def test_an_lzma_member_without_an_end_mark_ends_where_its_size_says(tmp: Path) -> None:
    body, packed = b"no end mark, " * 20, bytes.fromhex("00371bc005522dddeb809d79299fe754bb6b85c000")
    data = b"\x09\x14\x05\x00\x5d\x00\x00\x01\x00" + packed
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", data)
        (info,) = file.infolist()
        info.compress_type, info.file_size, info.CRC = zipfile.ZIP_LZMA, len(body), zlib.crc32(body)
    written = bytearray(out.getvalue())
    written[8:10], written[14:18] = struct.pack("<H", zipfile.ZIP_LZMA), struct.pack("<I", zlib.crc32(body))
    written[22:26] = struct.pack("<I", len(body))
    with opened(tmp, bytes(written)) as archive:
        assert read_all(archive) == {"a.txt": body}


# Readers that stop at the NUL and those that do not would cut the rest of the tar at different places.
def test_a_size_with_digits_behind_a_nul_is_refused(tmp: Path) -> None:
    data = bytearray(archives.tar_of({"a.bin": b"x" * 14}))
    data[124:136] = b"\0" * 7 + b"0016\0"
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    with pytest.raises(UnsafeArchive, match="a size in a tar header"):
        opened(tmp, bytes(data))


@pytest.mark.parametrize("deflate", [False, True])
def test_large_member_comes_in_pieces(tmp: Path, deflate: bool) -> None:
    body = b"".join(hashlib.sha256(b"%d" % k).digest() for k in range(100_000))
    with opened(tmp, archives.zip_of({"a.bin": body}, deflate=deflate)) as archive:
        pieces = list(archive.read(archive.members[0]))
    assert b"".join(pieces) == body
    assert len(pieces) > 3
    assert max(map(len, pieces)) <= CHUNK


@settings(max_examples=60, deadline=None)
@given(tree=TREES, deflate=st.booleans())
def test_we_read_what_zipfile_writes(tmp: Path, tree: dict[str, bytes], deflate: bool) -> None:
    data = archives.zip_of(tree, deflate=deflate)
    judge_or_refuse(tmp, data, tree)


@settings(max_examples=60, deadline=None)
@given(tree=TREES, mode=st.sampled_from(["w", "w:gz"]), form=st.sampled_from([0, 1, 2]))
def test_we_read_what_tarfile_writes(tmp: Path, tree: dict[str, bytes], mode: str, form: int) -> None:
    try:
        data = archives.tar_of(tree, mode, form=form)
    except ValueError:  # ustar holds no long or odd names
        return
    judge_or_refuse(tmp, data, tree)


def judge_or_refuse(tmp: Path, data: bytes, tree: dict[str, bytes]) -> None:
    """All of it, or a refusal because two names meet; nothing in between."""
    try:
        with opened(tmp, data) as archive:
            assert read_all(archive) == tree
    except UnsafeArchive as error:
        assert "have one name" in str(error)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_flipped_bit_never_gives_other_bytes(tmp: Path, data: st.DataObject) -> None:
    tree = {"train/a/0.jpg": b"abc" * 50, "train/a/1.jpg": b"xyz" * 50}
    sound = archives.zip_of(tree, deflate=data.draw(st.booleans()))
    at = data.draw(st.integers(0, len(sound) - 1))
    damaged = bytearray(sound)
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        with opened(tmp, bytes(damaged)) as archive:
            assert set(read_all(archive).values()) <= set(tree.values())
    except UnsafeArchive:
        pass


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["w", "w:gz"]), st.integers(1, 3000))
def test_a_tar_cut_anywhere_is_refused(tmp: Path, mode: str, cut: int) -> None:
    tree = {"train/a/0.jpg": b"abc" * 50, "train/a/1.jpg": bytes(range(256)) * 9}
    sound = archives.tar_of(tree, mode)
    # The last 10 kB of a plain tar are padding after the end mark; cutting those loses nothing.
    short = sound[: max(0, len(sound.rstrip(b"\0") if mode == "w" else sound) - cut)]
    with pytest.raises(UnsafeArchive):
        opened(tmp, short).close()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_garbage_is_refused_in_one_line(tmp: Path, data: bytes) -> None:
    with pytest.raises(UnsafeArchive) as refusal:
        opened(tmp, data).close()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><title>Quota exceeded", "web page"),
        (b"\xef\xbb\xbf \n<html>", "web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
        (b'{"error": "gone"}', "JSON"),
        (bytes(300), "zeros"),
        (b"Rar!\x1a\7\0", "RAR"),
        (b"\xff\xd8\xff\xe0JFIF", "JPEG"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"PK\7\x08PK\3\4", "split zip"),
        (b"LZIP\1", "lzip"),
        (b"no idea what this is", "no idea"),
    ],
)
def test_what_is_no_archive_is_called_by_what_it_is(tmp: Path, data: bytes, words: str) -> None:
    with pytest.raises(UnsafeArchive, match=words):
        opened(tmp, data)


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("count", [1, 2, 12])
def test_shards_are_read_without_joining(tmp_path: Path, form: str, count: int) -> None:
    tree = {**archives.real_set(), "big.bin": bytes(range(256)) * 9000}
    data = archives.zip_of(tree) if form == "zip" else archives.tar_of(tree, "w" if form == "tar" else "w:gz")
    paths = write_shards(tmp_path, data, count)
    with open_archive(paths) as archive:
        assert read_all(archive) == tree


@given(data=st.binary(min_size=1, max_size=300), count=st.integers(1, 12))
def test_join_of_split_is_the_same(tmp_path_factory: pytest.TempPathFactory, data: bytes, count: int) -> None:
    tmp = tmp_path_factory.mktemp("join")
    paths = write_shards(tmp, data, count)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert digests_of(paths, ["md5"]) == (len(data), {"sha256": hashlib.sha256(data).hexdigest(), "md5": md5})
    with ShardsReader(paths) as reader:
        assert reader.read() == data
        for offset in range(0, len(data), 7):
            assert reader.pread(11, offset) == data[offset : offset + 11]


def write_shards(tmp: Path, data: bytes, count: int) -> list[Path]:
    paths = []
    for index, shard in enumerate(archives.split(data, count)):
        paths.append(tmp / f"shard.a{chr(97 + index)}")
        paths[-1].write_bytes(shard)
    return paths


def test_empty_shards_do_no_harm(tmp_path: Path) -> None:
    for name, data in (("a", b"12"), ("b", b""), ("c", b"3")):
        (tmp_path / name).write_bytes(data)
    with ShardsReader([tmp_path / name for name in "abc"]) as reader:
        assert (reader.pread(9, 0), reader.pread(9, 1), reader.pread(9, 2), reader.pread(9, 3)) == (
            b"123",
            b"23",
            b"3",
            b"",
        )


def test_a_missing_shard_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(FileNotFoundError):
        ShardsReader([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize("form", ["zip", "deflated zip", "tar.gz"])
def test_memory_stays_flat(tmp: Path, form: str) -> None:
    tree = {"big.bin": bytes(range(256)) * (32 << 12)}  # 32 MiB
    data = archives.tar_of(tree, "w:gz") if form == "tar.gz" else archives.zip_of(tree, deflate=form != "zip")
    path = tmp / "big"
    path.write_bytes(data)
    del data
    tracemalloc.start()
    with open_archive(path) as archive:
        for member in archive.members:
            for _ in archive.read(member):
                pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20  # pieces that wait to be read among them


@pytest.fixture
def without_isal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine where isal is not installed."""
    monkeypatch.setitem(sys.modules, "isal", None)
    monkeypatch.setitem(sys.modules, "isal.igzip", None)
    monkeypatch.setattr(inflate, "fast", inflate.zlib)
    yield


@pytest.mark.usefixtures("without_isal")
@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_bytes_are_the_same_without_isal(tmp: Path, form: str) -> None:
    tree = {**archives.real_set(), "big.bin": bytes(range(256)) * 9000}
    data = archives.zip_of(tree, deflate=True) if form == "zip" else archives.tar_of(tree, "w:gz")
    with opened(tmp, data) as archive:
        assert read_all(archive) == tree


@given(st.lists(NAMES, min_size=1, max_size=5).map("/".join))
def test_a_safe_name_is_kept_as_it_is(name: str) -> None:
    try:
        assert safe_name(name) == name
    except UnsafeArchive as error:
        assert "longer" in str(error)


@given(st.text(max_size=30))
def test_a_name_that_passes_stays_below_its_folder(name: str) -> None:
    try:
        path = safe_name(name)
    except (UnsafeArchive, UnicodeEncodeError):
        return
    parts = path.split("/")
    assert path == "" or not {"", ".", ".."} & set(parts)
    assert "\\" not in path
    assert "\0" not in path
