"""Upstream of im2text on loopback: pictures and captions in its own form, cut as `split -b` cuts."""

from __future__ import annotations

import io
import json
import random
import subprocess
import tarfile
from functools import cache
from pathlib import Path

ORIGIN = "/s3-us-west-2.amazonaws.com/samnco-static-files/datasets"
HOME = "/home/scozannet/Pictures/sbu-dataset/im2text"
SUFFIXES = "abcdefghijkl"
# A recipe with the addresses of the one that ships and without its checksums, which no test could meet.
RECIPE = """\
name: im2text
artifacts:
  - name: im2text.tar.gz
    shards: "https://s3-us-west-2.amazonaws.com/samnco-static-files/datasets/im2text.a{a..l}"
    unpack: true
layout:
  - {from: "im2text.tar.gz/im2text/<file>", to: "im2text/<file>"}
"""


@cache
def pictures(count: int, size: int) -> dict[str, bytes]:
    """Name below the dataset's folder -> bytes that hardly compress, as those of pictures."""
    noise = random.Random(count)
    weights = range(256, 0, -1)
    blocks = [bytes(noise.choices(range(256), weights, k=997)) for _ in range(40)]

    def content(number: int) -> bytes:
        body = b"".join(noise.choice(blocks) for _ in range(size // 2000)) + noise.randbytes(size // 2)
        return b"\xff\xd8\xff\xe0" + number.to_bytes(8, "big") + body

    return {f"im2text/im2text_{number:012d}.jpg": content(number) for number in range(1, count + 1)}


def tar_gz(tree: dict[str, bytes], level: int = 6) -> bytes:
    """As `tar czf` packs a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=level, format=tarfile.GNU_FORMAT) as tar:
        for folder in sorted({path.rpartition("/")[0] for path in tree} - {""}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path, data in tree.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def split(whole: bytes, folder: Path, count: int = 12) -> dict[str, bytes]:
    """What `split -b` makes of it: im2text.aa, im2text.ab, …"""
    (folder / "whole").write_bytes(whole)
    size = str(-(-len(whole) // count))
    subprocess.run(("split", "-b", size, "whole", "im2text."), cwd=folder, check=True)
    return {path.name: path.read_bytes() for path in sorted(folder.glob("im2text.a?"))}


def record(number: int, caption: str = " a caption") -> dict[str, object]:
    """One record as the hosted JSON has it."""
    return {
        "captions": [caption],
        "id": f"{number:012d}",
        "file_path": f"{HOME}/im2text_{number:012d}.jpg",
        "url": f"http://static.flickr.com/1/{number}_a.jpg",
        "image_id": str(number),
    }


def hosted(records: list[dict[str, object]]) -> bytes:
    """im2text.json.tar.gz"""
    return tar_gz({"im2text.json": json.dumps(records).encode()})
