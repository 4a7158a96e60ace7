"""`get pods --source hf`: the real set from parquet tables, end to end through the command line."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from archives import PODS_CLASSES, picture
from hub import hub, in_turn
from process import Ended, datafetch_, start
from server import Answer, Exchange, FaultServer, Thing, corrupt, first, status
from tables import HUB, JPEG, REVISION, TESTS, expected, table_of, things
from test_cli_tree import files_below, manifest_of, scaffolding, tree_digest
from upstream import Upstream, address
from upstream import expected as expected_of

TRAIN = f"{HUB}/train-00000-of-00001.parquet"


def mirror(instead: Mapping[str, Answer] | None = None) -> FaultServer:
    """A mirror of upstream and of the copy on the hub."""
    return Upstream(dict(instead or {})).serve()


def get(server: FaultServer, root: Path, *more: str, env: Mapping[str, str] | None = None) -> Ended:
    args = ("get", "pods", "--mirror", server.url, "--mirror-only", "-o", str(root), "--json", *more)
    return datafetch_(*args, cwd=root.parent, env=env)


def asked(server: FaultServer) -> list[str]:
    return sorted(seen.path for seen in server.seen)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A complete dataset, to be copied, and its digest."""
    root = tmp_path_factory.mktemp("base") / "out"
    with mirror() as server:
        ended = get(server, root, "--source", "hf")
    assert ended.code == 0, ended.err
    return root, ended.report["tree_digest"]


@pytest.fixture
def root(base: tuple[Path, str], tmp_path: Path) -> Path:
    return Path(shutil.copytree(base[0], tmp_path / "out"))


# --- The tree --------------------------------------------------------------------------------------------------------


def test_every_picture_stands_where_the_loaders_look_and_nothing_else_does(base: tuple[Path, str]) -> None:
    root, digest = base
    assert files_below(root) == expected()
    assert digest == tree_digest(root, list(expected()))
    assert scaffolding(root, "pods") == []


def test_the_tree_reads_as_a_folder_of_classes_with_a_mask_for_each_picture_that_has_one(
    base: tuple[Path, str],
) -> None:
    """As upstream's loaders list it: classes are the folders of train, masks are found by replacing in the path."""
    pods = base[0] / "pods"
    assert sorted(os.listdir(pods)) == ["test", "test_dense", "test_dense_masks", "train", "train_masks"]
    for split in os.listdir(pods):
        assert sorted(os.listdir(pods / split)) == sorted(PODS_CLASSES)
    for image in (pods / "train").rglob("*.*"):
        twin = Path(str(image).replace("/train/", "/train_masks/")).with_suffix(".jpg")
        assert twin.is_file()
    for image in (pods / "test_dense").rglob("*.*"):
        assert Path(str(image).replace("/test_dense/", "/test_dense_masks/")).is_file()
    numbers = sorted(int(path.stem) for path in (pods / "test" / PODS_CLASSES[1]).iterdir())
    assert numbers == list(range(len(numbers))) and len(numbers) > 5, "counted over all three tables"


def test_the_manifest_says_which_address_a_picture_is_from(base: tuple[Path, str]) -> None:
    lines = {line["path"]: line for line in manifest_of(base[0], "pods")}
    assert lines.keys() == expected().keys()
    assert lines[f"pods/train/{PODS_CLASSES[0]}/0.jpg"]["url"] == (
        f"hf://datasets/chaenayo/PODS@{REVISION}/data/train-00000-of-00001.parquet"
    )


def test_numbering_by_us_changes_nothing_since_the_names_are_numbers(tmp_path: Path) -> None:
    with mirror() as server:
        ended = get(server, tmp_path / "out", "--source", "hf", "--names", "sequential")
    assert ended.code == 0
    found = files_below(tmp_path / "out")
    assert {path: found[path] for path in found if "_masks/" not in path} == {
        path: data for path, data in expected().items() if "_masks/" not in path
    }
    assert sorted(found) == sorted(expected())


def test_counts_that_differ_from_upstreams_are_noted_for_this_source_too(tmp_path: Path) -> None:
    with mirror() as server:
        args = ("get", "pods", "--source", "hf", "--mirror", server.url, "-o", str(tmp_path / "out"))
        said = datafetch_(*args, cwd=tmp_path).err
    assert "note: pods/train/**: 9 files, upstream speaks of 300" in said
    assert "note: pods/test/**: 13 files, upstream speaks of 10888" in said
    assert "note: pods/test_dense/**: 6 files, upstream speaks of 1200" in said


