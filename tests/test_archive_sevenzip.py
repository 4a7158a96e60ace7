"""7z and single packed files: what is unpacked, and what is refused in one line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from datafetch.archive.members import Limits
from datafetch.archive.open import open_archive
from datafetch.errors import DamagedArchive, UnsafeArchive

needs_7z = pytest.mark.skipif(shutil.which("7z") is None, reason="7z is not installed")


def read(path: Path, name: str = "", limits: Limits = Limits()) -> dict[str, bytes]:  # noqa: B008 - frozen
    with open_archive(path, limits, name=name) as archive:
        return {m.name: b"".join(archive.read(m)) for m in archive.members if not m.is_dir}


def sevenzip(tmp: Path, *options: str) -> Path:
    (tmp / "many").mkdir(exist_ok=True)
    (tmp / "many" / "a.txt").write_bytes(b"text " * 900)
    (tmp / "many" / "b.bin").write_bytes(bytes(range(256)) * 40)
    subprocess.run(["7z", "a", "-bso0", *options, "x.7z", "many"], cwd=tmp, check=True)
    return tmp / "x.7z"


def with_true_checksums(data: bytearray) -> bytes:
    """The header's checksums made anew, so that what reads it is tried, and not only its CRC."""
    offset, size = struct.unpack_from("<QQ", data, 12)
    struct.pack_into("<I", data, 28, zlib.crc32(data[32 + offset : 32 + offset + size]))
    struct.pack_into("<I", data, 8, zlib.crc32(data[12:32]))
    return bytes(data)


@needs_7z
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-psecret",), "is encrypted"),
        (("-psecret", "-mhe=on"), "is encrypted"),
        (("-m0=PPMd",), "packed with ppmd, which is not supported"),
        (
            ("-mf=off", "-m0=BCJ2", "-m1=LZMA", "-m2=LZMA", "-m3=LZMA", "-mb0:1", "-mb0s1:2", "-mb0s2:3"),
            "BCJ2",
        ),
        (("-mf=off", "-m0=LZMA:d=512m"), ""),
    ],
)
def test_what_cannot_be_unpacked_is_said_before_anything_is(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    path = sevenzip(tmp_path, *options)
    if not words:  # a large dictionary for few bytes: no more memory is taken than they need
        assert len(read(path)) == 2
        return
    with pytest.raises(UnsafeArchive, match=words) as refusal:
        open_archive(path).close()
    assert not isinstance(refusal.value, DamagedArchive)


@needs_7z
def test_a_link_in_a_7z_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "link").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeArchive, match="symbolic link"):
        read(sevenzip(tmp_path, "-snl"))


@needs_7z
@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_name_that_leads_out_of_a_7z_refuses_it(tmp_path: Path, name: str) -> None:
    path = sevenzip(tmp_path, "-mhc=off")
    data = path.read_bytes()
    old = "many/a.txt"
    new = name.ljust(len(old), "x")[: len(old)]
    swapped = data.replace(old.encode("utf-16-le"), new.encode("utf-16-le"))
    assert swapped != data
    path.write_bytes(with_true_checksums(bytearray(swapped)))
    with pytest.raises(UnsafeArchive, match=r"is not safe"):
        read(path)


@needs_7z
def test_a_7z_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = sevenzip(tmp_path)
    with pytest.raises(UnsafeArchive, match="at most 5,000"):
        read(path, limits=Limits(total_bytes=5000))
    with pytest.raises(UnsafeArchive, match="at most 2"):
        read(path, limits=Limits(members=2))


def many_coders(*coders: tuple[bytes, bytes]) -> bytes:
    """A 7z of one file, packed with each of these (id, properties) in turn, that claims a gigabyte after each."""
    count, claim, name = len(coders), b"\xff" + struct.pack("<Q", 1 << 30), "a\0".encode("utf-16-le")
    header = bytearray(b"\1\4\6\0\1\x09\4\0\7\x0b\1\0") + bytes([count])
    for code, properties in coders:
        header += bytes([len(code) | 0x20]) + code + bytes([len(properties)]) + properties
    for k in range(count - 1):
        header += bytes([k, k + 1])  # the input of one is the output of the next
    header += b"\x0c" + claim * count + b"\0\0" + b"\5\1\x11" + bytes([1 + len(name), 0]) + name + b"\0\0"
    head = struct.pack("<6s2sIQQI", b"7z\xbc\xaf\x27\x1c", b"\0\4", 0, 4, len(header), 0)
    return with_true_checksums(bytearray(head + b"data" + header))


