"""Placing: what goes where, what is left out and why; for genuine shapes and for any."""

from __future__ import annotations

import random
import re

import pytest
from archives import CLASSES, JUNK, NFD_CLASS, PROMPTS, negatives, real_set, synthetic_set
from hypothesis import given, settings
from hypothesis import strategies as st

from datafetch.errors import LayoutMismatch, UnsafeArchive
from datafetch.foldnames import fold
from datafetch.layout.place import place
from datafetch.layout.sequence import natural, number
from datafetch.model import Artifact, Http, Rule, UrlList

RULES = (
    Rule(("real/<root>/<split>/<class>/<image>",), "<split>/<class>/<image>"),
    Rule(("real/<root>/pods_info.json",), "pods_info.json"),
    Rule(("real/<root>/pods_image_annos.json",), "pods_image_annos.json"),
    Rule(("synthetic/<set>/<root>/<class>/<image>",), "<class>/<image>"),
    Rule(("negatives/<root>/<category>/<image>",), "<category>_negatives/<image>"),
)
REAL = Artifact("real", Http(("https://host.example/pods.zip",)), "pods", unpack=True)
SYNTHETIC = Artifact("synthetic/llm", REAL.source, "pods_llm", unpack=True, skip=("*_rej", "*.done"))
NEGATIVES = Artifact("negatives", REAL.source, "pods_negatives", unpack=True)


def placed(artifact: Artifact, names: list[str], mode: str = "keep") -> dict[str, str]:
    found = place(artifact, RULES, names, mode)
    return {name: to for name, to in zip(names, found.targets, strict=True) if to is not None}


def test_the_real_set_loses_its_root_and_its_junk() -> None:
    names = [*real_set(), *JUNK, "pods/README.txt"]
    found = place(REAL, RULES, names)
    assert found.root == "pods"
    assert [to for to in found.targets if to is not None] == list(real_set())
    assert dict(found.skipped) == {**dict.fromkeys(JUNK, "junk"), "pods/README.txt": "no rule"}


@pytest.mark.parametrize("prefix", ["", "pods/", "data/pods/", "./x y/ü/"])
def test_any_root_will_do(prefix: str) -> None:
    names = [prefix + name.removeprefix("pods/") for name in real_set()]
    found = place(REAL, RULES, names)
    assert list(found.targets) == list(real_set())
    assert found.root == prefix.rstrip("/")


def test_the_root_is_where_most_members_fit() -> None:
    names = [f"pods/cfg_5.0/{name}/{k}.jpg" for name in ("a", "b") for k in range(3)]
    stray = ["pods/cfg_5.0/a/deeper/0.jpg", "other/0.jpg"]
    found = place(SYNTHETIC, RULES, names + stray)
    assert found.root == "pods/cfg_5.0"
    assert found.skipped == tuple((name, "picture outside the root") for name in stray)


def test_names_are_kept_as_upstream_has_them() -> None:
    tree = synthetic_set("dogs")
    kept = placed(SYNTHETIC, list(tree))
    assert {to.split("/")[1] for to in kept.values()} == set(CLASSES["dogs"])
    assert NFD_CLASS in CLASSES["dogs"]
    assert {to.split("/")[2] for to in kept.values()} == {f"{k}_{PROMPTS[k % 5]}.jpg" for k in range(12)}


def test_leftovers_of_the_generator_are_counted_as_unwanted() -> None:
    tree = synthetic_set()
    skipped = place(SYNTHETIC, RULES, list(tree)).skipped
    assert dict(skipped) == {name: "unwanted" for name in tree if "_rej/" in name or name.endswith(".done")}


@pytest.mark.parametrize(
    ("glob", "unwanted"),
    [
        ("*_rej", {"a_rej/1.jpg", "x/a_rej/b/1.jpg"}),
        ("*.txt", {"x/n.txt"}),
        ("x/*.jpg", {"x/1.jpg"}),
        ("x/*", {"x/1.jpg", "x/n.txt", "x/a_rej/b/1.jpg"}),
        ("**/b", {"x/a_rej/b/1.jpg"}),
        ("x/**/1.jpg", {"x/1.jpg", "x/a_rej/b/1.jpg"}),
        ("[ab]_rej", {"a_rej/1.jpg", "x/a_rej/b/1.jpg"}),
        ("rej", set()),
    ],
)
def test_skip_globs(glob: str, unwanted: set[str]) -> None:
    names = ["1.jpg", "a_rej/1.jpg", "x/1.jpg", "x/n.txt", "x/a_rej/b/1.jpg"]
    artifact = Artifact("all", REAL.source, "f", unpack=True, skip=(glob,))
    assert {name for name, why in place(artifact, (), names).skipped if why == "unwanted"} == unwanted


