"""Makers of small archives, with upstream's true inner layout and hostile; the same bytes for the same seed."""

from __future__ import annotations

import io
import json
import random
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image

Tree = Mapping[str, bytes]  # member path -> bytes

# Genuine names: upstream's mojibake (FБli), a dot that is no suffix (B.Atis), digits; and both Unicode forms.
NFD_CLASS = unicodedata.normalize("NFD", "Dömpi")
PODS_CLASSES = ("bottles_adobe", "mugs_blue_greek", "screwdrivers_maroon")
DOGS_CLASSES = ("391634", "B.Atis", "B.DФmpi", "FБli", "Füli", NFD_CLASS)
DF2_CLASSES = ("1709_1_10", "20_1_1")
CLASSES = {"pods": PODS_CLASSES, "dogs": DOGS_CLASSES, "df2": DF2_CLASSES}

PROMPTS = (
    "A <new1> mug on a wooden desk",
    "A <new1> screwdriver in a toolbox.",
    "A <new1> screwdriver in a carpenter\N{RIGHT SINGLE QUOTATION MARK}s tool belt.",
    "A <new1> dog at the vet's",
    "A  <new1>  shirt ",
)

JUNK: Tree = {
    "__MACOSX/._pods": b"\0\5\x16\7",
    "pods/.DS_Store": b"\0\0\0\1Bud1",
    "pods/train/Thumbs.db": b"\xd0\xcf\x11\xe0",
    "pods/train/bottles_adobe/._0.jpg": b"\0\5\x16\7",
}