@pytest.mark.parametrize(
    ("coders", "needed"),
    [
        ([(b"\x21", b"\x1e")] * 8, 8 << 27),
        ([(b"\3\1\1", b"\x5d" + struct.pack("<I", 3 << 27))], 3 << 27),
        ([(b"\x04\xf7\x11\x01", b"\1")] * 3, 3 << 27),
    ],
    ids=["eight LZMA2", "one LZMA", "three zstd"],
)
def test_a_7z_that_needs_too_much_memory_is_refused_before_anything_is_written(
    tmp_path: Path, coders: list[tuple[bytes, bytes]], needed: int
) -> None:
    """Each coder was looked at alone, and only when its first byte was unpacked."""
    (tmp_path / "x.7z").write_bytes(many_coders(*coders))
    with pytest.raises(UnsafeArchive, match=f"needs {needed:,} bytes of memory"):
        open_archive(tmp_path / "x.7z")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    tmp = tmp_path_factory.mktemp("sound")
    made = []
    for options in (("-mhc=off", "-m0=LZMA"), ("-mhc=off", "-m0=LZMA2", "-ms=off"), ("-mx=1",)):
        made.append(sevenzip(tmp, *options).read_bytes())
        (tmp / "x.7z").unlink()
    return tmp, made


@needs_7z
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_7z_ends_in_one_line_and_never_in_other_bytes(
    sound: tuple[Path, list[bytes]], data: st.DataObject
) -> None:
    tmp, made = sound
    whole = data.draw(st.sampled_from(made))
    broken = bytearray(whole)
    if data.draw(st.booleans()):
        broken = broken[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        for at in data.draw(st.lists(st.integers(32, len(whole) - 1), min_size=1, max_size=3)):
            broken[at] ^= data.draw(st.integers(1, 255))
        broken = bytearray(with_true_checksums(broken))
    (tmp / "broken").write_bytes(broken)
    bodies = {b"text " * 900, bytes(range(256)) * 40}
    try:
        assert set(read(tmp / "broken").values()) <= {*bodies, b""}
    except UnsafeArchive as error:
        assert "\n" not in str(error)


# --- One file, packed ------------------------------------------------------------------------------------------------

BODY = b"caption " * 90_000
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}


@pytest.mark.parametrize("ending", PACK)
def test_a_single_packed_file_is_an_archive_of_that_file(tmp_path: Path, ending: str) -> None:
    (tmp_path / "x").write_bytes(PACK[ending](BODY) + PACK[ending](b"second stream"))
    assert read(tmp_path / "x", f"captions.json{ending}") == {"captions.json": BODY + b"second stream"}


def test_a_gzip_whose_address_says_nothing_is_called_as_its_header_says(tmp_path: Path) -> None:
    with gzip.GzipFile(tmp_path / "captions.json.gz", "wb") as file:
        file.write(BODY)
    assert read(tmp_path / "captions.json.gz", "download") == {"captions.json": BODY}


@pytest.mark.parametrize("ending", PACK)
def test_a_single_packed_file_that_is_cut_anywhere_is_damaged(tmp_path: Path, ending: str) -> None:
    whole = PACK[ending](BODY)
    for end in range(8, len(whole), max(1, len(whole) // 23)):
        (tmp_path / "x").write_bytes(whole[:end])
        with pytest.raises(DamagedArchive):
            read(tmp_path / "x")


@pytest.mark.parametrize("ending", PACK)
def test_a_bomb_of_one_file_is_refused_while_it_is_counted(tmp_path: Path, ending: str) -> None:
    (tmp_path / "x").write_bytes(PACK[ending](bytes(8 << 20)))
    with pytest.raises(UnsafeArchive, match="more than 250 times"):
        read(tmp_path / "x", limits=Limits(ratio_from=1 << 20))


def test_an_xz_that_asks_for_too_much_memory_is_refused(tmp_path: Path) -> None:
    stream = bytearray(lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]))
    at = stream.index(b"\x21\x01") + 2
    stream[at] = 37  # 1.5 GiB
    header = stream[12 : 12 + (stream[12] + 1) * 4 - 4]
    struct.pack_into("<I", stream, 12 + len(header), zlib.crc32(header))
    (tmp_path / "x").write_bytes(stream)
    with pytest.raises(UnsafeArchive, match=r"[Mm]emory"):
        read(tmp_path / "x")
