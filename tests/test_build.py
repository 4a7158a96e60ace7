"""layout.build: complete or absent, whatever happens on the way, and nothing of the user's touched."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest
from faults import count, dies_at, fails_at, killed_at
from hypothesis import given, settings
from hypothesis import strategies as st

from datafetch.errors import Damaged, DatafetchError, NoRoom, UnsafeArchive
from datafetch.layout import build
from datafetch.layout.build import forget_assembly, publish
from datafetch.layout.seals import drop_seals, seal, sealed
from datafetch.model import FileRecord

REAL = {
    "pods/train/screws/<new1>.jpg": b"one",
    "pods/train/screws/IMG 2.jpg": b"two",
    "pods/train/l'été.jpg": b"",
    "pods/test/1.jpg": b"three",
}
MASKS = {"pods/test_masks/1.png": b"mask", "pods/train/screws/extra.jpg": b"more"}
INFO = {"pods/pods_info.json": b"{}"}
ALL = {"real": REAL, "masks": MASKS, "info": INFO}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Place:
    """An output directory with one dataset in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / ".datafetch" / "pods"
        self.state.mkdir(parents=True, exist_ok=True)

    def stage(self, artifacts: Mapping[str, Mapping[str, bytes]]) -> Place:
        for slug, files in artifacts.items():
            records = []
            for path, data in files.items():
                file = self.state / "staging" / slug / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
                records.append(FileRecord(path, len(data), digest(data), "http://x/", "2026-01-01", slug))
            seal(self.state, slug, records)
        return self

    def publish(
        self, *slugs: str, owned: Mapping[str, str] | None = None, others: Collection[str] = ()
    ) -> tuple[FileRecord, ...]:
        slugs = slugs or tuple(ALL)
        publish(self.state, self.root, "pods", slugs, owned or {}, others)
        return tuple(record for slug in slugs for record in sealed(self.state, slug) or ())

    def finish(
        self, *slugs: str, owned: Mapping[str, str] | None = None, others: Collection[str] = ()
    ) -> set[str]:
        records = self.publish(*slugs, owned=owned, others=others)
        drop_seals(self.state, slugs or tuple(ALL))
        return {record.path for record in records}

    def files(self, below: str = "") -> dict[str, bytes]:
        """Everything below a folder; links are shown as such, folders only when empty."""
        found: dict[str, bytes] = {}
        for folder, folders, names in os.walk(self.root / below):
            here = Path(folder)
            for name in names + [name for name in folders if (here / name).is_symlink()]:
                path = here / name
                key = path.relative_to(self.root).as_posix()
                found[key] = b"link" if path.is_symlink() else path.read_bytes()
            if not folders and not names:
                found[f"{here.relative_to(self.root).as_posix()}/"] = b""
        return found

    def dataset(self) -> dict[str, bytes]:
        return {path: data for path, data in self.files().items() if not path.startswith(".datafetch")}


def merged(*parts: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: data for part in parts for path, data in part.items()}


