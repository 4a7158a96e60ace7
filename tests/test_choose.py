"""Choosing: every combination of options selects exactly what it says, or says what it lacks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import DatafetchError, UnknownName, UsageError
from datafetch.model import Artifact, Choice, Http, Option, Recipe
from datafetch.plan.choose import choose
from datafetch.recipe import registry

PODS = registry.load("pods")
SETS = "dreambooth, dreambooth_llm, dreambooth_llm_masked_filtered or cut_and_paste"


def chosen(recipe: Recipe, *typed: str, only: str = "", everything: bool = False) -> list[str]:
    """The names chosen by options typed as `synthetic=cut_and_paste` or `negatives`."""
    picked = tuple((name, value or "true") for name, _, value in (word.partition("=") for word in typed))
    groups = tuple(only.split(",")) if only else ()
    return [artifact.name for artifact in choose(recipe, Choice(picked, groups, everything))]


SELECTED = {
    (): ["real"],
    ("negatives",): ["real", "negatives"],
    ("synthetic=dreambooth", "cfg=4"): ["real", "synthetic/dreambooth_cfg_4"],
    ("cfg=7.5", "synthetic=dreambooth_llm"): ["real", "synthetic/dreambooth_llm_cfg_7.5"],
    ("synthetic=dreambooth_llm", "cfg=5"): ["real", "synthetic/dreambooth_llm_cfg_5"],
    ("synthetic=dreambooth_llm_masked_filtered", "cfg=5"): [
        "real",
        "synthetic/dreambooth_llm_masked_filtered_cfg_5",
    ],
    # only one value is possible, so it need not be typed
    ("synthetic=dreambooth_llm_masked_filtered",): ["real", "synthetic/dreambooth_llm_masked_filtered_cfg_5"],
    ("background=sd",): ["real", "synthetic/cut_and_paste_sd_background"],
    ("synthetic=cut_and_paste", "background=real"): ["real", "synthetic/cut_and_paste_real_background"],
    ("synthetic=cut_and_paste", "background=sd", "negatives"): [
        "real",
        "synthetic/cut_and_paste_sd_background",
        "negatives",
    ],
    ("negatives", "negatives"): ["real", "negatives"],
}


@pytest.mark.parametrize(("typed", "names"), SELECTED.items(), ids=map(" ".join, SELECTED))
def test_options_add_to_the_real_set(typed: tuple[str, ...], names: list[str]) -> None:
    assert chosen(PODS, *typed) == names


def test_everything_is_everything() -> None:
    assert len(chosen(PODS, everything=True)) == 11


def test_of_alternatives_everything_takes_one_way_only() -> None:
    """--all took the zip and the parquet files of PODS, which bring the same paths."""
    assert "real" in chosen(PODS, everything=True)
    names = chosen(PODS, "source=hf", everything=True)
    assert names[:4] == ["hf/train", "hf/test", "hf/test_dense", "synthetic/dreambooth_cfg_4"]


def test_a_source_replaces_the_default_one_and_goes_with_every_other_option() -> None:
    hf = ["hf/train", "hf/test", "hf/test_dense"]
    assert chosen(PODS, "source=zip") == ["real"]
    assert chosen(PODS, "source=hf") == chosen(PODS, "source=hf", only="real") == hf
    assert chosen(PODS, "source=hf", "negatives") == [*hf, "negatives"]
    assert chosen(PODS, "source=hf", "background=sd") == [*hf, "synthetic/cut_and_paste_sd_background"]


def test_an_option_narrows_everything() -> None:
    names = chosen(PODS, "synthetic=dreambooth", "cfg=4", everything=True)
    assert names == ["real", "synthetic/dreambooth_cfg_4", "negatives"]
    assert len(chosen(PODS, "synthetic=dreambooth", everything=True)) == 5


GROUPS = {
    ("real", ()): 1,
    ("negatives", ()): 1,
    ("synthetic", ()): 9,
    ("synthetic,negatives", ()): 10,
    ("synthetic", ("synthetic=dreambooth", "cfg=4")): 1,
    ("real,synthetic", ("synthetic=dreambooth", "cfg=4")): 2,
    ("synthetic/*", ()): 9,
    ("synthetic/dreambooth_llm_cfg_*", ()): 3,
}


@pytest.mark.parametrize(("only", "typed", "count"), [(*key, n) for key, n in GROUPS.items()])
def test_only_restricts_to_groups_and_takes_a_group_whole_when_nothing_in_it_was_picked(
    only: str, typed: tuple[str, ...], count: int
) -> None:
    names = chosen(PODS, *typed, only=only)
    assert len(names) == count
    assert [artifact.name for artifact in PODS.artifacts if artifact.name in names] == names


def test_only_restricts_everything_too() -> None:
    assert chosen(PODS, only="negatives", everything=True) == ["negatives"]


REFUSED = {
    ("synthetic=dreambooth",): (
        UsageError,
        "--synthetic dreambooth needs --cfg 4, 5 or 7.5",
        "for example: datafetch get pods --synthetic dreambooth --cfg 4",
    ),
    ("synthetic=cut_and_paste",): (
        UsageError,
        "--synthetic cut_and_paste needs --background sd or real",
        "for example: datafetch get pods --synthetic cut_and_paste --background sd",
    ),
    ("cfg=4",): (
        UsageError,
        "--cfg 4 needs --synthetic dreambooth or dreambooth_llm",
        "for example: datafetch get pods --cfg 4 --synthetic dreambooth",
    ),
    ("synthetic=cut_and_paste", "cfg=5"): (
        UsageError,
        "--cfg does not go with --synthetic cut_and_paste; it takes --background sd or real",
        "",
    ),
    ("cfg=5", "synthetic=cut_and_paste", "background=sd"): (
        UsageError,
        "--cfg does not go with --synthetic cut_and_paste; it takes --background sd or real",
        "",
    ),
    ("synthetic=dreambooth", "background=sd"): (
        UsageError,
        "--background does not go with --synthetic dreambooth; it takes --cfg 4, 5 or 7.5",
        "",
    ),
    ("cfg=5", "background=sd"): (
        UsageError,
        "--background does not go with --cfg 5; it takes "
        "--synthetic dreambooth, dreambooth_llm or dreambooth_llm_masked_filtered",
        "",
    ),
    ("synthetic=dreambooth_llm_masked_filtered", "cfg=4"): (
        UnknownName,
        "pods has no --synthetic dreambooth_llm_masked_filtered --cfg 4; expected --cfg 5",
        "for example: datafetch get pods --synthetic dreambooth_llm_masked_filtered --cfg 5",
    ),
    ("synthetic=dreamboth",): (
        UnknownName,
        f'pods has no --synthetic "dreamboth"; expected {SETS}',
        "did you mean --synthetic dreambooth?",
    ),
    ("cfg=6", "synthetic=dreambooth"): (UnknownName, 'pods has no --cfg "6"; expected 4, 5 or 7.5', ""),
    ("sythetic=dreambooth",): (
        UnknownName,
        "pods has no option --sythetic; it has --synthetic, --cfg, --background, --negatives and --source",
        "did you mean --synthetic?",
    ),
    ("negatives=yes",): (UsageError, '--negatives is a flag and takes no value, found "yes"', ""),
    ("cfg=4", "cfg=5"): (UsageError, "--cfg is given twice, as 4 and as 5", ""),
}


@pytest.mark.parametrize(("typed", "expected"), REFUSED.items(), ids=map(" ".join, REFUSED))
def test_what_does_not_go_together_says_what_does(
    typed: tuple[str, ...], expected: tuple[type[DatafetchError], str, str]
) -> None:
    with pytest.raises(DatafetchError) as caught:
        chosen(PODS, *typed)
    assert (type(caught.value), str(caught.value), caught.value.hint) == expected


def test_everything_does_not_excuse_a_clash() -> None:
    with pytest.raises(UsageError, match="--cfg does not go with --synthetic cut_and_paste"):
        chosen(PODS, "synthetic=cut_and_paste", "cfg=5", everything=True)


def test_an_unknown_group_lists_the_groups_and_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        chosen(PODS, only="negative")
    assert str(caught.value) == 'pods has no group "negative"; expected real, synthetic or negatives'
    assert caught.value.hint == "did you mean --only negatives?"


def test_an_option_outside_the_groups_asked_for_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        chosen(PODS, "synthetic=dreambooth", "cfg=4", only="real,negatives")
    assert str(caught.value) == "--synthetic dreambooth does not go with --only real,negatives"


# --- Recipes of other shapes ---


def artifact(name: str, *, group: str = "", default: bool = True, **needed: str) -> Artifact:
    return Artifact(
        name, Http((f"https://h/{name}",)), "x", group=group, choose=tuple(needed.items()), default=default
    )


def made(*artifacts: Artifact, **defaults: str) -> Recipe:
    values: dict[str, dict[str, None]] = {}
    for one in artifacts:
        for option, value in one.choose:
            values.setdefault(option, {})[value] = None
    options = tuple(
        Option(name, () if "true" in its else tuple(its), default=defaults.get(name))
        for name, its in values.items()
    )
    return Recipe("x", "x", artifacts, options=options)


VARIANTS = made(
    artifact("json"),
    artifact("urls", variant="urls"),
    artifact("zips", variant="zips"),
    artifact("deep", variant="zips", level="2"),
    variant="urls",
)


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ((), ["json", "urls"]),
        (("variant=zips",), ["json", "zips"]),
        (("variant=zips", "level=2"), ["json", "zips", "deep"]),
        (("level=2",), ["json", "zips", "deep"]),  # only zips has levels: the default gives way
    ],
)
def test_a_default_holds_until_something_else_is_picked(typed: tuple[str, ...], names: list[str]) -> None:
    assert chosen(VARIANTS, *typed) == names


def test_a_default_fills_what_a_pick_needs_when_it_is_possible() -> None:
    recipe = made(
        artifact("real"),
        artifact("a4", set="a", cfg="4"),
        artifact("a5", set="a", cfg="5"),
        artifact("b4", set="b", cfg="4"),
        artifact("b7", set="b", cfg="7"),
        cfg="5",
    )
    assert chosen(recipe) == ["real"]
    assert chosen(recipe, "set=a") == ["real", "a5"]
    with pytest.raises(UsageError, match="--set b needs --cfg 4 or 7"):
        chosen(recipe, "set=b")


def test_a_flag_beside_a_set_is_not_asked_for() -> None:
    recipe = made(artifact("a", set="a"), artifact("masks", set="a", masks="true"))
    assert chosen(recipe, "set=a") == ["a"]
    assert chosen(recipe, "set=a", "masks") == ["a", "masks"]
    assert chosen(recipe, "masks") == ["a", "masks"]


def test_three_options_that_only_go_together_in_pairs() -> None:
    recipe = made(
        artifact("ab", a="1", b="1", c="2"),
        artifact("ac", a="1", b="2", c="1"),
        artifact("bc", a="2", b="1", c="1"),
    )
    with pytest.raises(UnknownName) as caught:
        chosen(recipe, "a=1", "b=1", "c=1")
    assert str(caught.value) == "x has nothing for --a 1 --b 1 --c 1 together"
    assert caught.value.hint == "datafetch get x --help shows the choices"


def test_artifacts_that_are_no_default_come_by_name_only() -> None:
    recipe = made(artifact("real"), artifact("syn/a", default=False), artifact("syn/b", default=False))
    assert chosen(recipe) == ["real"]
    assert chosen(recipe, only="syn/*") == ["syn/a", "syn/b"]
    assert chosen(recipe, everything=True) == ["real", "syn/a", "syn/b"]


def test_a_recipe_that_gives_nothing_unasked_says_so() -> None:
    with pytest.raises(UsageError) as caught:
        chosen(made(artifact("a", set="a")))
    assert str(caught.value) == "x has nothing that it gets unasked"
    assert caught.value.hint == "datafetch get x --help shows the choices"


def test_a_recipe_without_options_says_so() -> None:
    with pytest.raises(UnknownName) as caught:
        chosen(made(artifact("a")), "cfg=4")
    assert str(caught.value) == "x has no option --cfg; it has none"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([option.name for option in PODS.options]), st.sampled_from(["4", "5", "sd"])
        ),
        max_size=3,
    )
    | st.lists(st.sampled_from([pair for one in PODS.artifacts for pair in one.choose]), max_size=4),
    st.lists(st.sampled_from(PODS.groups), max_size=2),
    st.booleans(),
)
def test_a_choice_selects_what_was_picked_or_is_refused(
    picked: list[tuple[str, str]], only: list[str], everything: bool
) -> None:
    try:
        selected = choose(PODS, Choice(tuple(picked), tuple(only), everything))
    except (UnknownName, UsageError) as error:
        assert str(error)[0].islower() or str(error).startswith("--")
        assert not str(error).endswith(".")
        return
    assert selected
    assert set(selected) <= set(PODS.artifacts)
    for pick in picked:
        assert any(pick in one.choose for one in selected)
    if only:
        assert {one.group for one in selected} == set(only)


def test_the_options_of_pods_are_those_of_the_contract() -> None:
    assert [(option.name, option.values) for option in PODS.options] == [
        ("synthetic", ("dreambooth", "dreambooth_llm", "dreambooth_llm_masked_filtered", "cut_and_paste")),
        ("cfg", ("4", "5", "7.5")),
        ("background", ("sd", "real")),
        ("negatives", ()),
        ("source", ("zip", "hf")),
    ]


P9D = registry.load("p9d")


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ((), ["json", "train", "test", "query", "gallery"]),
        (("split=query,test",), ["json", "test", "query"]),
        (("split=test", "split=train,test"), ["json", "train", "test"]),
        (("variant=zips",), ["json", "zips"]),
    ],
)
def test_an_option_may_take_several_values(typed: tuple[str, ...], names: list[str]) -> None:
    assert chosen(P9D, *typed) == names


def test_each_of_several_values_must_exist() -> None:
    with pytest.raises(UnknownName, match='no --split "qury"; expected train, test, query or gallery'):
        chosen(P9D, "split=train,qury")


def test_an_option_that_takes_one_value_takes_no_two() -> None:
    with pytest.raises(UnknownName, match='no --variant "urls,zips"'):
        chosen(P9D, "variant=urls,zips")


def test_a_split_does_not_go_with_the_zips() -> None:
    with pytest.raises(UsageError, match="--split does not go with --variant zips"):
        chosen(P9D, "variant=zips", "split=train")
