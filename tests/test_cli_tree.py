"""What stands on disk after `get`: every byte of every archive, under its own name, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from archives import NFD_CLASS, mask, picture, zip_of
from process import Ended, datafetch_
from server import FaultServer, Thing
from upstream import ARTIFACTS, DATASETS, SYNTHETIC, Upstream, expected, members


def files_below(root: Path) -> dict[str, bytes]:
    """Every file of the dataset folders by its path; the state folder is no part of them."""
    found: dict[str, bytes] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            found[str(path.relative_to(root))] = path.read_bytes()
    return {path: data for path, data in found.items() if not path.startswith(".datafetch/")}


def manifest_of(root: Path, dataset: str) -> list[dict[str, Any]]:
    text = (root / ".datafetch" / dataset / "manifest.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def sha256sums(root: Path, paths: list[str]) -> bytes:
    """What `sha256sum` prints for these files, each line ended by a newline and no name escaped."""
    given = "".join(f"{path}\0" for path in paths).encode()
    command = ("xargs", "-0", "-r", "sha256sum", "-z", "--")
    out = subprocess.run(command, input=given, stdout=subprocess.PIPE, cwd=root, check=True).stdout
    return out.replace(b"\0", b"\n")


def tree_digest(root: Path, paths: list[str]) -> str:
    """The digest as the contract words it, by other programs than ours."""
    return hashlib.sha256(sha256sums(root, sorted(paths, key=os.fsencode))).hexdigest()


@dataclass
class Got:
    root: Path
    ended: dict[str, Ended]
    server: FaultServer


@pytest.fixture(scope="module")
def got(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Got]:
    """All three datasets with everything they have, at the same time, into one folder."""
    base = tmp_path_factory.mktemp("everything")
    root = base / "out"
    with Upstream().serve() as server, ThreadPoolExecutor(len(DATASETS)) as pool:

        def get(dataset: str) -> Ended:
            args = ("get", dataset, "--all", "--mirror", server.url, "-o", str(root), "--json")
            return datafetch_(*args, cwd=base)

        yield Got(root, dict(zip(DATASETS, pool.map(get, DATASETS), strict=True)), server)


def test_every_archive_is_asked_for_once_and_ends_in_a_complete_dataset(got: Got) -> None:
    for dataset, ended in got.ended.items():
        assert ended.code == 0, (dataset, ended.err)
        assert ended.report["status"] == "complete"
    paths = [seen.path for seen in got.server.seen]
    assert len(paths) == len(set(paths)) == 33


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_published_file_has_the_bytes_that_the_archive_holds(got: Got, dataset: str) -> None:
    wanted: dict[str, bytes] = {}
    for artifact in ARTIFACTS:
        wanted |= expected(dataset, artifact)
    found = files_below(got.root)
    assert {
        path: data for path, data in found.items() if path.partition("/")[0] in _folders(dataset)
    } == wanted


def test_negatives_of_pods_lie_where_the_training_code_looks(got: Got) -> None:
    assert sorted(os.listdir(got.root / "pods_negatives")) == ["bottles_negatives", "mugs_negatives"]
    assert all(name.endswith(".jpg") for name in os.listdir(got.root / "dogs_negatives"))


def test_nothing_but_datasets_and_the_state_folder_stands_in_the_output_directory(got: Got) -> None:
    folders = [folder for dataset in DATASETS for folder in _folders(dataset)]
    assert sorted(os.listdir(got.root)) == sorted([".datafetch", *folders])


@pytest.mark.parametrize("dataset", DATASETS)
def test_archives_and_all_other_scaffolding_are_gone(got: Got, dataset: str) -> None:
    assert scaffolding(got.root, dataset) == []


@pytest.mark.parametrize("dataset", DATASETS)
def test_what_was_left_out_is_counted_and_the_counts_add_up(got: Got, dataset: str) -> None:
    counts = got.ended[dataset].report["counts"]
    held = sum(len(members(dataset, artifact)) for artifact in ARTIFACTS)
    kept = sum(len(expected(dataset, artifact)) for artifact in ARTIFACTS)
    assert counts == {
        "ok": kept,
        "missing": 0,
        "failed": 0,
        "rejected": 0,
        "skipped": held - kept,
        "total": held,
    }


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_manifest_is_sorted_and_tells_size_digest_and_origin(got: Got, dataset: str) -> None:
    rows = manifest_of(got.root, dataset)
    paths = [row["path"] for row in rows]
    assert paths == sorted(paths, key=os.fsencode)
    assert len(paths) == len(set(paths))
    for row in rows:
        data = (got.root / row["path"]).read_bytes()
        assert (row["size"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert row["url"].startswith("https://data.csail.mit.edu/personal_rep/")
        assert row["fetched_at"].endswith("Z")


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_tree_digest_is_what_sha256sum_makes_of_the_tree(got: Got, dataset: str) -> None:
    paths = [path for path in files_below(got.root) if path.partition("/")[0] in _folders(dataset)]
    assert got.ended[dataset].report["tree_digest"] == tree_digest(got.root, paths)


def test_sha256sum_accepts_what_the_manifest_says(got: Got, tmp_path: Path) -> None:
    rows = [row for dataset in DATASETS for row in manifest_of(got.root, dataset)]
    sums = tmp_path / "SHA256SUMS"
    sums.write_text("".join(f"{row['sha256']}  {row['path']}\n" for row in rows), "utf-8")
    command = ("sha256sum", "--check", "--strict", "--quiet", str(sums))
    checked = subprocess.run(command, cwd=got.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (checked.returncode, checked.stdout) == (0, b"")


def test_bytes_on_disk_and_over_the_network_are_told_as_they_are(got: Got) -> None:
    for dataset, ended in got.ended.items():
        on_disk = sum(row["size"] for row in manifest_of(got.root, dataset))
        told = ended.report["bytes"]
        assert told["on_disk"] == on_disk
        assert told["transferred"] == sum(
            len(thing.data)
            for path, thing in _served().items()
            if path.endswith(f"/{dataset}.zip") or f"/syn_data/{dataset}/" in path
        )
        assert told["peak"] >= on_disk


# --- Names -----------------------------------------------------------------------------------------------------------

ODD_NAMES = (
    "0_A <new1> mug on a wooden desk.jpg",
    "1_in a carpenter\N{RIGHT SINGLE QUOTATION MARK}s tool belt..jpg",
    "2_A  <new1>  two blanks and one behind .jpg",
    " 3_one blank before.jpg",
    "ФБli and B.DФmpi.jpg",
    "Füli (composed).jpg",
    f"{NFD_CLASS} (decomposed).jpg",
    "100% sure, $HOME; `rm -rf .` & 'quotes' \"more\" * ? [a] {b} #c ~d !e.jpg",
    "tab\there and\nnew line.jpg",
    "..two dots before.jpg",
    "-rf.jpg",
    "絵.jpg",
    "x" * 251 + ".jpg",
)


def real_of(*names: str) -> dict[str, bytes]:
    """An archive of DOGS with these file names, in a class that has one Unicode form and one that has the other."""
    classes = ("Füli", unicodedata.normalize("NFD", "Dömpi"), "trailing blank ")
    tree = {
        f"dogs/train/{c}/{n}": picture(i + 100 * k)
        for k, c in enumerate(classes)
        for i, n in enumerate(names)
    }
    return tree | {"dogs/dogs_info.json": b"{}"}


def get_real(tree: dict[str, bytes], root: Path, *more: str, dataset: str = "dogs") -> Ended:
    with Upstream({f"/{dataset}.zip": Thing(zip_of(tree))}).serve() as server:
        args = ("get", dataset, "--mirror", server.url, "-o", str(root), "--json", *more)
        return datafetch_(*args, cwd=root.parent)


def test_names_survive_exactly(tmp_path: Path) -> None:
    tree = real_of(*ODD_NAMES)
    ended = get_real(tree, tmp_path / "out")
    assert ended.code == 0, ended.err
    assert files_below(tmp_path / "out") == tree
    assert ended.report["tree_digest"] == tree_digest(tmp_path / "out", list(tree))


def test_names_survive_where_the_locale_knows_no_letters(tmp_path: Path) -> None:
    tree = real_of(*ODD_NAMES)
    with Upstream({"/dogs.zip": Thing(zip_of(tree))}).serve() as server:
        args = ("get", "dogs", "--mirror", server.url, "-o", "out", "--json")
        bare = {"LANG": "C", "LC_ALL": "C", "TZ": "Pacific/Kiritimati"}
        ended = datafetch_(*args, cwd=tmp_path, env=bare)
    assert ended.code == 0, ended.err
    assert files_below(tmp_path / "out") == tree


def test_sequential_names_pair_masks_with_pictures_and_keep_the_originals_in_the_manifest(
    tmp_path: Path,
) -> None:
    tree: dict[str, bytes] = {"pods/pods_info.json": b"{}"}
    for index, stem in enumerate(("10_b", "9_<new1>", "2_a ", "11_ФБ")):
        tree[f"pods/train/mugs_blue_greek/{stem}.jpg"] = picture(index)
        tree[f"pods/train_masks/mugs_blue_greek/{stem}.png"] = mask(index, "PNG") + bytes([index])
    root = tmp_path / "out"
    ended = get_real(tree, root, "--names", "sequential", dataset="pods")
    assert ended.code == 0, ended.err
    found = files_below(root)
    order = ("2_a ", "9_<new1>", "10_b", "11_ФБ")
    for number, stem in enumerate(order):
        assert (
            found[f"pods/train/mugs_blue_greek/{number}.jpg"]
            == tree[f"pods/train/mugs_blue_greek/{stem}.jpg"]
        )
        mask_of = tree[f"pods/train_masks/mugs_blue_greek/{stem}.png"]
        assert found[f"pods/train_masks/mugs_blue_greek/{number}.png"] == mask_of
    assert found["pods/pods_info.json"] == b"{}"
    assert len(found) == len(tree)
    originals = {row["path"]: row["member"] for row in manifest_of(root, "pods")}
    assert originals["pods/train/mugs_blue_greek/1.jpg"] == "pods/train/mugs_blue_greek/9_<new1>.jpg"
    assert {tree[member] for member in originals.values()} == set(found.values())


@pytest.mark.parametrize("pair", [("Füli.jpg", "Fu\u0308li.jpg"), ("a.jpg", "A.jpg")], ids=["forms", "case"])
def test_names_that_some_file_systems_take_for_one_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    tree = {f"dogs/train/Füli/{name}": picture(k) for k, name in enumerate(pair)}
    ended = get_real(tree, tmp_path / "out")
    assert ended.code == 5
    assert all(name in ended.report["problems"][0]["text"] for name in pair)
    assert files_below(tmp_path / "out") == {}


@pytest.mark.parametrize("root", ["", "pods/", "data/v2/pods/"], ids=["no root", "its own", "deeper"])
def test_the_root_folder_of_an_archive_does_not_matter(tmp_path: Path, root: str) -> None:
    tree = {path.replace("pods/", root, 1): data for path, data in expected("pods", "real").items()}
    ended = get_real(tree, tmp_path / "out", dataset="pods")
    assert ended.code == 0, ended.err
    assert files_below(tmp_path / "out") == expected("pods", "real")


def test_an_archive_of_another_layout_is_shown_in_the_error(tmp_path: Path) -> None:
    ended = get_real({"photos/2024/a.txt": b"x", "readme.md": b"y"}, tmp_path / "out", dataset="pods")
    assert ended.code == 2
    text = ended.report["problems"][0]["text"]
    assert "photos/" in text and "<split>" in text
    assert files_below(tmp_path / "out") == {}


def test_modes_are_plain_and_no_file_is_executable(got: Got) -> None:
    for folder, names, files in os.walk(got.root):
        for name in (*names, *files):
            path = Path(folder, name)
            if ".datafetch" not in path.parts:
                assert path.lstat().st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644), path


# --- Words -----------------------------------------------------------------------------------------------------------


def scaffolding(root: Path, dataset: str) -> list[str]:
    """What a finished run must not leave in the state folder."""
    state = root / ".datafetch" / dataset
    left = [
        path for name in ("parts", "archives", "staging", "assembling") for path in (state / name).rglob("*")
    ]
    left += [path for path in state.rglob("*") if path.name.endswith(".tmp") or path.name.startswith("lease")]
    return sorted(str(path.relative_to(state)) for path in left)


def _folders(dataset: str) -> list[str]:
    return [dataset, f"{dataset}_negatives", *(f"{dataset}_{name}" for name in SYNTHETIC.values())]


def _served() -> dict[str, Thing]:
    from upstream import things

    return dict(things())