def test_negatives_get_the_folders_the_training_code_wants() -> None:
    kept = placed(NEGATIVES, list(negatives()))
    assert set(kept.values()) == {
        f"pods_negatives/{category}_negatives/{k}_a photo.jpg"
        for category in ("bottles", "mugs")
        for k in range(3)
    }


def test_without_rules_an_archive_stands_as_it_is() -> None:
    found = place(REAL, (), ["a/b.txt", "c"])
    assert found.targets == ("pods/real/a/b.txt", "pods/real/c")


def test_a_single_file_stands_under_its_name() -> None:
    note = Artifact("lists/notes.txt", REAL.source, "pods")
    assert place(note, (), ["notes.txt"]).targets == ("pods/notes.txt",)
    assert place(note, (Rule(("lists/notes.txt",), "doc/n.txt"),), ["notes.txt"]).targets == (
        "pods/doc/n.txt",
    )
    rule = Rule(("lists/notes.txt/<file>",), "doc/<file>")
    assert place(note, (rule,), ["notes.txt"]).targets == ("pods/doc/notes.txt",)


def test_images_of_a_list_stand_below_their_artifact() -> None:
    source = UrlList("list", "map", ("id",), ("<u>",), "<id>.jpg")
    assert place(Artifact("images", source, "p9d"), (), ["a/1.jpg"]).targets == ("p9d/images/a/1.jpg",)


def test_an_archive_that_fits_nowhere_is_shown() -> None:
    names = [f"pods_v2/images/{k}.jpg" for k in range(300)] + ["LICENSE"]
    with pytest.raises(LayoutMismatch) as refusal:
        place(REAL, RULES, names)
    text = str(refusal.value)
    assert "pods_v2/images/0.jpg (300 files)" in text
    assert "LICENSE (1 file)" in text
    assert "<root>/<split>/<class>/<image>" in text
    assert "\n" not in text
    assert refusal.value.exit_code == 2


def test_an_archive_is_shown_in_one_line_whatever_its_names_hold() -> None:
    with pytest.raises(LayoutMismatch) as refusal:
        place(REAL, RULES, ["a\nb/\x1b[31m.jpg"])
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("names", [[], ["__MACOSX/x"]])
def test_an_archive_without_files_fits_nowhere(names: list[str]) -> None:
    with pytest.raises(LayoutMismatch):
        place(REAL, (), names)


def test_targets_that_meet_are_refused_by_both_names() -> None:
    rule = Rule(("real/a/<file>", "real/b/<file>"), "<file>")
    with pytest.raises(UnsafeArchive, match=r"'a/X\.jpg' and 'b/x\.jpg'"):
        place(REAL, (rule,), ["a/X.jpg", "b/x.jpg"])


def test_a_million_names_take_linear_time() -> None:
    """Not timed: each folder is matched once, so the cost per name does not grow with rules or folders."""
    names = [f"pods/train/class_{k % 50}/{k}.jpg" for k in range(20_000)]
    assert len(set(place(REAL, RULES, names, "sequential").targets)) == 20_000


# --- Any names -------------------------------------------------------------------------------------------------------

SEGMENT = st.text("aAbB1.ü\u0308_", min_size=1, max_size=4).filter(lambda text: text not in (".", ".."))
PATHS = st.lists(
    st.one_of(
        st.builds(
            "{}/{}/{}/{}.jpg".format, SEGMENT, st.sampled_from(["train", "train_masks"]), SEGMENT, SEGMENT
        ),
        st.builds("{}/{}".format, SEGMENT, SEGMENT),
        st.sampled_from(["pods/pods_info.json", "__MACOSX/._a", "x/.DS_Store"]),
    ),
    max_size=25,
    unique_by=fold,
)
MODES = st.sampled_from(["keep", "sequential"])


