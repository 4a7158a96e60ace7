"""Hostile archives: what stands in the way, how such an archive is made, and the words of its refusal."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping

from archives import GOOD, Entry, pack, raw_zip


def overlapping_zip() -> bytes:
    """Two entries that quote each other's bytes, as the bomb of David Fifield does."""
    first = Entry(b"train/a/0.jpg", b"x" * 200)
    honest = raw_zip([first])
    inner = honest[: honest.index(b"PK\x01\x02")]
    return raw_zip([Entry(b"train/a/1.jpg", inner), Entry(b"train/a/0.jpg", b"x" * 200, offset=30 + 13)])


# What stands in the way -> (archive, words of the refusal). Each holds one good member as well.
HOSTILE_ZIPS: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "absolute path": (lambda: raw_zip([GOOD, Entry(b"/etc/evil")]), "absolute"),
    "parent folder": (lambda: raw_zip([GOOD, Entry(b"train/../../evil")]), r"'\.\.'"),
    "parent folder with backslashes": (lambda: raw_zip([GOOD, Entry(b"train\\..\\..\\evil")]), r"'\.\.'"),
    "absolute with a backslash": (lambda: raw_zip([GOOD, Entry(b"\\evil")]), "absolute"),
    "drive letter": (lambda: raw_zip([GOOD, Entry(b"C:\\evil.jpg")]), "drive"),
    "drive letter without a slash": (lambda: raw_zip([GOOD, Entry(b"c:evil.jpg")]), "drive"),
    "NUL in a name": (lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg\0.exe")]), "NUL"),
    "empty name": (lambda: raw_zip([GOOD, Entry(b"")]), "empty name"),
    "only slashes": (lambda: raw_zip([GOOD, Entry(b"//")]), "absolute"),
    "drive behind a dot": (lambda: raw_zip([GOOD, Entry(b"./C:/evil.jpg")]), "drive"),
    "one name twice, with a dot": (lambda: raw_zip([GOOD, Entry(b"./train//a/./0.jpg")]), "have one name"),
    "file that is nothing but dots": (lambda: raw_zip([GOOD, Entry(b"./.")]), "empty name"),
    "name of 300 bytes": (lambda: raw_zip([GOOD, Entry(b"train/a/" + b"x" * 300)]), "longer than 255"),
    "name of 300 bytes in few characters": (
        lambda: raw_zip([GOOD, Entry(("train/a/" + "語" * 100).encode(), flags=0x800)]),
        "longer than 255",
    ),
    "path beyond every system's limit": (lambda: raw_zip([GOOD, Entry(b"a/" * 3000 + b"x")]), "longer than"),
    "folders without end": (lambda: raw_zip([GOOD, Entry(b"a/" * 200 + b"x")]), "folders deep"),
    "symbolic link": (
        lambda: raw_zip([GOOD, Entry(b"train/l", b"/etc/passwd", mode=0o120777)]),
        "symbolic link",
    ),
    "device": (lambda: raw_zip([GOOD, Entry(b"train/d", mode=0o60644)]), "device, pipe or socket"),
    "FIFO": (lambda: raw_zip([GOOD, Entry(b"train/f", mode=0o10644)]), "device, pipe or socket"),
    "folder with bytes": (lambda: raw_zip([GOOD, Entry(b"train/b/", b"x")]), "contradicts itself"),
    "one name twice": (lambda: raw_zip([GOOD, Entry(b"train/a/0.jpg", b"evil")]), "have one name"),
    "names that differ in case": (lambda: raw_zip([GOOD, Entry(b"train/a/0.JPG")]), "have one name"),
    "folders that differ in case": (lambda: raw_zip([GOOD, Entry(b"Train/a/1.jpg")]), "have one name"),
    "NFC and NFD of one name": (
        lambda: raw_zip([GOOD, Entry("ü.jpg".encode()), Entry("u\u0308.jpg".encode())]),
        "have one name",
    ),
    "a slash and a backslash": (lambda: raw_zip([GOOD, Entry(b"train\\a\\0.jpg")]), "have one name"),
    "file under a file": (lambda: raw_zip([GOOD, Entry(b"train/a/0.jpg/x")]), "have one name"),
    "CRC that differs": (lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"abc", crc=1)]), "CRC differs"),
    "CRC that differs, deflated": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"abc" * 99, crc=1, method=8)]),
        "CRC differs",
    ),
    "size too small": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"a" * 999, size=10, method=8)]),
        "does not unpack to 10 bytes",
    ),
    "size too large": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"a" * 999, size=1999, method=8)]),
        "does not unpack to 1,999 bytes",
    ),
    "stored with two sizes": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"a" * 9, size=5)]),
        "contradicts",
    ),
    "large member longer than announced": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", bytes(3 << 20), size=(1 << 20) + 1, method=8)]),
        "holds more than",
    ),
    "deflate stream cut short": (
        lambda: raw_zip([GOOD, Entry(b"1.jpg", b"abc" * 99, packed=pack(b"abc" * 99, 8)[:-4], method=8)]),
        "does not unpack|damaged",
    ),
    "deflate stream with a tail": (
        lambda: raw_zip([GOOD, Entry(b"1.jpg", b"abc", packed=pack(b"abc", 8) + b"evil", method=8)]),
        "does not unpack",
    ),
    "deflate stream of garbage": (
        lambda: raw_zip([GOOD, Entry(b"1.jpg", b"abc", packed=b"\xff" * 40, method=8)]),
        "damaged",
    ),
    "encrypted": (lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x" * 20, flags=1)]), "encrypted"),
    "ppmd": (lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x", method=98)]), "ppmd"),
    "AES": (lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x", method=99)]), "AES"),
    "unknown method": (lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x", method=77)]), "method 77"),
    "bomb that says so": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", bytes(1 << 16), method=8, size=1 << 30)]),
        "more than 250 times",
    ),
    "bomb that says nothing": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", bytes(1 << 23), method=8, size=99)]),
        "does not unpack to 99",
    ),
    "bomb of overlapping entries": (overlapping_zip, "overlaps"),
    "two entries of the same bytes": (
        lambda: raw_zip(
            [GOOD, Entry(b"train/a/1.jpg", b"", packed=b"good", size=4, packed_size=4, offset=0)]
        ),
        "overlaps",
    ),
    "local header of another name": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x", local_name=b"train/a/2.jpg")]),
        "does not agree",
    ),
    "member in the directory": (lambda: raw_zip([GOOD, Entry(b"1.jpg", b"x", offset=60)]), "lie outside"),
    "fewer members than announced": (lambda: raw_zip([GOOD], count=7), "announces 7"),
    "one volume of several": (lambda: raw_zip([GOOD], disk=1), "one volume of several"),
    "cut short": (
        lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x" * 99)])[:-30],
        "no directory at its end",
    ),
    "head cut off": (
        lambda: b"PK\3\4" + raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x" * 99)])[50:],
        "cut short",
    ),
    "bytes after its end": (lambda: raw_zip([GOOD], after=b"more"), "no directory at its end"),
    "end record in the comment": (lambda: raw_zip([GOOD], comment=raw_zip([])), "two directories"),
    "two zips in a row": (lambda: raw_zip([GOOD]) + raw_zip([Entry(b"b.jpg", b"b")]), "two zips"),
    "damaged directory": (lambda: raw_zip([GOOD]).replace(b"PK\1\2", b"PK\1\1"), "damaged"),
    "zip64 field without its numbers": (
        lambda: raw_zip([GOOD, Entry(b"1.jpg", b"", size=0xFFFFFFFF, extra=struct.pack("<HH", 1, 0))]),
        "zip64 sizes",
    ),
}


