"""Archives, names and addresses that mean harm, made by chance: nothing outside the target is touched, nobody inside
the network is spoken to.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import tarfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from archives import GOOD, Entry, raw_zip
from hostile import HOSTILE_TARS, HOSTILE_ZIPS, hostile_tar, tar_info
from prove_tally import Job, Scene, Tally
from sevenzips import sevenzip_of
from test_network_hostile import SPELLINGS, canary, refusal
from worlds import HOST, Origin, World

from datafetch.archive.extract import extract
from datafetch.demo.pictures import photo
from datafetch.demo.pictures import scene as drawn
from datafetch.errors import DatafetchError
from datafetch.model import Artifact, Http, Why

Name = Callable[[], str]
URL = f"https://{HOST}/x"
REAL = Artifact("real", Http((URL,)), "proof", unpack=True)
MARK = "escaped"  # in the name of everything that tries to get out
BATCH = 50  # archives that share a folder


def hostile(scene: Scene) -> Tally:
    tally = Tally("hostile")
    counted: Counter[str] = Counter()
    batches, addresses, rows = (6, 120, 60) if scene.small else (200, 3000, 1000)
    first = scene.seed * 100_000
    case = partial(archives, tally, counted)
    jobs: list[Job] = [(first + at, case) for at in range(batches)]
    scene.all_cases(tally, jobs)
    spoken_to(tally, random.Random(scene.seed), addresses)
    scene.all_cases(tally, [(first + batches, partial(listed_names, scene, tally, rows))])
    tally.told = (
        f"{counted['archives']:,} archives, of which {counted['refused']:,} were refused and {counted['unpacked']:,} "
        f"hold no harm; {addresses:,} addresses; {rows:,} names of a list"
    )
    return tally


# --- Archives ----------------------------------------------------------------------------------------------


def archives(tally: Tally, counted: Counter[str], seed: int, folder: Path) -> None:
    chance = random.Random(seed)
    (folder / "outside").mkdir(parents=True)
    (folder / "outside/canary").write_bytes(b"sings")
    (folder / MARK).write_bytes(b"the user's own")
    before = _snapshot(folder)
    for number in range(BATCH):
        data = made(chance, folder)
        (folder / "archive").write_bytes(data)
        wrong = ""
        try:
            _unpack(folder)
            counted["unpacked"] += 1
            wrong = _odd(folder / "state/staging")
        except DatafetchError:
            counted["refused"] += 1
            if any((folder / "state/staging").iterdir()):
                wrong = "something of a refused archive is left"
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        counted["archives"] += 1
        (folder / "archive").unlink()
        shutil.rmtree(folder / "state", ignore_errors=True)
        if (after := _snapshot(folder)) != before or _above(folder):
            wrong = f"something outside was touched: {sorted(after.keys() ^ before.keys())} {_above(folder)}"
        tally.case(None, wrong and f"seed {seed}, archive {number}: {wrong}")


def _unpack(folder: Path) -> None:
    (folder / "state/staging").mkdir(parents=True)
    extract(
        folder / "archive",
        REAL,
        (),
        folder / "state/staging/real",
        names="keep",
        url=URL,
        fetched_at="2026-01-01T00:00:00Z",
        emit=lambda event: None,
        stop=lambda: False,
    )


def _snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if "state" not in path.parts and not path.is_dir())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _above(folder: Path) -> list[str]:
    """What bears the mark in any folder above, where no archive belongs."""
    return [f"{up}/{name}" for up in folder.parents for name in os.listdir(up) if name.startswith(MARK)]


def _odd(staging: Path) -> str:
    """What may not stand in a tree: a link, a device, a mode that lets others write or run it."""
    for path in staging.rglob("*"):
        mode = path.lstat().st_mode
        if not (stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and not mode & 0o7133)):
            return f"{path} has the mode {mode:o}"
    return ""


def made(chance: random.Random, folder: Path) -> bytes:
    """An archive: one of three is honest but for a name or two, or altogether."""
    name = partial(_name, chance, folder, chance.choice((0.4, 0.4, 0.95)))
    kind = chance.random()
    if kind < 0.45:
        data = _zip(chance, name)
    elif kind < 0.8:
        data = _tar(chance, folder, name)
    elif kind < 0.9:
        data = sevenzip_of([(name(), chance.randbytes(9)) for _ in range(chance.randint(1, 3))])
    else:  # those that have a test by name, and then one bit more
        make, _ = chance.choice([*HOSTILE_ZIPS.values(), *HOSTILE_TARS.values()])
        data = make()
    if chance.random() < 0.15:
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        data = bytes(changed)
    return data


def _name(chance: random.Random, folder: Path, honest: float) -> str:
    """A member's name: often an honest one, else one of every way out that is known, put together by chance."""
    plain = f"train/{chance.choice('abc')}/{chance.randrange(99)}.jpg"
    if chance.random() < honest:
        return plain
    mark = f"{MARK}{chance.randrange(9)}"
    up = chance.choice(
        ("../", "..\\", "./../", "a/../../", "a\\..\\..\\", ".. /", "..\u2215", "\u2024\u2024/", "%2e%2e/")
    )
    return chance.choice(
        (
            up * chance.randint(1, 9) + mark,
            f"train/{up * chance.randint(1, 9)}{mark}",
            f"{folder}/{mark}",
            f"//{mark}",
            f"\\{mark}",
            f"C:{chance.choice(('', '/', chr(92)))}{mark}",
            f"\\\\?\\C:\\{mark}",
            f"train/{mark}\0.jpg",
            f"train/{mark}\n",
            "",
            ".",
            "..",
            "/",
            f"{mark}/",
            "train/a/u\u0308.jpg",
            "train/a/\u00fc.jpg",
            plain.upper(),
            f"{plain}/below",
            f"train/{'x' * chance.choice((254, 255, 256, 300))}",
            "d/" * chance.choice((60, 64, 70, 500)) + mark,
            f"train/\u202e{mark}",
            "train/CON.jpg",
            "train/ ",
            "~/" + mark,
            "$HOME/" + mark,
            ".datafetch/proof/manifest.jsonl",
        )
    )