@settings(max_examples=300)
@given(names=PATHS, mode=MODES, seed=st.integers(), rules=st.sampled_from([RULES, ()]))
def test_a_layout_never_collides_never_leaves_its_folder_and_does_not_heed_order(
    names: list[str], mode: str, seed: int, rules: tuple[Rule, ...]
) -> None:
    shuffled = random.Random(seed).sample(names, len(names))
    try:
        found = place(REAL, rules, names, mode)
    except (LayoutMismatch, UnsafeArchive) as error:
        with pytest.raises(type(error)):
            place(REAL, rules, shuffled, mode)
        return
    targets = [to for to in found.targets if to is not None]
    assert len({fold(to) for to in targets}) == len(targets)
    assert all(to.startswith("pods/") and not {"", ".", ".."} & set(to.split("/")) for to in targets)
    assert len(targets) + len(found.skipped) == len(names)
    again = place(REAL, rules, shuffled, mode)
    assert again.root == found.root
    assert dict(zip(shuffled, again.targets, strict=True)) == dict(zip(names, found.targets, strict=True))


@settings(max_examples=300)
@given(names=PATHS)
def test_sequential_is_a_bijection_that_keeps_folder_and_extension(names: list[str]) -> None:
    try:
        kept = place(REAL, RULES, names).targets
    except (LayoutMismatch, UnsafeArchive):
        return
    numbered = place(REAL, RULES, names, "sequential").targets
    pairs = [(a, b) for a, b in zip(kept, numbered, strict=True) if a is not None and b is not None]
    assert len({b for _, b in pairs}) == len(pairs) == len([a for a in kept if a is not None])
    for before, after in pairs:
        assert before.rpartition("/")[0] == after.rpartition("/")[0]
        if before.endswith("pods_info.json"):
            assert after == before
        else:
            assert re.fullmatch(r"\d+(\.[A-Za-z0-9]+)?", after.rpartition("/")[2])
            assert before.endswith(".jpg") == after.endswith(".jpg")


# --- Sequential ------------------------------------------------------------------------------------------------------


def test_numbers_follow_the_natural_order() -> None:
    names = ["10_b.jpg", "9_a.jpg", "9_B.jpg", "x.PNG", "0_A <new1>.jpg"]
    assert number([f"f/{name}" for name in names]) == {
        "f/0_A <new1>.jpg": "f/0.jpg",
        "f/9_B.jpg": "f/1.jpg",
        "f/9_a.jpg": "f/2.jpg",
        "f/10_b.jpg": "f/3.jpg",
        "f/x.PNG": "f/4.PNG",
    }


def test_masks_have_the_numbers_of_their_pictures() -> None:
    pictures = ["p/train/a/img_2.jpg", "p/train/a/img_10.jpg", "p/train/a/z.jpg"]
    masks = ["p/train_masks/a/img_10.png", "p/train_masks/a/z.jpg", "p/train_masks/a/lone.png"]
    numbered = number([*masks, *pictures])
    assert [numbered[path] for path in pictures] == ["p/train/a/0.jpg", "p/train/a/1.jpg", "p/train/a/2.jpg"]
    assert [numbered[path] for path in masks] == [
        "p/train_masks/a/1.png",
        "p/train_masks/a/2.jpg",
        "p/train_masks/a/3.png",
    ]


def test_masks_of_the_real_set_have_the_numbers_of_their_pictures() -> None:
    names = list(real_set())
    numbered = placed(REAL, names, "sequential")
    for name in names:
        if "_masks/" in name:
            assert numbered[name] == numbered[name.replace("_masks/", "/")].replace(
                name.split("/")[1].removesuffix("_masks") + "/", name.split("/")[1] + "/", 1
            )


def test_numbers_that_a_kept_name_bears_are_left_out() -> None:
    assert number(["f/a.jpg", "f/b.jpg"], {"f/0.jpg", "f/2"}) == {"f/a.jpg": "f/1.jpg", "f/b.jpg": "f/3.jpg"}


def test_an_extension_is_a_short_word_after_the_last_dot() -> None:
    names = ["a toolbox..jpg", "B.Atis pic", "v1.2 of it", ".hidden", "noext"]
    ends = {
        name: to.removeprefix("f/").lstrip("0123456789")
        for name, to in number([f"f/{n}" for n in names]).items()
    }
    assert set(ends.values()) == {".jpg", ""}


@given(st.lists(st.text("a1029_", min_size=1, max_size=6), unique=True), st.integers())
def test_natural_order_is_total(names: list[str], seed: int) -> None:
    shuffled = random.Random(seed).sample(names, len(names))
    assert sorted(shuffled, key=natural) == sorted(names, key=natural)


