"""A1-A4 of scripts/bench: 50,000 files of 20 kB, packed in the forms that datasets come in, unpacked by us with CRC and
SHA-256 of every file and by the tools that people use, which do no more than unpack.

Ours is `datafetch.archive.extract.extract`, what `get` calls for every archive, in a process of its own, start-up and
the sync at its end included. All in memory. BENCH_FILES, or --small, makes it shorter.
"""

import io
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench_images import Cost, running
from bench_remote import remote
from PIL import Image

FILES = int(os.environ.get("BENCH_FILES", 50_000))
SMALL = 5_000
ROUNDS = 3
OURS = """
import sys
from pathlib import Path
from datafetch.archive.extract import extract
from datafetch.model import Artifact, Http, Rule
real = Artifact("real", Http(("https://host.example/many.zip",)), "many", unpack=True)
rules = (Rule(("real/<root>/<split>/<class>/<file>",), "<split>/<class>/<file>"),)
said = dict(names="keep", url="", fetched_at="", emit=lambda event: None, stop=lambda: False)
print(len(extract(Path(sys.argv[1]), real, rules, Path(sys.argv[2]), **said).records))
"""


@dataclass(frozen=True)
class Form:
    number: str
    name: str
    pack: str  # a shell command that writes $OUT from the folder `many`
    text: bool
    bars: dict[str, float]  # peer -> the ratio that must not be passed


UNZIP, BSDTAR, SEVEN, TAR = "unzip", "bsdtar", "7z", "tar"
FORMS = (
    Form("A1", "stored zip", "zip -q -r -0 $OUT many", False, {UNZIP: 0.35, BSDTAR: 1.2}),
    Form("A2", "deflated zip of text", "zip -q -r $OUT many", True, {UNZIP: 0.35, BSDTAR: 0.7}),
    Form("A3", "tar.gz", "tar cf - many | gzip > $OUT", False, {TAR: 0.35, BSDTAR: 0.6}),
    Form("A3t", "tar.gz of text", "tar cf - many | gzip > $OUT", True, {TAR: 0.35, BSDTAR: 0.6}),
    Form("", "tar", "tar cf $OUT many", False, {}),
)
PEERS: dict[str, Callable[[str, str], list[str]]] = {
    UNZIP: lambda archive, out: ["unzip", "-q", archive, "-d", out],
    SEVEN: lambda archive, out: ["7z", "x", "-bso0", "-bsp0", f"-o{out}", archive],
    TAR: lambda archive, out: ["tar", "xf", archive, "-C", out],
    BSDTAR: lambda archive, out: ["bsdtar", "-xf", archive, "-C", out],
}
READS = {"zip": (UNZIP, SEVEN, BSDTAR), "tar": (TAR, BSDTAR)}


def archives(small: bool = False, rounds: int = ROUNDS) -> None:
    count = SMALL if small else FILES
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        print(f"{count:,} files of 20 kB, medians of {rounds}; ratio = ours / peer\n")
        print(f"{'':5}{'':22}{'':10}{'wall s':>8}{'cpu s':>8}{'MB':>6}{'ratio':>8}   bar")
        for text in (False, True):
            make_files(folder / "many", count, text)
            for form in FORMS:
                if form.text == text:
                    compare(form, folder, count, rounds)
            if not text:
                remote(folder, count, rounds)
            shutil.rmtree(folder / "many")


def make_files(root: Path, count: int, text: bool) -> None:
    """Pictures that no packer makes smaller by more than a few per cent, or text; no two are alike."""
    dice = random.Random(1)
    pool = words(dice) if text else pictures(dice)
    for number in range(count):
        path = root / "train" / f"class_{number % 100:03}" / f"{number}.{'txt' if text else 'jpg'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        start = dice.randrange(len(pool) - 24_000)
        path.write_bytes(pool[start : start + dice.randrange(16_000, 24_000)])


def pictures(dice: random.Random) -> bytes:
    made = io.BytesIO()
    for _ in range(300):
        noise = Image.frombytes("RGB", (320, 240), dice.randbytes(320 * 240 * 3))
        smooth = Image.frombytes("RGB", (40, 30), dice.randbytes(3600)).resize((320, 240))
        Image.blend(smooth, noise, 0.12).save(made, "JPEG", quality=80)
    return made.getvalue()


def words(dice: random.Random) -> bytes:
    known = [f"{dice.randrange(1 << 30):x}"[: dice.randrange(2, 8)] for _ in range(4000)]
    return " ".join(dice.choices(known, k=1_000_000)).encode()


def compare(form: Form, folder: Path, count: int, rounds: int) -> None:
    archive, out = folder / "packed", folder / "out"
    packed = archive.with_suffix(".zip") if "zip -q" in form.pack else archive
    subprocess.run(form.pack.replace("$OUT", str(packed)), shell=True, cwd=folder, check=True)
    kind = "zip" if packed != archive else "tar"
    ours = [sys.executable, "-c", OURS, str(packed), str(out / "staged")]
    commands = {"datafetch": ours}
    commands |= {peer: PEERS[peer](str(packed), str(out)) for peer in READS[kind] if shutil.which(peer)}
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, words in commands.items():
            with running(words, out) as cost:
                found[name].append(cost)
                if sum(len(files) for _, _, files in os.walk(out)) != count:
                    sys.exit(f"{name} left not all of {count} files")
    packed.unlink()
    for name, costs in found.items():
        ratio = statistics.median(a.wall / b.wall for a, b in zip(found["datafetch"], costs, strict=True))
        wall, cpu = (statistics.median(getattr(cost, key) for cost in costs) for key in ("wall", "cpu"))
        bar = f"<= {form.bars[name]}" if name in form.bars else ""
        shown = "" if name == "datafetch" else f"{ratio:.2f}"
        top = max(cost.memory for cost in costs) / 1e6
        print(
            f"{form.number:5}{form.name:22}{name:10}{wall:8.2f}{cpu:8.2f}{top:6.0f}{shown:>8}   {bar}",
            flush=True,
        )