@pytest.fixture(autouse=True)
def fsync_at_once(monkeypatch):
    """Thousands of waits for the disk would show nothing; that fsync is asked for is a step all the same."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data")


# The two folders of work stay until the run ends: another artifact may be on its way into them.
WORK = {".datafetch/pods/staging/": b"", ".datafetch/pods/assembling/": b""}
WHOLE = {**merged(REAL, MASKS, INFO), **WORK}


# --- What is published -------------------------------------------------------------------------------------


def test_all_artifacts_of_a_folder_come_together_and_nothing_else_stays(place):
    assert place.stage(ALL).finish() == set(merged(REAL, MASKS, INFO))
    assert place.files() == WHOLE


def test_publishing_twice_is_publishing_once(place):
    first = place.stage(ALL).publish()
    assert place.publish() == first
    drop_seals(place.state, ALL)
    drop_seals(place.state, ALL)
    assert place.files() == WHOLE


def test_a_large_tree_is_one_rename(place, monkeypatch):
    place.stage({"real": {f"pods/train/{n % 10}/{n}.jpg": b"" for n in range(2000)}})
    moves: list[str] = []
    for name in ("rename", "link", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, **k: (moves.append(a[0]), real(*a, **k))[1])
    place.publish("real")
    assert len(moves) == 3  # into assembling, into the output directory, and the note about it


def test_an_empty_folder_of_the_user_is_filled(place):
    (place.root / "pods").mkdir()
    place.stage(ALL).finish()
    assert place.files() == WHOLE


def test_a_seal_brings_back_every_field(place):
    record = FileRecord("pods/é \\ \n.jpg", 3, "ab", "http://x/", "2026", "real", "in/é.jpg", 4, 5)
    seal(place.state, "real", [record])
    assert sealed(place.state, "real") == (record,)
    assert sealed(place.state, "absent") is None


def test_an_artifact_without_a_seal_is_never_published(place):
    place.stage(ALL)
    (place.state / "staging" / "info.jsonl").unlink()
    with pytest.raises(ValueError, match="info"):
        place.publish()
    assert place.dataset() == {}


# --- What is there already ---------------------------------------------------------------------------------


def test_adding_to_a_published_folder_keeps_it(place):
    place.stage({"real": REAL}).finish("real")
    place.stage({"masks": MASKS}).finish("masks", others=REAL)
    assert place.dataset() == merged(REAL, MASKS)


def test_users_files_beside_ours_stay(place):
    note = place.root / "pods/train/notes.txt"
    note.parent.mkdir(parents=True)
    note.write_bytes(b"mine")
    place.stage(ALL).finish()
    assert place.dataset() == {**merged(REAL, MASKS, INFO), "pods/train/notes.txt": b"mine"}


@pytest.mark.parametrize("path", ["pods/pods_info.json", "pods/train/screws/IMG 2.jpg", "pods/test", "pods"])
def test_users_file_in_the_way_stops_before_anything_is_moved_in(place, path):
    mine = place.root / path
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_bytes(b"my")
    place.stage(ALL)
    with pytest.raises(NoRoom, match=f"{path}.*not ours") as caught:
        place.publish()
    assert caught.value.hint
    assert place.dataset() == {path: b"my"}
    mine.unlink()
    place.finish()
    assert place.files() == WHOLE


def test_users_folder_in_the_way_of_a_file_stops(place):
    (place.root / "pods/pods_info.json").mkdir(parents=True)
    with pytest.raises(NoRoom, match=r"pods_info\.json"):
        place.stage(ALL).publish()


def test_users_file_with_the_very_bytes_is_adopted(place):
    mine = place.root / "pods/test/1.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(REAL["pods/test/1.jpg"])
    before = mine.stat().st_ino
    place.stage(ALL).finish()
    assert place.files() == WHOLE
    assert mine.stat().st_ino == before


def test_owned_files_are_replaced_and_no_others(place):
    place.stage({"real": REAL}).finish("real")
    for path in REAL:
        (place.root / path).write_bytes(b"damaged")
    fixed = "pods/test/1.jpg"
    place.stage({"real": {fixed: REAL[fixed]}}).finish("real", owned=dict.fromkeys(REAL, ""))
    assert place.dataset() == {**dict.fromkeys(REAL, b"damaged"), fixed: REAL[fixed]}


@pytest.mark.parametrize("link", ["pods", "pods/train", "pods/train/screws", "pods/pods_info.json"])
@pytest.mark.parametrize("owned", [{}, dict.fromkeys(merged(REAL, MASKS, INFO), "")])
def test_links_in_the_target_are_never_followed(place, tmp_path, link, owned):
    outside = tmp_path / "outside"
    (outside / "screws").mkdir(parents=True)
    before = sorted(outside.rglob("*"))
    (place.root / link).parent.mkdir(parents=True, exist_ok=True)
    (place.root / link).symlink_to(outside)
    with pytest.raises(NoRoom, match=link):
        place.stage(ALL).publish(owned=owned)
    assert sorted(outside.rglob("*")) == before
    assert place.dataset() == {link: b"link"}


def test_target_swapped_for_a_link_after_all_has_moved_stops(place, tmp_path):
    place.stage(ALL).publish()
    os.rename(place.root / "pods", tmp_path / "outside")
    (place.root / "pods").symlink_to(tmp_path / "outside")
    with pytest.raises(NoRoom):
        place.publish()


@pytest.mark.parametrize("link", [".datafetch/pods/staging", ".datafetch/pods/assembling"])
def test_links_in_the_state_folder_are_never_followed(place, tmp_path, link):
    place.stage(ALL)
    outside = tmp_path / "outside"
    if (place.root / link).exists():
        os.rename(place.root / link, outside)
    else:
        outside.mkdir()
    (place.root / link).symlink_to(outside)
    before = sorted(outside.rglob("*"))
    with pytest.raises(NoRoom):
        place.publish()
    assert sorted(path for path in outside.rglob("*") if path.name != "pods.json") == before
    assert place.dataset() == {link: b"link"} or place.dataset() == {}


def test_output_directory_may_itself_be_a_link(place, tmp_path):
    place.stage(ALL)
    (tmp_path / "link").symlink_to(place.root)
    Place(tmp_path / "link").finish()
    assert place.files() == WHOLE


# --- What must not be published ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        "pods/train/screws/IMG 2.jpg",
        "pods/TRAIN/screws/x.jpg",
        "pods/pods_info.json/x",
        "pods/train/l'e\u0301te\u0301.jpg",
    ],
)
def test_two_artifacts_that_meet_are_refused(place, other):
    with pytest.raises(UnsafeArchive, match="pods/"):
        place.stage({**ALL, "other": {other: b"x"}}).publish(*ALL, "other")
    assert place.dataset() == {}


# `black` and `white` are values of one option and hold the same names. The second one's file replaced the
# first one's in silence, and the manifest gave the path to whoever was published last.
@pytest.mark.parametrize("data", [REAL["pods/test/1.jpg"], b"another"])
def test_a_path_of_another_published_artifact_is_refused_whatever_it_holds(place, data):
    place.stage({"white": REAL}).finish("white")
    place.stage({"black": {"pods/test/1.jpg": data, "pods/new.jpg": b"new"}})
    before = place.files()
    with pytest.raises(UnsafeArchive, match=r"black: pods/test/1\.jpg.*pods/test/1\.jpg") as caught:
        place.publish("black", others=REAL)
    assert caught.value.hint
    assert place.files() == before


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("pods/test/1.JPG", "pods/test/1.jpg"),
        ("pods/TRAIN/x.jpg", "pods/train/"),
        ("pods/train/l'e\u0301te\u0301.jpg", "pods/train/l'été.jpg"),
        ("pods/test/1.jpg/x", "pods/test/1.jpg"),
        ("pods/train/screws", "pods/train/screws/"),
    ],
)
def test_a_path_that_is_one_with_a_published_one_where_case_does_not_count_is_refused(place, path, other):
    place.stage({"white": REAL}).finish("white")
    place.stage({"black": {path: b"x"}})
    before = place.files()
    with pytest.raises(UnsafeArchive) as caught:
        place.publish("black", others=REAL)
    assert path in str(caught.value) and other in str(caught.value)
    assert place.files() == before


def test_published_paths_that_already_meet_each_other_stop_nobody_else(place):
    others = ["pods/a.jpg", "pods/A.jpg", "pods/X/1.jpg", "pods/x/1.jpg", "other/test/1.jpg", "Other/test"]
    place.stage({"real": REAL}).finish("real", others=others)
    assert place.dataset() == REAL


def test_files_that_no_seal_names_are_never_published(place):
    place.stage(ALL)
    staging, assembling = place.state / "staging", place.state / "assembling"
    (staging / "real/pods/left.jpg").write_bytes(b"of an earlier run")
    (staging / "real/pods/train/link").symlink_to(place.root)
    (staging / "real/pods/old/deep").mkdir(parents=True)
    (staging / "real/pods/old/deep/1.jpg").write_bytes(b"of an earlier run")
    (staging / "real/pods/test_masks").mkdir()
    (staging / "real/pods/test_masks/1.png").write_bytes(b"at a path of another artifact")
    (assembling / "pods/train/screws").mkdir(parents=True)
    (assembling / "pods/train/screws/gone.jpg").write_bytes(b"of a seal that was written anew since")
    (assembling / "pods/pods_info.json").mkdir()
    assert place.finish() == set(merged(REAL, MASKS, INFO))
    assert place.files() == WHOLE


def test_a_folder_that_stands_where_a_sealed_file_belongs_unseals_its_artifact(place):
    place.stage(ALL)
    file = place.state / "staging/info/pods/pods_info.json"
    file.unlink()
    file.mkdir()
    with pytest.raises(Damaged, match=r"pods_info\.json"):
        place.publish()
    place.stage({"info": INFO}).finish()
    assert place.files() == WHOLE


# `staging` went with the last seal while a thread was about to make a folder in it, which then failed.
def test_dropping_seals_leaves_the_folders_that_others_may_be_about_to_use(place):
    place.stage({"real": REAL}).finish("real")
    assert (place.state / "staging").is_dir() and (place.state / "assembling").is_dir()
    (place.state / "staging/other").mkdir()
    drop_seals(place.state, ["real", "masks"])
    assert (place.state / "staging/other").is_dir()


# A removal is not durable at once: after a power cut the note about the assembly was there again, for ever.
def test_what_a_power_cut_brings_back_of_an_assembly_is_forgotten_unless_it_is_on_its_way(place):
    dies_at(12, place.stage(ALL).publish)
    on_its_way = place.files()
    forget_assembly(place.state, "pods")
    assert place.files() == on_its_way
    place.finish()
    for left in ("pods.json", "pods/train/1.jpg"):
        (place.state / "assembling" / left).parent.mkdir(parents=True, exist_ok=True)
    (place.state / "assembling/pods.json").write_bytes(b'["real"]')
    for _ in range(2):
        forget_assembly(place.state, "pods")
        assert place.files() == WHOLE
    (place.state / "assembling/pods/train").mkdir(parents=True)
    forget_assembly(place.state, "pods")
    assert place.files() == WHOLE


# The artifacts of the run that was killed were made durable by a walk over all of `staging`.
def test_taking_apart_what_another_choice_assembled_leaves_the_staging_of_others_alone(place, monkeypatch):
    dies_at(12, place.stage(ALL).publish)
    assert (place.state / "assembling/pods.json").exists()
    synced: list[str] = []
    monkeypatch.setattr(build, "sync_tree", lambda path: synced.append(path.name))
    place.finish("real", "info")
    assert set(synced) <= set(ALL)
    assert place.dataset() == merged(REAL, INFO)


@pytest.mark.parametrize("harm", ["gone", "short", "link"])
def test_staged_file_that_is_gone_unseals_its_artifact_only(place, harm):
    file = place.stage(ALL).state / "staging/masks/pods/test_masks/1.png"
    file.unlink()
    if harm == "short":
        file.write_bytes(b"m")
    if harm == "link":
        file.symlink_to(place.state / "staging/info/pods/pods_info.json")
    with pytest.raises(Damaged, match=r"1\.png"):
        place.publish()
    assert place.dataset() == {}
    assert [sealed(place.state, slug) is not None for slug in ALL] == [True, False, True]
    place.publish("real", "info")
    assert place.dataset() == merged(REAL, INFO)
    place.stage({"masks": MASKS}).publish()
    drop_seals(place.state, ALL)
    assert place.files() == WHOLE


def test_published_file_deleted_before_the_manifest_unseals(place):
    place.stage(ALL).publish()
    (place.root / "pods/pods_info.json").unlink()
    with pytest.raises(Damaged):
        place.publish()
    place.stage({"info": INFO}).finish()
    assert place.files() == WHOLE


# --- Kills and faults at every step ------------------------------------------------------------------------


def fresh(root: Path) -> Place:
    return Place(root).stage(ALL)


def busy(root: Path) -> Place:
    """A folder that has been published before: files to add, to replace, to adopt, and one of the user's."""
    place = Place(root)
    place.stage({"real": REAL}).finish("real")
    (root / "pods/train/screws/IMG 2.jpg").write_bytes(b"damaged")
    (root / "pods/test_masks").mkdir(parents=True)
    (root / "pods/test_masks/1.png").write_bytes(b"mask")
    (root / "pods/notes.txt").write_bytes(b"mine")
    return place.stage(ALL)