def _zip(chance: random.Random, name: Name) -> bytes:
    entries = [GOOD] if chance.random() < 0.7 else []
    for _ in range(chance.randint(1, 5)):
        data = chance.choice((b"", b"x", chance.randbytes(40), bytes(chance.choice((300, 1 << 21)))))
        odd = chance.random()
        more: dict[str, object] = {}
        if odd < 0.15:
            more = chance.choice(
                (
                    {
                        "mode": chance.choice(
                            (0o120777, 0o60644, 0o20644, 0o10644, 0o140644, 0o104755, 0o40755)
                        )
                    },
                    {"size": chance.choice((0, 3, 1 << 30, 1 << 40 & 0xFFFFFFFF))},
                    {"crc": chance.randrange(1 << 32)},
                    {"offset": chance.randrange(200)},
                    {"packed_size": chance.randrange(1 << 20)},
                    {"flags": chance.choice((1, 8, 0x40, 0x800, 0x2000))},
                    {"local_name": name().encode()},
                    {"extra": chance.randbytes(chance.randrange(30))},
                    {"wide": True},
                    {"descriptor": True},
                    {"attributes": chance.choice((0x10, 0x400))},
                )
            )
        method = chance.choice((0, 0, 8, 8, 9, 12, 14, 93, 95, 98, 99))
        entries.append(Entry(name().encode(), data, method, **more))  # type: ignore[arg-type]
    count = None if chance.random() < 0.9 else chance.randrange(9)
    before = chance.randbytes(chance.randrange(50)) if chance.random() < 0.1 else b""
    return raw_zip(entries, count=count, before=before, wide_end=chance.random() < 0.1)


def _tar(chance: random.Random, folder: Path, name: Name) -> bytes:
    kinds = (
        *(tarfile.REGTYPE,) * 6,
        *(
            tarfile.DIRTYPE,
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.BLKTYPE,
            tarfile.FIFOTYPE,
        ),
        *(tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"Z"),
    )
    infos = []
    for _ in range(chance.randint(1, 5)):
        pax = {}
        if chance.random() < 0.2:
            key = chance.choice(
                ("path", "linkpath", "size", "GNU.sparse.name", "GNU.sparse.major", "uid", "mtime")
            )
            pax[key] = name() if "path" in key or "name" in key else str(chance.randrange(9999))
        path, target = name(), chance.choice((name(), str(folder / "outside")))
        kind = chance.choice(kinds)
        size = chance.choice((0, 5, 600)) if kind == tarfile.REGTYPE else 0
        info = tar_info(path.replace("\0", ""), kind, target.replace("\0", ""), pax, size)
        info.mode = chance.choice((0o644, 0o777, 0o4755, 0))
        infos.append(info)
    return hostile_tar(*infos, mode=chance.choice(("w", "w", "w:gz", "w:bz2", "w:xz")))