@cache
def picture(seed: int, side: int = 24, form: str = "JPEG") -> bytes:
    """A small genuine image."""
    noise = random.Random(seed).randbytes(12)
    image = Image.frombytes("RGB", (2, 2), noise).resize((side, side), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def mask(seed: int, form: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("L", (24, 24), 255 * (seed % 2)).save(out, form)
    return out.getvalue()


def real_set(dataset: str = "pods", seed: int = 0, train: int = 3, test: int = 4) -> dict[str, bytes]:
    """The members of `<dataset>.zip`: splits, masks and metadata below one root folder."""
    tree: dict[str, bytes] = {}
    annos: dict[str, dict[str, str]] = {}
    classes = CLASSES[dataset]
    dense = "test_dense" if dataset == "pods" else "test"
    for index, name in enumerate(classes):
        base = seed * 10_000 + index * 100
        for k in range(train):
            tree[f"{dataset}/train/{name}/{k}.jpg"] = picture(base + k)
            tree[f"{dataset}/train_masks/{name}/{k}.jpg"] = mask(base + k)
        for k in range(test):
            tree[f"{dataset}/test/{name}/img_{k}.jpg"] = picture(base + 20 + k)
            annos[f"img_{k}"] = {"class": name, "split": "test", "test_split": "pose"}
        for k in range(2):
            tree[f"{dataset}/{dense}/{name}/dense_{k}.JPEG"] = picture(base + 40 + k)
            tree[f"{dataset}/{dense}_masks/{name}/dense_{k}.JPEG"] = mask(base + 40 + k)
    info = {
        "classes": list(classes),
        "class_to_idx": {name: str(index) for index, name in enumerate(classes)},
        "class_to_sc": {name: name.split("_")[0] for name in classes},
        "class_to_split": {name: "val" if index == 0 else "test" for index, name in enumerate(classes)},
    }
    tree[f"{dataset}/{dataset}_info.json"] = json.dumps(info).encode()
    if dataset == "pods":
        tree["pods/pods_image_annos.json"] = json.dumps(annos).encode()
    return tree


def synthetic_set(
    dataset: str = "pods",
    seed: int = 1,
    generator: str = "dreambooth_llm",
    cfg: str = "5.0",
    per_class: int = 12,
    leftovers: bool = True,
) -> dict[str, bytes]:
    """The members of a synthetic archive, with the generator's leftovers: rejected pictures, job markers."""
    root = f"{dataset}/{generator}_sd1.5/cfg_{cfg}"
    tree: dict[str, bytes] = {}
    for index, name in enumerate(CLASSES[dataset]):
        for k in range(per_class):
            tree[f"{root}/{name}/{k}_{PROMPTS[k % len(PROMPTS)]}.jpg"] = picture(seed * 1000 + index * 50 + k)
        if leftovers:
            tree[f"{root}/{name}_rej/0_{PROMPTS[0]}.jpg"] = picture(seed)
            tree[f"{root}/{name}/job_{index}.done"] = b""
    return tree


def negatives(
    dataset: str = "pods", seed: int = 2, nested: bool = True, per_folder: int = 3
) -> dict[str, bytes]:
    """The members of `<dataset>_negatives.zip`; nested: a folder per category, as PODS has it."""
    root = f"{dataset}/{dataset}_negatives"
    folders = ("bottles/", "mugs/") if nested else ("",)
    return {
        f"{root}/{folder}{k}_a photo.jpg": picture(seed * 1000 + k)
        for folder in folders
        for k in range(per_folder)
    }


def folders_of(tree: Iterable[str]) -> list[str]:
    """Every folder of the paths, parents first, with a slash at the end."""
    found: dict[str, None] = {}
    for path in tree:
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            found["/".join(parts[:depth]) + "/"] = None
    return sorted(found)


def zip_of(tree: Tree, *, deflate: bool = False, folders: bool = False) -> bytes:
    """A well-formed zip with fixed dates."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as file:
        for path in (*(folders_of(tree) if folders else ()), *tree):
            info = zipfile.ZipInfo(path, (2024, 12, 1, 0, 0, 0))
            info.external_attr = (0o40755 << 16 | 0x10) if path.endswith("/") else 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
            file.writestr(info, tree.get(path, b""))
    return out.getvalue()


def tar_of(tree: Tree, mode: str = "w", *, folders: bool = False, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A well-formed tar; mode "w:gz", "w:bz2" or "w:xz" compresses it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as file:  # type: ignore[call-overload]
        for path in (*(folders_of(tree) if folders else ()), *tree):
            info = tarfile.TarInfo(path.rstrip("/"))
            info.type = tarfile.DIRTYPE if path.endswith("/") else tarfile.REGTYPE
            info.size = len(tree.get(path, b""))
            file.addfile(info, io.BytesIO(tree.get(path, b"")))
    return out.getvalue()


def split(data: bytes, count: int) -> list[bytes]:
    """The bytes in `count` shards of about one size."""
    step = -(-len(data) // count)
    return [data[start : start + step] for start in range(0, count * step, step)]


# --- Zips by hand, so that every field can lie ------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One zip member; whatever is not None is written as it is, true or not."""

    name: bytes
    data: bytes = b""
    method: int = 0
    flags: int = 0
    mode: int = 0o100644
    attributes: int = 0
    packed: bytes | None = None
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    local_name: bytes | None = None
    offset: int | None = None
    descriptor: bool = False
    wide: bool = False
    extra: bytes = b""
    disk: int = 0


def raw_zip(
    entries: Sequence[Entry],
    *,
    before: bytes = b"",
    after: bytes = b"",
    comment: bytes = b"",
    count: int | None = None,
    wide_end: bool = False,
    disk: int = 0,
) -> bytes:
    body, directory = bytearray(), bytearray()
    for entry in entries:
        local, central = _entry(entry, len(body))
        body += local
        directory += central
    number = len(entries) if count is None else count
    end = bytearray()
    if wide_end:
        where = len(body) + len(directory)
        end += struct.pack(
            "<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, number, number, len(directory), len(body)
        )
        end += struct.pack("<IIQI", 0x07064B50, 0, where, 1)
        number = 0xFFFF
    size, offset = (0xFFFFFFFF, 0xFFFFFFFF) if wide_end else (len(directory), len(body))
    number &= 0xFFFF
    end += struct.pack("<IHHHHIIH", 0x06054B50, disk, disk, number, number, size, offset, len(comment))
    return before + bytes(body + directory + end) + comment + after


def _entry(entry: Entry, position: int) -> tuple[bytes, bytes]:
    packed = entry.packed if entry.packed is not None else pack(entry.data, entry.method)
    crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
    size = len(entry.data) if entry.size is None else entry.size
    packed_size = len(packed) if entry.packed_size is None else entry.packed_size
    offset = position if entry.offset is None else entry.offset
    flags = entry.flags | (8 if entry.descriptor else 0)
    name = entry.name if entry.local_name is None else entry.local_name
    said = (0, 0, 0) if entry.descriptor else (crc, packed_size, size)
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, flags, entry.method, 0, 33, *said, len(name), 0)
    tail = struct.pack("<IIII", 0x08074B50, crc, packed_size, size) if entry.descriptor else b""
    extra = entry.extra
    if entry.wide:
        extra += struct.pack("<HHQQQ", 1, 24, size, packed_size, offset)
        size = packed_size = offset = 0xFFFFFFFF
    attributes = entry.mode << 16 | entry.attributes
    central = struct.pack(
        "<IHHHHHHIIIHHHHHII",
        *(0x02014B50, 3 << 8 | 20, 20, flags, entry.method, 0, 33, crc, packed_size, size),
        *(len(entry.name), len(extra), 0, entry.disk, 0, attributes, offset),
    )
    return local + name + packed + tail, central + entry.name + extra


def pack(data: bytes, method: int) -> bytes:
    if method != 8:
        return data
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def overlapping_zip() -> bytes:
    """Two entries that quote each other's bytes, as the bomb of David Fifield does."""
    first = Entry(b"train/a/0.jpg", b"x" * 200)
    honest = raw_zip([first])
    inner = honest[: honest.index(b"PK\x01\x02")]
    return raw_zip([Entry(b"train/a/1.jpg", inner), Entry(b"train/a/0.jpg", b"x" * 200, offset=30 + 13)])


GOOD = Entry(b"train/a/0.jpg", b"good")

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
    "empty segment": (lambda: raw_zip([GOOD, Entry(b"train//1.jpg")]), "empty segment"),
    "dot segment": (lambda: raw_zip([GOOD, Entry(b"train/./1.jpg")]), "empty segment or '.'"),
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
    "deflate64": (lambda: raw_zip([GOOD, Entry(b"train/a/1.jpg", b"x", method=9)]), "deflate64"),
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