SCENES = {fresh: WHOLE, busy: {**WHOLE, "pods/notes.txt": b"mine"}}
OWNED = dict.fromkeys(REAL, "")


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: some tests make hundreds of trees."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def each_step(folder: Path, scene) -> Iterator[tuple[int, Place]]:
    """A new place for every step that finishing takes."""
    staging = count(lambda: scene(folder / "staged"))
    steps = count(lambda: scene(folder / "finished").finish(owned=OWNED)) - staging
    assert steps > 20
    for step in range(steps):
        yield step, scene(folder / f"step {step}")


@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_any_step_then_run_again_gives_the_same_tree(quick, scene):
    for step, place in each_step(quick, scene):
        dies_at(step, lambda place=place: place.finish(owned=OWNED))
        assert_nothing_half_done(place, scene)
        redo(place)
        assert place.files() == SCENES[scene], f"step {step}"


@pytest.mark.parametrize("scene", SCENES)
def test_fault_at_any_step_stops_cleanly_and_the_next_run_finishes(quick, scene):
    codes = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE, errno.EROFS)
    for step, place in each_step(quick, scene):
        try:
            fails_at(step, codes[step % len(codes)], lambda place=place: place.finish(owned=OWNED))
        except NoRoom as error:
            assert error.hint
        assert_nothing_half_done(place, scene)
        redo(place)
        assert place.files() == SCENES[scene], f"step {step}"


