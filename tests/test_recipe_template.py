"""`{name}`, `{a..l}` and `let`: filled once, in order, without surprises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.recipe.issues import Bad
from datafetch.recipe.template import fill, multiply, resolve

WITHOUT_BRACES = st.text(st.characters(exclude_characters="{}"), max_size=30)
NAME = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{base}/{dataset}.zip", "http://h/pods.zip"),
        ("<class>/{dataset}", "<class>/pods"),
        ("{raw}", "{dataset}"),  # what a name stands for is not filled again
        ("", ""),
    ],
)
def test_names_are_filled_once(text: str, filled: str) -> None:
    assert fill(text, {"base": "http://h", "dataset": "pods", "raw": "{dataset}"}) == filled


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("im2text.a{a..c}", ("im2text.aa", "im2text.ab", "im2text.ac")),
        ("{8..11}", ("8", "9", "10", "11")),
        ("{08..11}", ("08", "09", "10", "11")),
        ("{0..2}", ("0", "1", "2")),
        ("{X..Z}", ("X", "Y", "Z")),
        ("{a..b}{1..2}", ("a1", "a2", "b1", "b2")),
        ("{s3}/x", ("http://h/x",)),
        ("plain", ("plain",)),
    ],
)
def test_counts_multiply_a_text_in_order(text: str, counted: tuple[str, ...]) -> None:
    assert multiply(text, {"s3": "http://h"}) == counted


def test_a_count_of_one_is_one() -> None:
    assert multiply("{a..a}", {}) == ("a",)


@given(WITHOUT_BRACES)
def test_text_without_braces_stays_as_it_is(text: str) -> None:
    assert fill(text, {}) == text
    assert multiply(text, {}) == (text,)


@given(st.lists(st.tuples(WITHOUT_BRACES, NAME), max_size=5), st.data())
def test_filling_equals_writing_the_values_out(pieces: list[tuple[str, str]], data: st.DataObject) -> None:
    names = {name: data.draw(st.text(max_size=10)) for _, name in pieces}
    text = "".join(f"{before}{{{name}}}" for before, name in pieces)
    assert fill(text, names) == "".join(before + names[name] for before, name in pieces)


@given(st.text(st.sampled_from("{}a.1<>_ "), max_size=20))
def test_any_text_is_filled_or_refused(text: str) -> None:
    try:
        filled = fill(text, {"a": "A"})
    except Bad:
        return
    assert "{" not in filled
    assert "}" not in filled


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_count_has_as_many_texts_as_it_says(first: int, more: int) -> None:
    counted = multiply(f"x{{{first}..{first + more}}}", {})
    assert len(set(counted)) == len(counted) == more + 1
    assert counted[0] == f"x{first}"


def test_let_is_resolved_in_any_order() -> None:
    names, wrong = resolve({"syn": "{base}/{dataset}", "base": "http://h"}, {"dataset": "pods"})
    assert names == {"syn": "http://h/pods", "base": "http://h", "dataset": "pods"}
    assert wrong == {}


@given(st.dictionaries(NAME, st.lists(NAME, max_size=3), max_size=6))
def test_let_resolves_every_name_or_says_why_not(graph: dict[str, list[str]]) -> None:
    let = {name: "".join(f"{{{needed}}}" for needed in uses) for name, uses in graph.items()}
    names, wrong = resolve(let, {})
    assert set(names) | set(wrong) == set(let)
    assert not set(names) & set(wrong)
    assert all("{" not in value for value in names.values())


def test_a_circle_is_named_by_those_in_it_and_blamed_by_those_who_use_it() -> None:
    names, wrong = resolve({"x": "{a}", "a": "{b}", "b": "{a}", "fine": "1"}, {})
    assert names == {"fine": "1"}
    assert wrong == {
        "a": "goes in a circle: a -> b -> a",
        "b": "goes in a circle: a -> b -> a",
        "x": "{a} has a fault of its own",
    }


def test_a_very_long_chain_of_lets_is_no_crash() -> None:
    let = {f"n{i}": f"{{n{i + 1}}}" for i in range(2000)} | {"n2000": "end"}
    names, wrong = resolve(let, {})
    assert names["n2000"] == "end"
    assert wrong["n100"] == "stands at the end of a chain of more than 100 names"
    assert wrong["n99"] == "{n100} has a fault of its own"


def test_names_that_double_names_do_not_fill_the_memory() -> None:
    let = {f"n{i}": f"{{n{i + 1}}}" * 2 for i in range(60)} | {"n60": "end"}
    names, wrong = resolve(let, {})
    assert max(map(len, names.values())) <= 1 << 16
    assert "expected at most 65,536 characters once names are filled, found more" in wrong.values()


def test_a_count_of_long_texts_does_not_fill_the_memory() -> None:
    with pytest.raises(Bad, match="expected less text once names are filled"):
        multiply("{x}{1..9999}", {"x": "y" * 60_000})
