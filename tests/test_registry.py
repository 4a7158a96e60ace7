"""The recipes that ship: sound, and exactly what upstream's pages say."""

from __future__ import annotations

from pathlib import Path

import pytest

from datafetch.layout.place import place
from datafetch.model import Artifact, Http, Recipe, Shard, Shards, Status
from datafetch.recipe import registry
from datafetch.recipe.files import builtin, read_recipes, recipe_files
from datafetch.recipe.lint import lint

BASE = "https://data.csail.mit.edu/personal_rep"
DATASETS = ("pods", "dogs", "df2")
# Upstream's dataset page lists these ten below syn_data/<dataset>/<dataset>_, in each of its three tables.
SYNTHETIC = (
    "dreambooth_cfg_4",
    "dreambooth_cfg_5",
    "dreambooth_cfg_7.5",
    "dreambooth_llm_cfg_4",
    "dreambooth_llm_cfg_5",
    "dreambooth_llm_cfg_7.5",
    "dreambooth_llm_masked_filtered_cfg_5",
    "cut_and_paste_sd_background",
    "cut_and_paste_real_background",
    "negatives",
)
RECIPES = {name: registry.load(name) for name in DATASETS}


def artifact(recipe: Recipe, name: str) -> Artifact:
    return next(each for each in recipe.artifacts if each.name == name)


def placed(dataset: str, name: str, *members: str) -> list[str | None]:
    """Where the recipe's own layout puts the members of one of its archives."""
    recipe = RECIPES[dataset]
    return list(place(artifact(recipe, name), recipe.layout, members).targets)


def test_the_registry_has_no_issues() -> None:
    assert lint([builtin()]) == ()


@pytest.mark.parametrize("path", recipe_files(builtin()), ids=lambda path: path.name)
def test_every_recipe_expands_without_duplicates(path: Path) -> None:
    found = read_recipes(path)
    assert found
    for one in found:
        names = [each.name for each in one.recipe.artifacts]
        assert len(set(names)) == len(names)
        assert one.recipe.title
        assert one.recipe.file == str(path)


HUB = "hf://datasets/chaenayo/PODS@ea9cf70703a352548cb7525602fdfc07bcab5891/data"


def archives(recipe: Recipe) -> list[Artifact]:
    """The artifacts that are not of the copy on Hugging Face."""
    return [each for each in recipe.artifacts if not each.name.startswith("hf/")]


def test_the_personal_rep_family_is_exactly_the_33_archives_upstream_lists() -> None:
    listed = {f"{BASE}/{dataset}.zip" for dataset in DATASETS} | {
        f"{BASE}/syn_data/{dataset}/{dataset}_{name}.zip" for dataset in DATASETS for name in SYNTHETIC
    }
    found = [
        url
        for recipe in RECIPES.values()
        for each in archives(recipe)
        if isinstance(each.source, Http)
        for url in each.source.urls
    ]
    assert len(found) == len(listed) == 33
    assert set(found) == listed


@pytest.mark.parametrize("dataset", DATASETS)
def test_each_dataset_has_eleven_archives_that_are_unpacked(dataset: str) -> None:
    recipe = RECIPES[dataset]
    assert len(archives(recipe)) == 11
    assert all(each.unpack for each in recipe.artifacts)
    assert recipe.groups == ("real", "synthetic", "negatives")


def test_the_copy_of_pods_on_hugging_face_is_at_a_pinned_revision_and_its_test_split_is_three_tables() -> (
    None
):
    found = {each.name: each for each in RECIPES["pods"].artifacts if each not in archives(RECIPES["pods"])}
    assert [each.source for each in found.values()] == [
        Http((f"{HUB}/train-00000-of-00001.parquet",)),
        Shards(
            tuple(
                Shard(name, (f"{HUB}/{name}",))
                for k in range(3)
                if (name := f"test-0000{k}-of-00003.parquet")
            )
        ),
        Http((f"{HUB}/test_dense-00000-of-00001.parquet",)),
    ]
    assert {each.choose for each in found.values()} == {(("source", "hf"),)}
    assert "inferred" in found["hf/train"].note
    assert "pods_info.json" in RECIPES["pods"].note


@pytest.mark.parametrize("dataset", DATASETS)
def test_sizes_and_checksums_that_upstream_never_published_are_unknown(dataset: str) -> None:
    recipe = RECIPES[dataset]
    assert {(each.size, each.checksums) for each in recipe.artifacts} == {(None, ())}
    assert recipe.needs is None


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_set_is_built_into_a_folder_named_like_its_archive(dataset: str) -> None:
    folders = (dataset, *(f"{dataset}_{name}" for name in SYNTHETIC))
    assert sorted(RECIPES[dataset].folders) == sorted(folders)


