"""The JSON Schema of a recipe file, for editors; made from the model that reads the file."""

from __future__ import annotations

import msgspec

from datafetch.recipe.document import RecipeEntry

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> bytes:
    """The schema as JSON text, indented."""
    made = msgspec.json.schema(RecipeEntry)
    named = {"$schema": DIALECT, "title": "datafetch recipe", **made}
    return msgspec.json.format(msgspec.json.encode(named), indent=2) + b"\n"
