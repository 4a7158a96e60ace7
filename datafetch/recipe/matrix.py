"""`matrix`: one entry to many rows of names, joined with the names that are bound around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

from datafetch.recipe.issues import Bad, suggest
from datafetch.recipe.template import Names, is_name, multiply

MAX_ROWS = 2_000
Row = dict[str, str]


def rows(matrix: Mapping[str, Sequence[str | Mapping[str, str]]], outer: Names) -> tuple[Row, ...]:
    """The rows of a matrix, each with the outer names in it; without a matrix the outer names alone.

    The values are multiplied, `exclude` takes rows away, `include` adds rows as written. A variable that is
    bound outside joins: rows that give it another value drop out. Raises Bad.
    """
    if not matrix:
        return (dict(outer),)
    axes = {name: _values(name, given, outer) for name, given in matrix.items() if name not in _ROWS}
    include, exclude = (_given_rows(name, matrix.get(name, ())) for name in _ROWS)
    if not axes and not include:
        raise Bad("expected a variable with values, or include, found neither")
    if prod(len(values) for values in axes.values()) > MAX_ROWS:
        raise Bad(f"expected at most {MAX_ROWS:,} rows, found more")
    multiplied = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
    for out in exclude:
        _check_exclude(out, axes, multiplied)
    kept = [row for row in multiplied if not any(out.items() <= row.items() for out in exclude)]
    return tuple({**outer, **row} for row in (*kept, *include) if _agrees(row, outer))


_ROWS = ("include", "exclude")


def _agrees(row: Row, outer: Names) -> bool:
    return all(outer.get(name, value) == value for name, value in row.items())


def _values(name: str, given: Sequence[str | Mapping[str, str]], outer: Names) -> tuple[str, ...]:
    if not is_name(name):
        raise Bad(f'expected a variable of letters, digits and _, found "{name}"')
    if not given:
        raise Bad(f"expected values for {name}, found an empty list")
    values: list[str] = []
    for value in given:
        if not isinstance(value, str):
            raise Bad(
                f"expected text as the values of {name}, found a map; only include and exclude hold rows"
            )
        values += multiply(value, outer)
    counted = Counter(values)
    if len(counted) < len(values):
        raise Bad(f'{name} has the value "{max(counted, key=lambda value: counted[value])}" twice')
    return tuple(values)


def _given_rows(name: str, given: Sequence[str | Mapping[str, str]]) -> tuple[Row, ...]:
    found: list[Row] = []
    if len(given) > MAX_ROWS:
        raise Bad(f"expected at most {MAX_ROWS:,} rows in {name}, found {len(given):,}")
    for row in given:
        if isinstance(row, str):
            raise Bad(f'expected rows such as {{name: value}} in {name}, found "{row}"')
        if not row:
            raise Bad(f"expected rows such as {{name: value}} in {name}, found an empty one")
        wrong = next((key for key in row if not is_name(key)), None)
        if wrong is not None:
            raise Bad(f'expected a variable of letters, digits and _ in {name}, found "{wrong}"')
        found.append(dict(row))
    return tuple(found)


def _check_exclude(out: Row, axes: Mapping[str, tuple[str, ...]], multiplied: Sequence[Row]) -> None:
    unknown = next((name for name in out if name not in axes), None)
    if unknown is not None:
        near = suggest(unknown, tuple(axes), "variables")
        raise Bad(f"exclude names {unknown}, which the matrix does not hold; {near}")
    if not any(out.items() <= row.items() for row in multiplied):
        said = ", ".join(f"{name}: {value}" for name, value in out.items())
        raise Bad(f"exclude {{{said}}} matches no row")
