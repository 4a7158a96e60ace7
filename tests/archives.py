"""Makers of small archives: with upstream's true inner layout, the same for one seed; and field by field."""

from __future__ import annotations

import io
import json
import random
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
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
    both_ends: bool = False,
    own: bytes = b"",
    disk: int = 0,
) -> bytes:
    body, directory = bytearray(), bytearray()
    for entry in entries:
        local, central = _entry(entry, len(body))
        body += local
        directory += central
    number = len(entries) if count is None else count
    end = bytearray()
    if wide_end or both_ends:
        where, record = len(body) + len(directory), 44 + len(own)
        end += struct.pack(
            "<IQHHIIQQQQ", 0x06064B50, record, 45, 45, 0, 0, number, number, len(directory), len(body)
        )
        end += own
        end += struct.pack("<IIQI", 0x07064B50, 0, where, 1)
        number = 0xFFFF if wide_end else number
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


GOOD = Entry(b"train/a/0.jpg", b"good")
