"""What other people's tools pack, with whatever options, we unpack to the tree that was packed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from datafetch.archive.open import open_archive

TREE: Mapping[str, bytes] = {
    "many/train/a/0.jpg": b"\xff\xd8" + bytes(range(256)) * 90,
    "many/train/a/1.jpg": b"",
    "many/train/b_ü/2 3.jpg": b"text " * 9000,
    "many/" + "x" * 90 + "/" + "y" * 120 + ".txt": b"long name",
    "many/program.exe": b"MZ" + b"\xe8\x10\x00\x00\x00\x8b\xc1" * 900 + bytes(99),
    "many/large.bin": bytes(range(251)) * 5000,
}

# Every line packs `many` into the file OUT.
ZIP = [
    "zip -q -r -0",
    "zip -q -r -9",
    "zip -q -r -Z bzip2",
    "zip -q -r -fz",
    "zip -q -r -D",
    "zip -q -r -X",
    "zip -q -r -fd",
]
SEVEN = [
    *(f"7z a -bso0 -t7z -mx={level}" for level in (0, 1, 5, 9)),
    *(
        f"7z a -bso0 -t7z -m0={method}"
        for method in ("LZMA", "LZMA2", "BZip2", "Deflate", "Deflate64", "Copy")
    ),
    *(
        f"7z a -bso0 -t7z -mf=off -m0={chain}"
        for chain in ("BCJ -m1=LZMA", "Delta:4 -m1=LZMA2", "ARM -m1=LZMA2")
    ),
    "7z a -bso0 -t7z -ms=off",
    "7z a -bso0 -t7z -ms=2f -mhc=off",
    "7z a -bso0 -t7z -mmt=1 -mtc=on -mta=on",
]
SEVEN_ZIP = [f"7z a -bso0 -tzip -mm={m}" for m in ("Copy", "Deflate", "Deflate64", "BZip2", "LZMA")]
TAR = [
    *(f"tar --format={form} -cf" for form in ("gnu", "oldgnu", "pax", "posix")),
    *(
        f"tar --format=gnu {flag} -cf"
        for flag in ("-z", "-j", "-J", "--zstd", "--label=disk", "-b 1", "--numeric-owner")
    ),
    "tar --format=gnu --incremental -cf",
    "tar --sparse -cf",
    "tar --format=pax --pax-option=globexthdr.comment:=hello,exthdr.name=%d/%f -cf",
]
BSDTAR = [
    *(f"bsdtar --format={form} -cf" for form in ("pax", "gnutar", "zip", "7zip")),
    *(f"bsdtar {flag} -cf" for flag in ("-z", "-j", "-J", "--zstd")),
    *(f"bsdtar --format=zip --options zip:compression={how} -cf" for how in ("store", "deflate")),
    *(
        f"bsdtar --format=7zip --options 7zip:compression={how} -cf"
        for how in ("store", "deflate", "bzip2", "lzma1", "lzma2")
    ),
]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("peers")
    for name, data in TREE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.mark.parametrize("line", [*ZIP, *SEVEN, *SEVEN_ZIP, *TAR, *BSDTAR])
def test_what_a_tool_packs_we_unpack(line: str, packed: Path, tmp_path: Path) -> None:
    words = line.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    out = tmp_path / "packed"
    done = subprocess.run(
        [*words, f"{out}{'.' if words[0] != 'tar' else ''}", "many"],
        cwd=packed,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"this {words[0]} has no such option: {done.stderr.strip()[:80]}")
    (file,) = tmp_path.iterdir()
    with open_archive(file) as archive:
        found = {m.name: b"".join(archive.read(m)) for m in archive.members if not m.is_dir}
    assert found == TREE
