"""`get mscoco --prepro`: the files that NeuralTalk2 trains on, held against its rules written down once more."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import pytest
from coco import Release, get, heavy, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from neuraltalk2 import Files, prepare
from process import datafetch_, start
from server import FaultServer

from datafetch.model import Event, Prepro
from datafetch.talk import words
from datafetch.talk.prepro import prepare as ours

IDS = {"train": tuple(range(100, 117)), "val": tuple(range(200, 209))}


def talk(root: Path, name: str = "cocotalk") -> Files:
    return Files.load(root / "mscoco" / name)


def test_the_files_are_those_of_neuraltalk2s_own_rules(tmp_path: Path) -> None:
    release = Release(ids=IDS)
    with FaultServer(release.things().get) as server:
        ended = get(server, tmp_path / "out", "--prepro", "--num-val", "4", "--num-test", "3")
    assert ended.code == 0, ended.err
    files = talk(tmp_path / "out")
    files.agrees_with(prepare(release.raw(), tmp_path / "out/mscoco", 4, 3))
    # And as a trainer sees them.
    splits = [image["split"] for image in files.info["images"]]
    assert splits == ["val"] * 4 + ["test"] * 3 + ["train"] * 19
    captions = {record["id"]: record["captions"] for record in release.raw()}
    known = set(files.info["ix_to_word"].values())
    assert "UNK" in known
    for place, image in enumerate(files.info["images"]):
        said = [words.tokens(caption)[:16] for caption in captions[image["id"]]]
        spoken = [" ".join(word if word in known else "UNK" for word in caption) for caption in said]
        assert files.sentences(place) == spoken


def test_a_second_run_makes_nothing_and_other_sizes_make_it_anew(tmp_path: Path) -> None:
    release, out = Release(ids=IDS), tmp_path / "out"
    with FaultServer(release.things().get) as server:
        first = get(server, out, "--prepro", "--num-val", "4")
        h5, talk_json = out / "mscoco/cocotalk.h5", out / "mscoco/cocotalk.json"
        before = h5.stat().st_ino, h5.read_bytes(), talk_json.read_bytes()
        asked = len(server.seen)
        again = get(server, out, "--prepro", "--num-val", "4")
        assert (h5.stat().st_ino, h5.read_bytes(), talk_json.read_bytes()) == before
        assert again.report["tree_digest"] == first.report["tree_digest"] != ""
        assert get(server, out, "--prepro", "--num-val", "9", "--num-test", "0").code == 0
        assert len(server.seen) == asked
    assert [image["split"] for image in talk(out).info["images"]].count("val") == 9
    verified = datafetch_("verify", "mscoco", "-o", "out", "--registry", "recipes", cwd=tmp_path)
    assert verified.code == 0, verified.out
    assert not (out / ".datafetch/mscoco/prepro").exists()


def test_what_was_made_is_made_again_when_it_is_lost_or_damaged(tmp_path: Path) -> None:
    release, out = Release(ids=IDS), tmp_path / "out"
    args = ("-o", "out", "--registry", "recipes")
    with FaultServer(release.things().get) as server:
        assert get(server, out, "--prepro", "--num-val", "4").code == 0
        whole = (out / "mscoco/cocotalk.h5").read_bytes()
        with open(out / "mscoco/cocotalk.h5", "r+b") as file:
            file.seek(5000)
            file.write(b"damaged")
        (out / "mscoco/cocotalk.json").unlink()
        mended = datafetch_(
            "verify", "mscoco", "--repair", "--mirror", server.url, "--mirror-only", *args, cwd=tmp_path
        )
        assert mended.code == 0, mended.out + mended.err
        assert (out / "mscoco/cocotalk.h5").read_bytes() == whole
        (out / "mscoco/cocotalk.h5").unlink()
        assert get(server, out).code == 0
    assert (out / "mscoco/cocotalk.h5").read_bytes() == whole


def test_files_of_an_older_coco_raw_are_told_of(tmp_path: Path) -> None:
    release, out = Release(ids=IDS), tmp_path / "out"
    with FaultServer(release.things().get) as server:
        assert get(server, out, "--split", "val", "--prepro", "--num-val", "4").code == 0
        told = get(server, out)
        assert any("was made of another mscoco/coco_raw.json" in note for note in told.report["notes"])
        assert get(server, out, "--prepro", "--num-val", "4").code == 0
    talk(out).agrees_with(prepare(release.raw(), out / "mscoco", 4, 5000))


def test_a_file_of_the_users_own_is_not_overwritten(tmp_path: Path) -> None:
    release, out = Release(ids=IDS), tmp_path / "out"
    with FaultServer(release.things().get) as server:
        assert get(server, out).code == 0
        (out / "mscoco/cocotalk.h5").write_bytes(b"mine")
        ended = get(server, out, "--prepro")
        assert ended.code == 12 and "cocotalk.h5: in the way, and not ours" in ended.err
        assert (out / "mscoco/cocotalk.h5").read_bytes() == b"mine"
        assert not (out / "mscoco/cocotalk.json").exists()


def test_a_signal_or_the_clock_ends_it_with_one_line_and_a_report(tmp_path: Path) -> None:
    """It ran outside of what ends a run: SIGTERM left no line, no report and the lease, --max-duration did nothing."""
    release, out = Release(), tmp_path / "out"
    release.instead = {release.name(split, id): heavy() for split, ids in release.ids.items() for id in ids}
    args = ("get", "mscoco", "--prepro", "--num-val", "4", "-o", "out", "--registry", "recipes", "--json")
    with FaultServer(release.things().get) as server:
        assert get(server, out).code == 0
        args += ("--mirror", server.url, "--mirror-only")
        late = datafetch_(*args, "--max-duration", "0.5s", cwd=tmp_path)
        assert late.code == 10 and "--max-duration is over" in late.report["problems"][0]["text"]
        state = out / ".datafetch/mscoco"
        with start(args, tmp_path) as process:
            while not list(state.glob("prepro/**/.cocotalk.h5.tmp")) and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert [problem["text"] for problem in json.loads(said)["problems"]] == ["interrupted"]
    assert json.loads((state / "report.json").read_bytes())["exit_code"] == 143
    assert not (state / "lease").exists() and not (state / "prepro").exists()
    assert not list((out / "mscoco").glob("*cocotalk*"))


def test_without_the_extra_it_says_so_in_one_line_before_a_byte_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'h5py' else found(name, *more)\n"
    )
    code = "import sitecustomize; from datafetch.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "get", "mscoco", "--prepro", "-o", "out"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin"},
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: --prepro needs h5py, which is not installed",
        "hint: pip install 'datafetch[hdf5]'",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words,said",
    [
        (("pods", "--prepro"), "pods has no captions for --prepro"),
        (("mscoco", "--num-val", "5"), "--num-val goes with --prepro"),
        (("mscoco", "--prepro", "--max-length", "0"), "--max-length: 0 is less than 1"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ended = datafetch_("get", *words, "-o", "out", cwd=tmp_path)
    assert ended.code == 2 and said in ended.err
    assert not list(tmp_path.iterdir())


# --- The rules themselves, away from any dataset ---


def make(folder: Path, raw: list[dict[str, Any]], rules: Prepro) -> tuple[Files, tuple[str, ...]]:
    (folder / "raw.json").write_text(json.dumps(raw))
    done = ours(folder / "raw.json", folder, folder / "talk.json", folder / "talk.h5", rules, _silent, _on)
    return Files.load(folder / "talk"), done.notes


def _on() -> None:
    """Nothing ends it."""


def _silent(event: Event) -> None:
    pass


def test_what_prepro_would_stop_at_is_left_out_and_counted(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.jpg").write_bytes(picture(ord(name)))
    raw = [
        {"file_path": "a.jpg", "id": 1, "captions": ["A dog.", "...", "a DOG!"]},
        {"file_path": "b.jpg", "id": 2, "captions": []},
        {"file_path": "c.jpg", "id": 3, "captions": ["!?"]},
        {"file_path": "gone.jpg", "id": 4, "captions": ["a cat"]},
        {"file_path": "d.jpg", "id": "05", "captions": ["voilà — ça"]},
    ]
    files, notes = make(tmp_path, raw, Prepro(1, 0, 0, 3))
    good = [
        {"file_path": "a.jpg", "id": 1, "captions": ["A dog.", "a DOG!"]},
        {"file_path": "d.jpg", "id": "05", "captions": ["voilà — ça"]},
    ]
    files.agrees_with(prepare(good, tmp_path, 1, 0, 0, 3))
    assert notes == (
        "1 pictures are not here, and are left out",
        "2 pictures have no caption with a word, and are left out",
        "1 captions hold no word, and are left out",
    )


_WORDS = ["a", "Dog", "dog,", "the", "(cat)", "x-y", "É", "UNK", "12"]
_CAPTION = st.lists(st.sampled_from(_WORDS), min_size=1).map(" ".join)


@settings(max_examples=30)
@given(
    said=st.lists(st.lists(_CAPTION, min_size=1, max_size=4), min_size=1, max_size=12),
    num_val=st.integers(0, 5),
    num_test=st.integers(0, 5),
    threshold=st.integers(0, 6),
    longest=st.integers(1, 9),
)
def test_any_captions_become_what_the_rules_say(
    said: list[list[str]],
    num_val: int,
    num_test: int,
    threshold: int,
    longest: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("talk")
    (folder / "p.jpg").write_bytes(picture(1))
    raw = [{"file_path": "p.jpg", "id": at, "captions": captions} for at, captions in enumerate(said)]
    files, _ = make(folder, raw, Prepro(num_val, num_test, threshold, longest))
    files.agrees_with(prepare(raw, folder, num_val, num_test, threshold, longest))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_three_channels(tmp_path: Path, mode: str) -> None:
    from PIL import Image

    form = "JPEG" if mode == "CMYK" else "PNG"
    Image.new("RGB", (9, 7), (200, 30, 90)).convert(mode).save(tmp_path / "p.img", form)
    raw = [{"file_path": "p.img", "captions": ["a"]}]
    files, _ = make(tmp_path, raw, Prepro())
    assert files.arrays["images"].shape == (1, 3, 256, 256)
    assert "id" not in files.info["images"][0]


@pytest.mark.parametrize(
    "text,said",
    [
        ("{}", "expected a JSON list"),
        ('[{"captions": "a"}]', "record 1 is no picture"),
        ('[{"file_path": "../a.jpg", "captions": []}]', "is not a path below"),
        ('[{"file_path": "/etc/passwd", "captions": []}]', "is not a path below"),
        ("[]", "names no picture with a caption"),
        ("", "expected a JSON list"),
    ],
)
def test_a_document_that_is_none_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    from datafetch.errors import BadList

    (tmp_path / "raw.json").write_text(text)
    with pytest.raises(BadList, match=said):
        ours(tmp_path / "raw.json", tmp_path, tmp_path / "t.json", tmp_path / "t.h5", Prepro(), _silent, _on)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw.json"]


def test_the_arrays_are_of_the_types_that_the_loader_reads(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(picture(1))
    make(tmp_path, [{"file_path": "p.jpg", "captions": ["a b c"]}], Prepro())
    with h5py.File(tmp_path / "talk.h5", "r") as file:
        assert {name: (str(file[name].dtype), file[name].shape) for name in file} == {
            "images": ("uint8", (1, 3, 256, 256)),
            "labels": ("uint32", (1, 16)),
            "label_start_ix": ("uint32", (1,)),
            "label_end_ix": ("uint32", (1,)),
            "label_length": ("uint32", (1,)),
        }