def test_pictures_that_lie_deeper_than_foreseen_are_an_error_and_never_left_out_in_silence() -> None:
    rules = (Rule(("set/<root>/<class>/<image>",), "<class>/<image>"),)
    deep = [f"top/{name}/images/{k}.jpg" for name in ("mugs", "shoes", "totes") for k in range(4)]
    artifact = Artifact("set", Http(("https://example.org/set.zip",)), "set", unpack=True)
    with pytest.raises(LayoutMismatch, match="8 pictures, such as"):
        place(artifact, rules, deep)
    flat = [f"top/cfg_5.0/{name}/{k}.jpg" for name in ("mugs", "shoes") for k in range(4)]
    placed = place(artifact, rules, [*flat, "top/cfg_5.0/overview.jpg"])
    assert placed.skipped == (("top/cfg_5.0/overview.jpg", "picture outside the root"),)


def test_a_capture_that_would_climb_out_refuses_the_archive() -> None:
    artifact = Artifact("set", Http(("https://example.org/set.zip",)), "set", unpack=True)
    with pytest.raises(UnsafeArchive, match=r"would be placed at '\.\.'"):
        place(artifact, (Rule(("set/a/img_<id>",), "<id>"),), ["a/img_.."])


CLIMBS = Artifact("set", Http(("https://example.org/set.zip",)), "set", unpack=True)


@pytest.mark.parametrize(
    "name", ["../x.jpg", "a/../x.jpg", "a//x.jpg", "./x.jpg", "a/", "/x.jpg", "a\0b.jpg"]
)
def test_a_member_without_a_rule_that_no_tree_could_hold_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnsafeArchive, match=re.escape(repr(name))):
        place(CLIMBS, (), ["good.jpg", name])


@pytest.mark.parametrize("mode", ["keep", "sequential"])
@pytest.mark.parametrize(
    ("source", "to", "name"),
    [
        ("set/a_<id>/<image>", "<id>/<image>", "a_../1.jpg"),
        ("set/a_<id>/<image>", "<id>/<image>", "a_./1.jpg"),
        ("set/<id>.d/<image>", "x/<id>/<image>", "...d/1.jpg"),
        ("set/<id>.d/<image>", "x/<id>/<image>", "a\0.d/1.jpg"),
        ("set/a/<image>", "<image>", "a/\0.jpg"),
        ("set/a/img_<id>", "<id>", "a/img_.."),
    ],
)
def test_a_captured_value_that_is_no_name_refuses_the_archive(
    source: str, to: str, name: str, mode: str
) -> None:
    with pytest.raises(UnsafeArchive, match=re.escape(repr(name))):
        place(CLIMBS, (Rule((source,), to),), [name], mode)


@pytest.mark.parametrize(
    ("source", "to", "name", "target"),
    [
        ("a/<class>/<file>", "<class>/<file>", "c/x y.jpg", "c/x y.jpg"),
        ("a/<class>/<file>", "<class>/<file>", "c/100%", "c/100%"),
        ("a/<class>/<file>", "all%/<file>", "%s/x", "all%/x"),
        ("a/<class>/<image>", "<class>/<image>", "c/x.txt", None),
        ("a/<class>/<split>", "<class>/<split>", "c/x", None),
        ("a/<class>/<file>", "<class>/<file>.png", "c/x", "c/x.png"),
        ("a/<class>/<file>", "<file>/<class>", "c/x", "x/c"),
    ],
)
def test_files_that_keep_their_names_go_where_the_rule_says(
    source: str, to: str, name: str, target: str | None
) -> None:
    """Folders whose files keep their names are placed once; what a rule says of single names still holds."""
    other = Rule(("a/sure",), "sure")  # so that something has a place
    found = place(
        Artifact("a", REAL.source, "out", unpack=True), [Rule((source,), to), other], [name, "sure"]
    )
    assert found.targets == (None if target is None else f"out/{target}", "out/sure")


@pytest.mark.parametrize("name", ["../x", "c/..", "c/.", "./x"])
def test_no_folder_and_no_name_that_is_kept_climbs_out(name: str) -> None:
    rules = [Rule(("a/<class>/<file>",), "<class>/<file>")]
    with pytest.raises(UnsafeArchive, match="would be placed at"):
        place(Artifact("a", REAL.source, "out", unpack=True), rules, [name, "c/x"])