def test_killed_again_and_again_still_finishes(tmp_path):
    place = busy(tmp_path)
    for step in range(60):
        try:
            dies_at(step, lambda: place.finish(owned=OWNED))
        except AssertionError:  # fewer steps were left than that
            break
        except ValueError:
            break
    redo(place)
    assert place.files() == SCENES[busy]


@pytest.mark.parametrize("seed", range(12))
def test_real_process_killed_at_random_then_run_again_gives_the_same_tree(tmp_path, seed):
    print(f"seed {seed}")
    dice = random.Random(seed)
    scene = dice.choice(list(SCENES))
    place = scene(tmp_path)
    for _ in range(3):
        killed_at(dice.randrange(8), lambda: place.publish(owned=OWNED))
    killed_at(dice.randrange(20), lambda: place.publish(owned=OWNED)) if scene is fresh else None
    redo(place)
    assert place.files() == SCENES[scene]


def redo(place: Place) -> None:
    """What a run does next: publish what is sealed; artifacts whose seals went with the kill are done."""
    waiting = [slug for slug in ALL if sealed(place.state, slug) is not None]
    if waiting:
        place.publish(*waiting, owned=OWNED)
    drop_seals(place.state, ALL)


def assert_nothing_half_done(place: Place, scene) -> None:
    """A folder is complete or absent; in one that was there, every file is an old or a new one, whole."""
    there = place.dataset()
    if scene is fresh:
        assert there in ({}, merged(REAL, MASKS, INFO))
    else:
        assert all(SCENES[busy][path] == data or data == b"damaged" for path, data in there.items())
        assert there["pods/notes.txt"] == b"mine"