def test_the_real_set_of_df2_is_marked_withdrawn_with_reason_and_date() -> None:
    real = artifact(RECIPES["df2"], "real")
    assert real.status is Status.WITHDRAWN
    assert "2025-02-27" in real.note
    assert "Mapping Notebook (TBD)" in real.note
    others = [each for recipe in RECIPES.values() for each in recipe.artifacts if each is not real]
    assert {each.status for each in others} == {Status.LIVE}


@pytest.mark.parametrize("dataset", ["pods", "dogs"])
def test_the_weeks_of_403_are_noted_where_the_link_lives_on(dataset: str) -> None:
    assert "403" in artifact(RECIPES[dataset], "real").note


def test_only_counts_that_upstream_states_are_stated() -> None:
    assert RECIPES["pods"].counts == (
        ("pods/train/**", "300"),
        ("pods/test/**", "10888"),
        ("pods/test_dense/**", "1200"),
    )
    assert RECIPES["dogs"].counts == RECIPES["df2"].counts == ()


def test_licence_and_citation_are_those_of_the_origins() -> None:
    assert RECIPES["pods"].licence == "MIT"
    assert "CC-BY-4.0" in RECIPES["dogs"].licence
    assert "DeepFashion2" in RECIPES["df2"].licence
    for recipe in RECIPES.values():
        assert recipe.citation.startswith("@article{sundaram2024personalized,\n  title   = {Personalized ")
        assert recipe.citation.count("{") == recipe.citation.count("}")
        assert recipe.home == "https://personalized-rep.github.io"


# --- Inner paths: mostly inferred, so every form that is known must find its place ---


@pytest.mark.parametrize("root", ["pods/", "", "data/pods/"])
def test_the_real_set_of_pods_keeps_its_splits_masks_and_metadata(root: str) -> None:
    members = [
        "train/bottles_adobe/0.jpg",
        "train_masks/bottles_adobe/0.png",
        "test/bottles_adobe/sub/0.JPEG",
        "test_dense/bottles_adobe/0.jpg",
        "test_dense_masks/bottles_adobe/0.jpg",
        "pods_info.json",
        "pods_image_annos.json",
    ]
    found = placed("pods", "real", *(root + member for member in members))
    assert found == [f"pods/{member}" for member in members]


def test_stray_files_of_a_real_set_never_become_classes() -> None:
    members = ("dogs/train/a/0.jpg", "dogs/README.md", "__MACOSX/dogs/train/a/._0.jpg", "dogs/extra/a/0.jpg")
    assert placed("dogs", "real", *members) == ["dogs/train/a/0.jpg", None, None, None]


def test_names_are_kept_as_upstream_has_them() -> None:
    members = (
        "dogs/train/FБli/0.jpg",
        "dogs/train/B.DФmpi/0.jpg",
        "dogs/train/B.Atis/0.jpg",
        "dogs/dogs_info.json",
    )
    assert placed("dogs", "real", *members) == list(members)


@pytest.mark.parametrize("root", ["df2/dreambooth_llm_sd1.5/cfg_5.0/", "cfg_5/", "df2/", ""])
def test_a_synthetic_set_is_classes_of_images_whatever_folders_lead_to_them(root: str) -> None:
    members = ("20_1_1/3_a photo of <new1>.jpg", "20_1_1/done.txt", "20_1_1_rej/0.jpg", "21_1_2/0_it’s.jpg")
    found = placed("df2", "synthetic/dreambooth_llm_cfg_5", *(root + member for member in members))
    folder = "df2_dreambooth_llm_cfg_5"
    assert found == [
        f"{folder}/20_1_1/3_a photo of <new1>.jpg",
        None,
        None,
        f"{folder}/21_1_2/0_it’s.jpg",
    ]


@pytest.mark.parametrize(
    "form",
    [
        "pods/pods_negatives/{}/0.jpg",
        "pods_negatives/{}/0.jpg",
        "{}/0.jpg",
        "pods/pods_negatives/{}_negatives/0.jpg",
        "{}_negatives/0.jpg",
    ],
)
def test_negatives_of_pods_get_the_folders_that_the_training_code_wants(form: str) -> None:
    categories = ("bottles", "mugs", "screwdrivers", "shoes", "totes")
    found = placed("pods", "negatives", *(form.format(category) for category in categories))
    assert found == [f"pods_negatives/{category}_negatives/0.jpg" for category in categories]


@pytest.mark.parametrize("dataset", ["dogs", "df2"])
@pytest.mark.parametrize("root", ["{0}/{0}_negatives/", "{0}_negatives/", "negatives/", ""])
@pytest.mark.parametrize(
    "members",
    [("0.jpg", "1.jpg"), ("a/0.jpg", "b/0.jpg"), ("0.jpg", "a/0.jpg")],
    ids=["flat", "nested", "both"],
)
def test_negatives_of_dogs_and_df2_stay_flat_or_nested_as_they_are(
    dataset: str, root: str, members: tuple[str, ...]
) -> None:
    found = placed(dataset, "negatives", *(root.format(dataset) + member for member in members))
    assert found == [f"{dataset}_negatives/{member}" for member in members]
