"""The JSON Schema that editors get accepts what the parser accepts and knows every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from datafetch.recipe.document import ArtifactEntry, RecipeEntry
from datafetch.recipe.files import builtin, recipe_files
from datafetch.recipe.parse import fields_of
from datafetch.recipe.schema import schema

SCHEMA: dict[str, Any] = json.loads(schema())
KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def faults(value: Any, rule: dict[str, Any], path: str = "$") -> Iterator[str]:
    """What a validator would complain of, for the words our schema uses; any other is a KeyError."""
    unknown = rule.keys() - {
        *("$ref", "$schema", "$defs", "title", "description", "default", "anyOf", "type"),
        *("items", "properties", "required", "additionalProperties"),
    }
    if unknown:
        raise KeyError(f"this check does not know {unknown}")
    if "$ref" in rule:
        rule = SCHEMA["$defs"][rule["$ref"].rpartition("/")[2]]
    if "anyOf" in rule and all(list(faults(value, each, path)) for each in rule["anyOf"]):
        yield f"{path}: fits none of the alternatives"
    match rule.get("type"):
        case "object":
            yield from _object(value, rule, path)
        case "array" if isinstance(value, list):
            for index, item in enumerate(value):
                yield from faults(item, rule.get("items", {}), f"{path}[{index}]")
        case "array":
            yield f"{path}: not a list"
        case str() as kind if not isinstance(value, KINDS[kind]) or (
            isinstance(value, bool) and kind != "boolean"
        ):
            yield f"{path}: not a {kind}"


def _object(value: Any, rule: dict[str, Any], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: not an object"
        return
    known, others = rule.get("properties", {}), rule.get("additionalProperties", {})
    yield from (f"{path}: no {key}" for key in rule.get("required", ()) if key not in value)
    for key, inner in value.items():
        if key not in known and others is False:
            yield f"{path}: unknown {key}"
        elif key in known or others:
            yield from faults(inner, known.get(key, others), f"{path}.{key}")


@pytest.mark.parametrize("path", recipe_files(builtin()), ids=lambda path: path.name)
def test_the_schema_accepts_every_recipe_that_ships(path: Path) -> None:
    assert list(faults(yaml.safe_load(path.read_bytes()), SCHEMA)) == []


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"name": "a"}, "$: no artifacts"),
        ({"name": "a", "artifacts": [], "titel": "x"}, "$: unknown titel"),
        ({"name": "a", "artifacts": [{"name": "r", "urll": "x"}]}, "$.artifacts[0]: unknown urll"),
        (
            {"name": "a", "artifacts": [{"name": "r", "url": 5}]},
            "$.artifacts[0].url: fits none of the alternatives",
        ),
        ({"name": "a", "artifacts": [], "layout": [{"from": "x"}]}, "$.layout[0]: no to"),
    ],
)
def test_the_schema_refuses_what_the_parser_refuses(value: object, fault: str) -> None:
    assert list(faults(value, SCHEMA)) == [fault]


def test_the_schema_names_its_dialect_and_every_key() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "datafetch recipe"
    assert set(SCHEMA["$defs"]["RecipeEntry"]["properties"]) == set(fields_of(RecipeEntry))
    assert set(SCHEMA["$defs"]["ArtifactEntry"]["properties"]) == set(fields_of(ArtifactEntry))
    assert "from" in SCHEMA["$defs"]["RuleEntry"]["properties"]