# --- Addresses and names -----------------------------------------------------------------------------------


def spoken_to(tally: Tally, chance: random.Random, count: int) -> None:
    """Every spelling of an address inside, in every dress: nobody comes to where a canary listens."""
    with canary() as (port, came):
        for _ in range(count):
            host = chance.choice((*SPELLINGS, _number(chance)))
            user = chance.choice(("", "", "example.org@", "a:b@", "example.org%40@"))
            scheme = chance.choice(("http", "http", "https", "HTTP", "file", "gopher", "ftp", "dict"))
            url = f"{scheme}://{user}{host}:{port}/{chance.choice(('', 'x', '../x', '%00', '?@example.org'))}"
            wrong = ""
            try:
                if refusal(url).why not in (Why.REFUSED, Why.BAD_URL):
                    wrong = f"{url!r} was not refused for what it is"
            except Exception as error:
                wrong = f"{url!r}: {type(error).__name__}: {error}"
            if came:
                wrong = f"{url!r} led to {came.pop()}"
            tally.case(None, wrong)


def _number(chance: random.Random) -> str:
    """One of the ways to write 127.x.y.z by numbers."""
    four = [127, chance.randrange(256), chance.randrange(256), chance.randrange(1, 255)]
    digits = [chance.choice((str, hex, "0{:o}".format))(part) for part in four]
    whole = int.from_bytes(bytes(four), "big")
    mapped = f"[::ffff:{four[0]}.{four[1]}.{four[2]}.{four[3]}]"
    return chance.choice(
        (".".join(digits), str(whole), hex(whole), f"0{whole:o}", mapped, f"127.{whole & 0xFFFFFF}")
    )


def listed_names(scene: Scene, tally: Tally, rows: int, seed: int, folder: Path) -> None:
    """A list whose rows say under what name their pictures are to be saved."""
    chance = random.Random(seed)
    names = [
        _name(chance, folder, 0.3).replace("\n", "").replace("\0", "").replace(" ", "_") or "x"
        for _ in range(rows)
    ]
    pictures = {f"p/{row}.png": photo(drawn(f"{row}", "disc")) for row in range(rows)}
    links = "\n".join(f"{name} https://{HOST}/p/{row}.png" for row, name in enumerate(names)).encode()
    recipe = (
        "name: proof\ntitle: names\nartifacts:\n"
        "  - {name: links.txt, url: 'https://proof.invalid/links.txt', checksums: unknown, folder: proof_lists}\n"
        "  - name: pictures\n"
        "    url_list: {file: links.txt, read: lines, keys: [id, link], url: '<link>', save_as: '<id>.png'}\n"
        "layout:\n  - {from: links.txt, to: links.txt}\n  - {from: 'pictures/<image>', to: '<image>'}\n"
    )
    world = World("names", recipe, {**pictures, "links.txt": links}, {})
    world.begin(folder, chance)
    with Origin(world.files) as origin:
        run = scene.warm(*world.words(folder, origin.mirror(folder.name)), cwd=folder)
    wrong = f"exit code {run.code}: {run.err[-600:]}" if run.stuck or run.code in (1, 2) else ""
    if _above(folder) or sorted(os.listdir(folder)) != ["out", "recipes"]:
        wrong = f"something outside was touched: {_above(folder)} {os.listdir(folder)}"
    elif not {"proof", "proof_lists", ".datafetch"} >= set(os.listdir(folder / "out")):
        wrong = f"something beside the dataset: {os.listdir(folder / 'out')}"
    else:
        wrong = wrong or _odd(folder / "out")
    counts = run.report["counts"] if not run.stuck else {}
    if not wrong and counts["total"] != rows + 1:
        wrong = f"rows without an end: {counts}"
    tally.case(None, wrong and f"seed {seed}, names of a list: {wrong}", [run])
