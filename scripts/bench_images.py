"""I1-I4 of scripts/bench: 50,000 pictures of 20 kB from a server on this machine, in memory, against the tools
that people use, each writing plain files; then lists of a million rows, for their memory.

BENCH_FILES and BENCH_ROWS make it shorter. IMG2DATASET names the python of an environment that has it.
"""

import contextlib
import io
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench_servers import nginx
from bench_transfer import HOST, ours, ratio
from PIL import Image, ImageFilter

FILES = int(os.environ.get("BENCH_FILES", 50_000))
ROWS = int(os.environ.get("BENCH_ROWS", 1_000_000))
SIZE = 20_000  # bytes of a picture, about
ROUNDS = 3
IMG2DATASET = os.environ.get("IMG2DATASET", "")
WIDE = ("-j", "16", "-x", "16", "--allow-private")


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    memory: int  # bytes at the peak of all its processes together, pages that they share counted once


@dataclass(frozen=True)
class Peer:
    name: str
    words: Callable[[str], list[str]]  # of the server's address
    lacks: str = ""
    whole: bool = True  # every picture must be there at the end


def images(rounds: int = ROUNDS) -> None:
    if shutil.which("nginx") is None:
        sys.exit("nginx is not installed: it serves the pictures")
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        folder.chmod(0o755)
        site = folder / "site" / HOST
        make_pictures(site)
        registry = make_recipes(folder / "recipes")
        with nginx(folder) as (plain, _):
            make_lists(site, folder, plain)
            found = compare(peers(registry, folder), plain, folder / "out", rounds)
            bars(found)
            million(registry, plain, folder / "out")


def compare(peers: list[Peer], url: str, out: Path, rounds: int) -> dict[str, list[Cost]]:
    """Runs the peers in turn, so that all see the same machine, and prints medians; the first is ours."""
    here = [peer for peer in peers if not peer.lacks]
    found: dict[str, list[Cost]] = {peer.name: [] for peer in here}
    for _ in range(rounds):
        for peer in here:
            with running(peer.words(url), out) as cost:
                found[peer.name].append(cost)
                if peer.whole and (count := sum(len(files) for _, _, files in os.walk(out))) < FILES:
                    sys.exit(f"{peer.name} left {count} of {FILES} pictures")
    print(f"\n{FILES} pictures of {SIZE // 1000} kB, medians of {rounds}")
    print(f"{'':42}{'images/s':>9}{'us of cpu':>10}{'MB':>6}{'/ ours':>10}")
    for peer in peers:
        if peer.lacks:
            print(f"{peer.name:42}skipped: {peer.lacks}")
            continue
        costs = found[peer.name]
        rate = statistics.median(FILES / cost.wall for cost in costs)
        cpu = statistics.median(cost.cpu / FILES * 1e6 for cost in costs)
        top = max(cost.memory for cost in costs) / 1e6
        relative = ratio(found, here[0].name, peer.name)  # of times: the inverse of that of rates
        print(f"{peer.name:42}{rate:9.0f}{cpu:10.0f}{top:6.0f}{relative:9.2f}x")
    sys.stdout.flush()
    return found


def bars(found: dict[str, list[Cost]]) -> None:
    """Ours over theirs, in pictures a second, round by round."""
    for number, mine, peer, least, aim in (
        ("I1", "datafetch, decode off", "curl -Z", 0.5, 0.8),
        ("I2", "datafetch, decode off", "img2dataset", 3.0, 6.0),
        ("I3", "datafetch, full decode", "img2dataset", 1.0, 1.5),
    ):
        if peer in found:
            value = 1 / ratio(found, mine, peer)
            verdict = "holds" if value >= least else "FALLS SHORT"
            print(
                f"{number}  {value:.2f}x the rate of {peer}: bar >= {least}x {verdict}, aim {aim}x",
                flush=True,
            )


def million(registry: Path, url: str, out: Path) -> None:
    """I4, twice: nine rows of ten are gone and one has a tiny picture; all are there, and the folder is built."""
    for recipe, told, fine in (("rows", "nine of ten gone", (0, 6)), ("whole", "all there", (0,))):
        words = ours(registry, recipe, *WIDE, "--mirror-only", "--min-complete", "0%")(url)
        with running(words, out, fine=fine) as cost:
            top, verdict = cost.memory / 1e6, "holds" if cost.memory <= 300e6 else "FALLS SHORT"
            took = f"{ROWS} rows, {told}, in {cost.wall:.0f} s"
            print(f"I4  {took} with {top:.0f} MB: bar <= 300 MB {verdict}, aim 200 MB", flush=True)


# --- Who takes part -----------------------------------------------------------------------------------------