def test_from_the_hub_itself_each_table_is_proven_by_the_checksum_that_the_hub_says(
    tmp_path: Path, base: tuple[Path, str]
) -> None:
    """Even where the damage is in notes that nobody reads, which no checksum of a page would show."""
    data = {path.removeprefix("/huggingface.co/"): thing.data for path, thing in things().items()}
    answers = {key: in_turn(corrupt(Thing(table)), Thing(table)) for key, table in data.items()}

    def store(exchange: Exchange) -> None:
        answers[exchange.seen.path.partition("?")[0].removeprefix("/xet/")](exchange)

    with hub(store) as (fake, server):
        fake.large.update(data)
        env = {"HF_ENDPOINT": server.url}
        args = ("get", "pods", "--source", "hf", "--allow-private", "-o", str(tmp_path / "out"), "--json")
        ended = datafetch_(*args, cwd=tmp_path, env=env)
    assert (ended.code, ended.report["tree_digest"]) == (0, base[1]), ended.err
    assert ended.err.count('"why":"checksum"') == len(data)


# --- Which source ----------------------------------------------------------------------------------------------------


def test_the_source_is_taken_from_the_environment_as_every_option_is(tmp_path: Path) -> None:
    with mirror() as server:
        assert get(server, tmp_path / "out", env={"DATAFETCH_SOURCE": "hf"}).code == 0
        assert asked(server) == sorted(things())


def test_a_wrong_source_lists_the_valid_ones_and_the_nearest(tmp_path: Path) -> None:
    ended = datafetch_("get", "pods", "--source", "hff", cwd=tmp_path)
    assert ended.code == 3
    assert 'pods has no --source "hff"; expected zip or hf' in ended.err
    assert "hint: did you mean --source hf?" in ended.err


def test_other_sets_are_added_to_either_source(tmp_path: Path) -> None:
    with mirror() as server:
        assert get(server, tmp_path / "out", "--source", "hf", "--negatives").code == 0
    assert files_below(tmp_path / "out") == {**expected(), **expected_of("pods", "negatives")}


def test_a_dataset_of_one_source_is_never_mixed_with_the_other(root: Path) -> None:
    before = files_below(root)
    with mirror() as server:
        for more in ((), ("--source", "zip"), ("--negatives",), ("--all",)):
            ended = get(server, root, *more)
            assert ended.code == 2
            assert "error: pods/ was built with --source hf\n" in ended.err
            assert "hint: keep to --source hf, or build into another folder with -o" in ended.err
        assert asked(server) == []
        assert files_below(root) == before
        assert get(server, root, "--only", "negatives").code == 0, "what is in other folders goes with both"


