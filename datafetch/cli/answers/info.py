"""What `info` shows besides the recipe: what was made here, and all of it as one document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from datafetch.model import Derived, Recipe
from datafetch.store.home import Home
from datafetch.store.journal import known
from datafetch.store.subsets import subsets
from datafetch.store.told import told as told_of


def summaries(recipe: Recipe, home: Home) -> dict[str, Mapping[str, object]]:
    """What there is to tell of the documents that were made here, by the name of their artifact."""
    made = sorted(artifact.name for artifact in recipe.artifacts if isinstance(artifact.source, Derived))
    found = {name: told_of(home, name) for name in made if known(home.journal(name)).built}
    return {name: one.summary for name, one in found.items() if one is not None}


def info_document(recipe: Recipe, home: Home) -> dict[str, Any]:
    """The recipe as plain data; an unknown size is null and an unknown checksum an empty list."""
    document: dict[str, Any] = msgspec.to_builtins(asdict(recipe))
    for artifact, plain in zip(recipe.artifacts, document["artifacts"], strict=True):
        plain["kind"] = type(artifact.source).__name__
    document["groups"] = list(recipe.groups)
    document["folders"] = list(recipe.folders)
    document["subset"] = [each.as_json() for each in subsets(home, recipe)]
    document["derived"] = summaries(recipe, home)
    return document