def peers(registry: Path, folder: Path) -> list[Peer]:
    aria2c = f"aria2c -q -i {folder}/urls -j16 --file-allocation=none"
    return [
        Peer("datafetch, decode off", ours(registry, "plain", *WIDE)),
        Peer("datafetch, full decode", ours(registry, "decoded", *WIDE)),
        Peer("curl -Z", shell(f"curl -sf -Z --parallel-max 16 -K {folder}/curl"), lacking("curl")),
        Peer("aria2c -j16", shell(aria2c), lacking("aria2c")),
        Peer(
            "img2dataset",
            img2dataset(folder),
            "" if IMG2DATASET else "IMG2DATASET names no python",
            whole=False,
        ),
    ]


def img2dataset(folder: Path) -> Callable[[str], list[str]]:
    """Its best settings here: nothing resized, nothing encoded anew, plain files."""
    return lambda url: [
        *(IMG2DATASET, "-m", "img2dataset.main", f"--url_list={folder}/urls", "--output_folder=."),
        *("--output_format=files", "--input_format=txt", "--resize_mode=no"),
        *("--disable_all_reencoding=True", "--encode_format=jpg", "--enable_wandb=False"),
        *(f"--processes_count={os.cpu_count()}", "--thread_count=32", "--number_sample_per_shard=1000"),
    ]


def shell(text: str) -> Callable[[str], list[str]]:
    return lambda url: ["sh", "-ec", text]


def lacking(tool: str) -> str:
    return "" if shutil.which(tool) else f"{tool} is not installed"


# --- What is served -----------------------------------------------------------------------------------------


def make_pictures(site: Path) -> None:
    """One picture, and in each file a comment of its own, so that no two are the same."""
    noise = Image.frombytes("RGB", (320, 240), random.Random(1).randbytes(320 * 240 * 3))
    blurred, picture = noise.filter(ImageFilter.GaussianBlur(1.2)), b""
    for quality in range(95, 5, -3):
        with io.BytesIO() as file:
            blurred.save(file, "JPEG", quality=quality)
            picture = file.getvalue()
        if len(picture) <= SIZE:
            break
    for number in range(FILES):
        path = site / name_of(number)
        if number % 1000 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        comment = f"{number:016}".encode()
        path.write_bytes(
            picture[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + picture[2:]
        )
    with (site / "tiny.jpg").open("wb") as file:
        noise.resize((8, 8)).save(file, "JPEG")


def name_of(number: int) -> str:
    return f"{number // 1000:03}/{number:08}.jpg"


def make_lists(site: Path, folder: Path, url: str) -> None:
    at, origin = (
        f"{url}/{HOST}",
        f"https://{HOST}",
    )  # the mirror answers for the origin: one request a picture
    (site / "list").write_text("".join(f"{n:08} {origin}/{name_of(n)}\n" for n in range(FILES)))
    (folder / "urls").write_text("".join(f"{at}/{name_of(n)}\n" for n in range(FILES)))
    (folder / "curl").write_text(
        "".join(f'url="{at}/{name_of(n)}"\noutput="{n:08}.jpg"\n' for n in range(FILES))
    )
    with (site / "rows").open("w") as file:
        for number in range(ROWS):
            file.write(f"{number:08} {origin}/{'gone' if number % 10 else 'tiny'}.jpg?{number}\n")
    with (site / "whole").open("w") as file:
        for number in range(ROWS):
            file.write(f"{number:08} {origin}/tiny.jpg?{number}\n")


def make_recipes(folder: Path) -> Path:
    folder.mkdir()
    for name, file, check in (
        *(("plain", "list", ""), ("decoded", "list", "image")),
        *(("rows", "rows", "image"), ("whole", "whole", "")),
    ):
        (folder / f"{name}.yaml").write_text(
            f"name: {name}\ntitle: {name}\nartifacts:\n"
            f"  - {{name: list, url: 'https://{HOST}/{file}', checksums: unknown}}\n"
            "  - name: pictures\n    url_list:\n"
            "      file: list\n      read: lines\n      keys: [id, link]\n      url: <link>\n"
            "      save_as: <id>.jpg\n" + (f"      check: {check}\n" if check else "")
        )
    return folder


# --- What it costs ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def running(words: list[str], folder: Path, fine: tuple[int, ...] = (0,)) -> Iterator[Cost]:
    """One run of a command in an empty folder, which is emptied behind the block."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        child = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=said)
        peak = Peak(child.pid)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        memory = peak.stop()
        if child.returncode not in fine:
            said.seek(0)
            text = said.read()[-2000:].decode(errors="replace")
            sys.exit(f"{' '.join(words)}\nended with {child.returncode}: {text}")
    try:
        yield Cost(wall, used.ru_utime + used.ru_stime, memory)
    finally:
        shutil.rmtree(folder)


class Peak:
    """Looks at the memory of a process and all below it, several times a second."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most = pid, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self._most = max(self._most, sum(map(share, tree(self._pid))))


def tree(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def share(pid: int) -> int:
    """Bytes of a process, what it shares with others divided among them."""
    with contextlib.suppress(OSError, IndexError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    return 0