@pytest.mark.parametrize("step", range(0, 24, 2))
def test_other_choice_after_a_kill_publishes_only_what_it_wants(tmp_path, step):
    place = fresh(tmp_path)
    dies_at(step, place.publish)
    before = place.dataset()
    place.finish("real", "info")
    assert place.dataset() == (before or merged(REAL, INFO))
    place.finish("masks", others=merged(REAL, INFO))
    assert place.files() == WHOLE


SEGMENTS = st.sampled_from(["a", "b", "c", "ü", "x y", "<new1>"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda names: "pods/" + "/".join(names) + ".jpg")
PARTS = st.dictionaries(PATHS, st.tuples(st.integers(0, 3), st.binary(max_size=4)), min_size=1, max_size=12)


@given(parts=PARTS, step=st.integers(0, 80), second=st.integers(0, 80), before=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_any_split_and_any_two_kills_end_in_the_whole_tree(tmp_path_factory, parts, step, second, before):
    place = Place(tmp_path_factory.mktemp("any"))
    artifacts = {
        str(n): {path: data for path, (part, data) in parts.items() if part == n} for n in range(before, 4)
    }
    earlier = {
        str(n): {path: data for path, (part, data) in parts.items() if part == n} for n in range(before)
    }
    if earlier:
        place.stage(earlier).finish(*earlier)
    place.stage(artifacts)
    for at in (step, second):
        try:
            dies_at(at, lambda: place.publish(*artifacts))
        except AssertionError:
            continue
    place.publish(*artifacts)
    drop_seals(place.state, artifacts)
    assert place.dataset() == {path: data for path, (_, data) in parts.items()}


def test_every_error_is_ours(tmp_path):
    place = fresh(tmp_path)
    with pytest.raises(DatafetchError):
        fails_at(3, errno.EFAULT, place.publish)