def test_and_the_other_way_round(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with mirror() as server:
        assert get(server, root).code == 0
        ended = get(server, root, "--source", "hf")
        assert ended.code == 2 and "pods/ was built with --source zip" in ended.err
        assert asked(server) == [address("pods", "real")]
    assert files_below(root) == expected_of("pods", "real")


def test_the_other_source_serves_while_nothing_is_built(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with mirror({"/pods.zip": Thing(b"no zip")}) as server:
        assert get(server, root).code == 5
        assert get(server, root, "--source", "hf").code == 0
    assert files_below(root) == expected()


def test_what_one_source_left_halfway_goes_when_the_other_has_built_the_folder(tmp_path: Path) -> None:
    """Its staged files would otherwise take their room for ever, since this source is refused from then on."""
    root = tmp_path / "out"
    with mirror({f"{HUB}/{TESTS[2]}": status(404)}) as server:
        assert get(server, root, "--source", "hf").code == 4
        assert (root / ".datafetch/pods/staging/hf+train.jsonl").exists()
        assert get(server, root).code == 0
    assert files_below(root) == expected_of("pods", "real")
    assert scaffolding(root, "pods") == []


def test_without_pyarrow_it_says_what_to_install_before_a_byte_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pyarrow'] = None")
    paths = os.pathsep.join((str(tmp_path), *filter(None, sys.path)))
    with mirror() as server:
        ended = get(server, tmp_path / "out", "--source", "hf", env={"PYTHONPATH": paths})
        assert asked(server) == []
        assert get(server, tmp_path / "out", env={"PYTHONPATH": paths}).code == 0, "the zip needs none"
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "error: hf/train, a parquet file, needs pyarrow, which is not installed",
        "hint: pip install 'datafetch[parquet]'",
    ]


# --- Again, damaged, killed ------------------------------------------------------------------------------------------


def test_a_second_run_asks_nobody(root: Path, base: tuple[Path, str]) -> None:
    with mirror() as server:
        ended = get(server, root, "--source", "hf")
        assert asked(server) == []
    assert (ended.code, ended.report["bytes"]["transferred"]) == (0, 0)
    assert ended.report["tree_digest"] == base[1]


def test_verify_finds_a_flipped_bit_and_repair_fetches_only_the_tables_of_its_split(
    root: Path, base: tuple[Path, str]
) -> None:
    victim = root / f"pods/test/{PODS_CLASSES[1]}/4.jpg"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    (root / f"pods/train_masks/{PODS_CLASSES[2]}/1.jpg").unlink()
    with mirror() as server:
        args = ("verify", "pods", "--mirror", server.url, "-o", str(root), "--json", "--full")
        assert datafetch_(*args, cwd=root.parent).code == 13
        assert asked(server) == []
        mended = datafetch_(*args, "--repair", cwd=root.parent)
        assert asked(server) == sorted([TRAIN, *(f"{HUB}/{name}" for name in TESTS)])
    assert (mended.code, mended.report["tree_digest"]) == (0, base[1])
    assert files_below(root) == expected()


@pytest.mark.parametrize("path", things(), ids=lambda path: path.rpartition("/")[2])
def test_a_table_that_arrives_damaged_is_fetched_once_more_and_no_other_is(tmp_path: Path, path: str) -> None:
    thing = things()[path]
    inside = thing.data.index(JPEG) + 100  # of a picture: notes of pages that nobody reads may be damaged
    with mirror({path: first(1, corrupt(thing, inside), thing)}) as server:
        ended = get(server, tmp_path / "out", "--source", "hf")
        assert asked(server) == sorted([*things(), path])
    assert ended.code == 0, ended.err
    assert files_below(tmp_path / "out") == expected()


def test_a_sign_in_page_in_place_of_any_table_is_never_taken_for_one(tmp_path: Path) -> None:
    page = Thing(b"<!doctype html><title>Sign in</title>" + bytes(2000))
    with mirror({f"{HUB}/{TESTS[1]}": page}) as server:
        ended = get(server, tmp_path / "out", "--source", "hf")
    assert ended.code == 7
    assert files_below(tmp_path / "out") == {}


@pytest.mark.parametrize("label", ["../../../evil", "a/b", "/evil", ".."])
def test_a_hostile_label_ends_the_run_with_nothing_written_anywhere(tmp_path: Path, label: str) -> None:
    hostile = Thing(table_of([(picture(1), None, "mugs"), (picture(2), None, label)]))
    with mirror({TRAIN: hostile}) as server:
        ended = get(server, tmp_path / "out", "--source", "hf")
    assert ended.code == 5
    assert [problem["name"] for problem in ended.report["problems"]] == ["hf/train"]
    assert "row 1 of hf+train, column label" in ended.err
    assert os.listdir(tmp_path) == ["out"] and os.listdir(tmp_path / "out") == [".datafetch"]


def test_an_empty_part_that_a_killed_run_left_of_a_table_goes_in_a_later_run(root: Path) -> None:
    """Killed between renaming a table in and saying so, the next run made a part anew and left it there."""
    parts = root / ".datafetch/pods/parts"
    parts.mkdir()
    (parts / f"hf+test+{TESTS[1]}.part").touch()
    with mirror() as server:
        assert get(server, root, "--source", "hf").code == 0
    assert scaffolding(root, "pods") == []


class Slow:
    """The file in small pieces with a moment between them, ranges honoured."""

    def __init__(self, thing: Thing) -> None:
        self._thing = thing

    def __call__(self, exchange: Exchange) -> None:
        status, body, headers = self._thing.rest(exchange.seen)
        exchange.head(status, headers)
        for at in range(0, len(body), 2 << 10):
            exchange.raw(body[at : at + (2 << 10)])
            time.sleep(0.01)


@pytest.mark.parametrize("phase", ["started", "progress", "fetched", "extract", "staged", "built"])
def test_killed_at_any_phase_the_next_run_ends_with_the_same_tree(
    tmp_path: Path, base: tuple[Path, str], phase: str
) -> None:
    root, chance = tmp_path / "out", random.Random(phase)
    words = ("get", "pods", "--source", "hf", "--mirror-only", "-o", str(root), "--json", "-v")
    with mirror({path: Slow(thing) for path, thing in things().items()}) as server:
        with start((*words, "--mirror", server.url), tmp_path) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if f'"kind":"{phase}"' in line:
                    break
            time.sleep(chance.random() * 0.03)
            process.send_signal(signal.SIGKILL)
            process.stderr.read()
        if (root / "pods").exists():
            assert files_below(root) == expected()
        ended = datafetch_(*words, "--mirror", server.url, cwd=tmp_path)
    assert (ended.code, ended.report["tree_digest"]) == (0, base[1])
    assert files_below(root) == expected()
    assert scaffolding(root, "pods") == []
