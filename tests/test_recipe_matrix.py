"""A matrix multiplies an entry and joins with the names bound around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.recipe.matrix import Row, rows

VALUES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)
AXES = st.dictionaries(st.sampled_from("xyz"), VALUES, min_size=1, max_size=3)

TABLE: dict[str, tuple[dict[str, list[str | dict[str, str]]], Row, list[Row]]] = {
    "none": ({}, {"d": "pods"}, [{"d": "pods"}]),
    "one axis": ({"x": ["1", "2"]}, {}, [{"x": "1"}, {"x": "2"}]),
    "the last axis runs fastest": (
        {"x": ["1", "2"], "y": ["a", "b"]},
        {},
        [{"x": "1", "y": "a"}, {"x": "1", "y": "b"}, {"x": "2", "y": "a"}, {"x": "2", "y": "b"}],
    ),
    "exclude": ({"x": ["1", "2"], "exclude": [{"x": "1"}]}, {}, [{"x": "2"}]),
    "include comes as written": (
        {"x": ["1"], "include": [{"x": "2", "more": "{kept}"}]},
        {},
        [{"x": "1"}, {"x": "2", "more": "{kept}"}],
    ),
    "include is not excluded": (
        {"x": ["1", "2"], "exclude": [{"x": "1"}], "include": [{"x": "1"}]},
        {},
        [{"x": "2"}, {"x": "1"}],
    ),
    "include alone": ({"include": [{"x": "1", "t": "T"}]}, {}, [{"x": "1", "t": "T"}]),
    "counted values": ({"x": ["{1..3}"]}, {}, [{"x": "1"}, {"x": "2"}, {"x": "3"}]),
    "values from outside": ({"x": ["{d}_a"]}, {"d": "pods"}, [{"d": "pods", "x": "pods_a"}]),
    "join that agrees": ({"d": ["pods", "dogs"]}, {"d": "pods", "t": "T"}, [{"d": "pods", "t": "T"}]),
    "join that disagrees": ({"d": ["df2"]}, {"d": "pods"}, []),
    "join with more": (
        {"d": ["pods"], "x": ["1", "2"]},
        {"d": "pods"},
        [{"d": "pods", "x": "1"}, {"d": "pods", "x": "2"}],
    ),
    "join of include rows": (
        {"include": [{"d": "pods", "x": "1"}, {"d": "dogs", "x": "2"}]},
        {"d": "dogs"},
        [{"d": "dogs", "x": "2"}],
    ),
}


@pytest.mark.parametrize(("matrix", "outer", "expected"), TABLE.values(), ids=TABLE)
def test_rows(matrix: dict[str, list[str | dict[str, str]]], outer: Row, expected: list[Row]) -> None:
    assert list(rows(matrix, outer)) == expected


@given(AXES)
def test_a_matrix_makes_every_combination_once(axes: dict[str, list[str]]) -> None:
    made = rows(axes, {})
    size = 1
    for values in axes.values():
        size *= len(values)
    assert len({tuple(row.items()) for row in made}) == len(made) == size


@given(AXES, AXES)
def test_joining_inside_equals_filtering_the_product(
    outer: dict[str, list[str]], inner: dict[str, list[str]]
) -> None:
    joined = [row for bound in rows(outer, {}) for row in rows(inner, bound)]
    expected = [
        {**a, **b}
        for a in rows(outer, {})
        for b in rows(inner, {})
        if all(a.get(k, v) == v for k, v in b.items())
    ]
    assert joined == expected
