"""Which files a choice takes: the rule by itself, and what it promises to those who widen and narrow a choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.archive.runs import GAP, WASTE, runs
from datafetch.errors import UnknownName
from datafetch.layout.place import place
from datafetch.layout.subset import Feed, Kin, choose
from datafetch.model import Artifact, Http, Rule, Subset, Why
from datafetch.plan.subset import covers, joined

RULES = (
    Rule(("real/<root>/<split>/<class>/<file>",), "<split>/<class>/<file>"),
    Rule(("real/<root>/<split>/<file>",), "<split>/<file>"),
    Rule(("real/<root>/<file>",), "<file>"),
)
REAL = Artifact("real", Http(("https://example.org/real.zip",)), "pods", unpack=True)
NAMES = (
    "pods/info.json",
    "pods/train/list.txt",
    *(
        f"pods/{split}/{name}/{k}.jpg"
        for split in ("train", "test")
        for name in ("mug", "bottle")
        for k in range(12)
    ),
    *(f"pods/train_masks/{name}/{k}.png" for name in ("mug", "bottle") for k in range(12)),
)


def taken(*picks: Subset, names: tuple[str, ...] = NAMES, mode: str = "keep") -> set[str]:
    placed = place(REAL, RULES, names, mode, picks)
    return {target.removeprefix("pods/") for target in placed.targets if target is not None}


def test_a_split_brings_its_masks_and_the_documents_that_belong_to_none() -> None:
    found = taken(Subset(splits=("train",)))
    assert {path.partition("/")[0] for path in found} == {"info.json", "train", "train_masks"}
    assert len(found) == 2 + 24 + 24


def test_a_class_brings_documents_and_globs_are_classes() -> None:
    assert taken(Subset(classes=("m*",))) == {
        name.removeprefix("pods/") for name in NAMES if "bottle" not in name
    }


def test_the_first_n_are_by_number_and_masks_are_those_of_the_pictures() -> None:
    found = taken(Subset(splits=("train",), classes=("mug",), most=3))
    assert found == {"info.json", "train/list.txt"} | {
        f"{folder}/mug/{k}.{ending}"
        for folder, ending in (("train", "jpg"), ("train_masks", "png"))
        for k in range(3)
    }
    alone = taken(Subset(splits=("train_masks",), classes=("mug",), most=3))
    assert {path for path in alone if "masks" in path} == {f"train_masks/mug/{k}.png" for k in range(3)}


def test_files_are_taken_in_and_left_out_by_name_or_path() -> None:
    assert taken(Subset(include=("1*.jpg",), splits=("test",))) == {"info.json"} | {
        f"test/{name}/{k}.jpg" for name in ("mug", "bottle") for k in (1, 10, 11)
    }
    assert taken(Subset(include=("train/*/0.jpg",))) == {
        "info.json", "train/list.txt", "train/mug/0.jpg", "train/bottle/0.jpg",
    }  # fmt: skip
    assert "info.json" not in taken(Subset(exclude=("*.json",)))
    assert taken(Subset(exclude=("train", "**/test", "train_masks/**"), include=("*.jpg",)))


def test_where_there_are_no_classes_folders_of_pictures_count() -> None:
    flat = (Rule(("real/<root>/val2014/<file>",), "val2014/<file>"), Rule(("real/<root>/<file>",), "<file>"))
    names = (*(f"x/val2014/{k:03}.jpg" for k in range(20)), "x/captions.json", "x/val2014/licence.txt")
    for subset in (Subset(most=2), Subset(include=("000.jpg", "001.jpg"))):
        placed = place(REAL, flat, names, picks=(subset,))
        assert {target for target in placed.targets if target} == {
            *("pods/captions.json", "pods/val2014/licence.txt"),
            *("pods/val2014/000.jpg", "pods/val2014/001.jpg"),
        }


def test_a_number_does_not_depend_on_the_choice() -> None:
    names = tuple(f"pods/train/mug/{letter}.jpg" for letter in "abcdef")
    placed = place(REAL, RULES, names, "sequential", (Subset(include=("5.jpg",)),))
    assert [target for target in placed.targets if target] == ["pods/train/mug/5.jpg"]


def test_what_is_left_out_is_counted_and_what_does_not_exist_is_refused() -> None:
    placed = place(REAL, RULES, NAMES, picks=(Subset(classes=("mug",)),))
    assert sum(why == Why.NOT_CHOSEN for _, why in placed.skipped) == 36
    with pytest.raises(UnknownName, match="bottle, mug") as error:
        taken(Subset(classes=("mugs",)))
    assert error.value.hint == "did you mean --classes mug?"
    with pytest.raises(UnknownName, match="train_masks"):
        taken(Subset(splits=("query",)))


# --- Properties ------------------------------------------------------------------------------------------

words = st.sampled_from(("mug", "bottle", "m*", "*", "b*"))
subsets = st.builds(
    Subset,
    splits=st.lists(st.sampled_from(("train", "test", "train_masks")), max_size=2, unique=True).map(tuple),
    classes=st.lists(words, max_size=2, unique=True).map(tuple),
    most=st.none() | st.integers(1, 4),
    include=st.lists(st.sampled_from(("1*", "*.jpg", "train/**")), max_size=1).map(tuple),
    exclude=st.lists(st.sampled_from(("2.*", "test/mug")), max_size=1).map(tuple),
)
kins = st.builds(
    lambda split, label, k, ending: Kin(f"pods/{split}/{label}/{k}.{ending}", split, label, 3),
    st.sampled_from(("train", "test", "train_masks")),
    st.sampled_from(("mug", "bottle")),
    st.integers(0, 9),
    st.sampled_from(("jpg", "png")),
)
trees = st.lists(kins, max_size=40, unique_by=lambda one: one.path)


def chosen(picks: tuple[Subset, ...], files: list[Kin]) -> set[str]:
    return {one.path for one, yes in zip(files, choose(picks, files), strict=True) if yes}


@given(st.lists(subsets, max_size=3).map(tuple), subsets, trees)
def test_what_is_covered_is_there_and_joining_gives_up_nothing(
    picked: tuple[Subset, ...], wanted: Subset, files: list[Kin]
) -> None:
    before, now = chosen(picked, files), chosen((wanted,) if wanted else (), files)
    if covers(picked, wanted):
        assert now <= before
    together = joined(picked, wanted)
    assert chosen(together, files) == before | now
    assert covers(together, wanted) or not covers(together, Subset())


@given(subsets, trees)
def test_the_order_of_files_does_not_matter(subset: Subset, files: list[Kin]) -> None:
    assert chosen((subset,), files) == chosen((subset,), files[::-1])


@given(subsets, trees)
def test_one_at_a_time_it_is_the_same_but_for_the_first_n(subset: Subset, files: list[Kin]) -> None:
    feed = Feed((subset,) if subset else ())
    one_by_one = {one.path for one in files if feed.takes(one)}
    if subset.most is None:
        assert one_by_one == chosen((subset,) if subset else (), files)


gaps_and_sizes = st.lists(
    st.tuples(st.integers(0, 3 * GAP), st.integers(1, 200_000)), min_size=1, max_size=60
)


@given(gaps_and_sizes, st.integers(1, 1 << 20))
def test_requests_hold_every_span_and_little_else(pairs: list[tuple[int, int]], most: int) -> None:
    spans, at = [], 0
    for gap, size in pairs:
        spans.append((at + gap, at + gap + size))
        at += gap + size
    found = runs(spans, most)
    assert [index for run in found for index in range(run.first, run.last)] == list(range(len(spans)))
    for run in found:
        assert (run.start, run.end) == (spans[run.first][0], spans[run.last - 1][1])
        assert run.end - run.start <= most or run.last - run.first == 1
    wanted = sum(size for _, size in pairs)
    assert sum(run.end - run.start for run in found) <= (1 + WASTE) * wanted
