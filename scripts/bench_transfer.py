"""T1-T3 of scripts/bench: one file of 2 GiB and eight of 256 MiB from a server on this machine, in memory,
against the tools that people use; the same over TLS; then a line with a long round trip and little for each
connection.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench_servers import PER_CONNECTION, ROUND_TRIP, delaying, nginx

MIB = 1 << 20
HOST = "bench.invalid"  # what recipes ask for; the mirror on loopback answers
BLOCK, ONE, EIGHT, LINE = 4 * MIB, 2048 * MIB, 256 * MIB, 128 * MIB


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    memory: int  # bytes at the peak of the largest process, this bench counted before it became the command


@dataclass(frozen=True)
class Peer:
    name: str
    words: Callable[[str], list[str]]  # of the server's address
    tools: tuple[str, ...] = ()

    @property
    def lacks(self) -> str:
        return ", ".join(tool for tool in self.tools if shutil.which(tool) is None)


def cost(words: list[str], folder: Path) -> Cost:
    """One run of a command in an empty folder, which is emptied again."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    started = time.perf_counter()
    child = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    shutil.rmtree(folder)
    if child.returncode:
        sys.exit(f"{' '.join(words)}\nended with {child.returncode}: {said.decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit)


def table(title: str, peers: list[Peer], url: str, folder: Path, rounds: int) -> dict[str, list[Cost]]:
    """Runs the peers in turn, so that all see the same machine, and prints medians; the first is ours."""
    here = [peer for peer in peers if not peer.lacks]
    found: dict[str, list[Cost]] = {peer.name: [] for peer in here}
    for _ in range(rounds):
        for peer in here:
            found[peer.name].append(cost(peer.words(url), folder / "out"))
    print(f"\n{title}, medians of {rounds}\n{'':34}{'wall s':>8}{'cpu s':>8}{'MB':>7}{'ours / it':>11}")
    ours = peers[0].name
    for peer in peers:
        if peer.lacks:
            print(f"{peer.name:34}skipped: {peer.lacks} is not installed")
            continue
        costs = found[peer.name]
        wall, cpu = statistics.median(c.wall for c in costs), statistics.median(c.cpu for c in costs)
        memory = max(c.memory for c in costs) / 1e6
        print(f"{peer.name:34}{wall:8.2f}{cpu:8.2f}{memory:7.0f}{ratio(found, ours, peer.name):10.2f}x")
    sys.stdout.flush()
    return found


def ratio(found: dict[str, list[Cost]], ours: str, peer: str) -> float:
    """The median of ours over theirs, round by round."""
    return statistics.median(a.wall / b.wall for a, b in zip(found[ours], found[peer], strict=True))


def bar(number: str, found: dict[str, list[Cost]], peer: str, most: float, aim: float) -> None:
    if peer in found:
        value = ratio(found, next(iter(found)), peer)
        verdict = "holds" if value <= most else "FALLS SHORT"
        print(f"{number}  {value:.2f}x of {peer}: bar <= {most}x {verdict}, aim {aim}x", flush=True)


def ours(registry: Path, name: str, *words: str) -> Callable[[str], list[str]]:
    get = [sys.executable, "-m", "datafetch", "get", name, "--registry", str(registry), "-o", ".", "-q"]
    return lambda url: [*get, *words, "--mirror", url]


def shell(text: str) -> Callable[[str], list[str]]:
    return lambda url: ["sh", "-ec", text.replace("URL", f"{url}/{HOST}")]


def peers_for_one(file: str, trust: str = "") -> list[Peer]:
    hashed, trusting = f"&& sha256sum {file}", f"--ca-certificate={trust}" if trust else ""
    return [
        Peer("curl", shell(f"curl -sf -o {file} URL/{file}"), ("curl",)),
        Peer("curl, then sha256sum", shell(f"curl -sf -o {file} URL/{file} {hashed}"), ("curl", "sha256sum")),
        Peer("wget, then sha256sum", shell(f"wget -q {trusting} URL/{file} {hashed}"), ("wget", "sha256sum")),
        *(
            Peer(
                f"aria2c -x{many}, then sha256sum",
                shell(f"aria2c -q -x{many} -s{many} {trusting} --file-allocation=none URL/{file} {hashed}"),
                ("aria2c", "sha256sum"),
            )
            for many in (1, 16)
        ),
    ]


def transfer(rounds: int = 3) -> None:
    if shutil.which("nginx") is None:
        sys.exit("nginx is not installed: it serves the files")
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        folder.chmod(0o755)
        make_site(folder / "site" / HOST)
        registry = make_recipes(folder / "recipes")
        with nginx(folder) as (plain, secure):
            found = large(registry, plain, folder, "one file of 2 GiB on loopback", rounds)
            bar("T1", found, "curl, then sha256sum", 0.35, 0.2)
            bar("T2", found, "curl", 1.8, 1.4)
            found = several(registry, plain, folder, "eight files of 256 MiB on loopback", rounds)
            bar("T3", found, "curl -Z", 1.5, 1.15)
            # The words by which each tool hears whom to trust; nobody is told to trust everyone.
            os.environ |= {"SSL_CERT_FILE": f"{folder}/cert", "CURL_CA_BUNDLE": f"{folder}/cert"}
            large(registry, secure, folder, "one file of 2 GiB over TLS", rounds)
            several(registry, secure, folder, "eight files of 256 MiB over TLS", rounds)
            with delaying(int(plain.rpartition(":")[2])) as slow:
                slow_line(registry, slow, folder)


def large(registry: Path, url: str, folder: Path, title: str, rounds: int) -> dict[str, list[Cost]]:
    trust = f"{folder}/cert" if url.startswith("https") else ""
    peers = [Peer("datafetch", ours(registry, "one")), *peers_for_one("one.bin", trust)]
    return table(title, peers, url, folder, rounds)


def several(registry: Path, url: str, folder: Path, title: str, rounds: int) -> dict[str, list[Cost]]:
    files = " ".join(f"URL/{number}.bin" for number in range(8))
    trust = f"--ca-certificate={folder}/cert" if url.startswith("https") else ""
    aria2c = f"aria2c -q -j8 -Z {trust} --file-allocation=none {files}"
    peers = [
        Peer("datafetch", ours(registry, "eight", "-j", "8", "-x", "8")),
        Peer("curl -Z", shell(f"curl -sf -Z --remote-name-all {files}"), ("curl",)),
        Peer("aria2c -j8", shell(aria2c), ("aria2c",)),
    ]
    return table(title, peers, url, folder, rounds)


def slow_line(registry: Path, url: str, folder: Path) -> None:
    many = ("--connections", "16", "-x", "16")
    peers = [
        Peer("datafetch", ours(registry, "line")),
        Peer("datafetch --connections 1", ours(registry, "line", "--connections", "1")),
        Peer("datafetch --connections 16 -x 16", ours(registry, "line", *many)),
        *peers_for_one("line.bin"),
    ]
    line = f"{ROUND_TRIP * 1000:.0f} ms, {PER_CONNECTION / 1e6:.0f} MB/s each"
    table(f"one file of 128 MiB, {line}", peers, url, folder, 1)


def make_site(folder: Path) -> None:
    folder.mkdir(parents=True)
    block = os.urandom(BLOCK)
    sizes = {"one": ONE, "line": LINE} | {str(number): EIGHT for number in range(8)}
    for name, size in sizes.items():
        with (folder / f"{name}.bin").open("wb") as file:
            for _ in range(0, size, BLOCK):
                file.write(block)


def make_recipes(folder: Path) -> Path:
    folder.mkdir()
    for name, files in {"one": ["one"], "line": ["line"], "eight": [str(n) for n in range(8)]}.items():
        lines = [f"name: {name}", f"title: {name}", "artifacts:"]
        lines += [f"  - {{name: f{f}, url: 'https://{HOST}/{f}.bin', checksums: unknown}}" for f in files]
        lines += ["layout:", *(f"  - {{from: f{f}, to: {f}.bin}}" for f in files)]
        (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    return folder