# --- Tars -------------------------------------------------------------------------------------------------


def tar_info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", pax: Mapping[str, str] | None = None,
             size: int = 0) -> tarfile.TarInfo:  # fmt: skip
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    info.pax_headers = dict(pax or {})
    return info


def hostile_tar(*infos: tarfile.TarInfo, mode: str = "w") -> bytes:
    """A tar with one good member, then these; each holds as many `x` as its size says."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.PAX_FORMAT) as file:  # type: ignore[call-overload]
        file.addfile(tar_info("train/a/0.jpg", size=4), io.BytesIO(b"good"))
        for info in infos:
            file.addfile(info, io.BytesIO(b"x" * info.size))
    return out.getvalue()


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _pax_twice() -> bytes:
    """One extended header that gives two paths: readers differ on which one counts."""
    good = hostile_tar(tar_info("x", pax={"path": "train/a/1.jpg"}))
    return good.replace(b"22 path=train/a/1.jpg\n", b"11 path=aa\n11 path=bb\n")


HOSTILE_TARS: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "absolute path": (lambda: hostile_tar(tar_info("/etc/evil")), "absolute"),
    "parent folder": (lambda: hostile_tar(tar_info("train/../../evil")), r"'\.\.'"),
    "drive letter": (lambda: hostile_tar(tar_info("C:\\evil")), "drive"),
    "symbolic link": (lambda: hostile_tar(tar_info("l", tarfile.SYMTYPE, "/etc")), "symbolic link"),
    "hard link": (lambda: hostile_tar(tar_info("l", tarfile.LNKTYPE, "train/a/0.jpg")), "hard link"),
    "character device": (lambda: hostile_tar(tar_info("d", tarfile.CHRTYPE)), "device"),
    "block device": (lambda: hostile_tar(tar_info("d", tarfile.BLKTYPE)), "device"),
    "FIFO": (lambda: hostile_tar(tar_info("f", tarfile.FIFOTYPE)), "FIFO"),
    "sparse, GNU": (lambda: hostile_tar(tar_info("s", tarfile.GNUTYPE_SPARSE)), "sparse"),
    "sparse, pax": (
        lambda: hostile_tar(tar_info("s", pax={"GNU.sparse.major": "1", "GNU.sparse.name": "evil"})),
        "sparse",
    ),
    "unknown type": (lambda: hostile_tar(tar_info("s", b"Z")), "type 'Z'"),
    "pax path to a parent": (lambda: hostile_tar(tar_info("ok.jpg", pax={"path": "../evil"})), r"'\.\.'"),
    "pax path, absolute": (lambda: hostile_tar(tar_info("ok.jpg", pax={"path": "/evil"})), "absolute"),
    "pax path with NUL": (lambda: hostile_tar(tar_info("ok.jpg", pax={"path": "a\0b"})), "NUL"),
    "pax path given twice": (_pax_twice, "twice"),
    "name of 300 bytes": (lambda: hostile_tar(tar_info("x" * 300)), "longer than 255"),
    "one name twice": (lambda: hostile_tar(tar_info("train/a/0.jpg", size=4)), "have one name"),
    "names that differ in case": (lambda: hostile_tar(tar_info("Train/a/0.jpg")), "have one name"),
    "file under a file": (lambda: hostile_tar(tar_info("train/a/0.jpg/x")), "have one name"),
    "folder with bytes": (
        lambda: hostile_tar(tar_info("b", tarfile.DIRTYPE, pax={"size": "9"})),
        "folder 'b'",
    ),
    "header of a wrong checksum": (lambda: _flip(hostile_tar(), 148), "not an archive"),
    "second header damaged": (lambda: _flip(hostile_tar(tar_info("b.jpg")), 1024), "header at byte 1,024"),
    "cut in a member": (lambda: hostile_tar(tar_info("b.jpg", size=4000))[:3000], "cut short"),
    "cut between members": (lambda: hostile_tar(tar_info("b.jpg"))[:1024], "cut short"),
    "two tars in a row": (lambda: hostile_tar() + hostile_tar(), "two archives"),
    "gzip cut short": (lambda: hostile_tar(tar_info("b", size=9999), mode="w:gz")[:-9], "damaged"),
    "gzip with a flipped bit": (lambda: _flip(hostile_tar(mode="w:gz"), -6), "damaged"),
    "xz cut short": (lambda: hostile_tar(tar_info("b", size=9999), mode="w:xz")[:-20], "damaged"),
    "bzip2 cut short": (
        lambda: hostile_tar(tar_info("b", size=9999), mode="w:bz2")[:-20],
        "damaged|cut short",
    ),
    "gzip bomb": (lambda: bomb_tar_gz(), "more than 250 times"),
}


def bomb_tar_gz() -> bytes:
    """A tar.gz of a few kB whose one member has 1 GiB of zeros, of which only the first part is made."""
    head = tar_info("train/a/1.jpg", size=1 << 30).tobuf(tarfile.USTAR_FORMAT)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(hostile_tar()[:1024] + head + bytes(1 << 20)) + packer.flush()
