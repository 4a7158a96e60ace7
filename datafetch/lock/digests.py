"""Digests of what decides which bytes a dataset is made of and where they go; the same on every machine.

Left out is what changes no byte: titles, notes, citations, mirrors, who may be asked instead; and sizes and checksums,
which a lock file holds by itself: a recipe to which they are added goes on to fit its lock. Defaults are left out too,
so that a key which the recipe language gains later changes the digest of no recipe that lacks it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from datafetch.errors import UsageError
from datafetch.identity import identity
from datafetch.model import (
    Artifact,
    Bundled,
    Derived,
    Finish,
    Http,
    Manual,
    Own,
    Recipe,
    Shards,
    Sorting,
    Source,
    UrlList,
)
from datafetch.store.faults import read_errors


def recipe_digest(recipe: Recipe, wanted: Sequence[Artifact]) -> str:
    """Of the artifacts that are wanted, the layout and what is made of them. Reads files that lie beside the recipe.

    Raises UsageError for a dataset of a person's own pictures.
    """
    said = {
        "artifacts": [_artifact(artifact, Path(recipe.file).parent) for artifact in wanted],
        "layout": _layout(recipe),
        "finish": [_finish(one) for one in recipe.finish],
    }
    return _digest(said)


def layout_digest(recipe: Recipe) -> str:
    return _digest(_layout(recipe))


def _digest(said: object) -> str:
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _said(**keys: object) -> dict[str, object]:
    """What is not empty: a default says nothing."""
    return {key: value for key, value in keys.items() if value}


def _layout(recipe: Recipe) -> list[object]:
    return [[list(rule.sources), rule.to] for rule in recipe.layout]


def _artifact(artifact: Artifact, folder: Path) -> dict[str, object]:
    return _said(
        name=artifact.name,
        source=_source(artifact.source, folder),
        folder=artifact.folder,
        unpack=artifact.unpack,
        nested=artifact.nested,
        encoding=artifact.encoding,
        skip=artifact.skip,
        rows=artifact.rows,
        sort=[_sorting(one) for one in artifact.sort],
    )


def _source(source: Source, folder: Path) -> dict[str, object]:
    match source:
        case Http(urls=urls):
            return {"url": identity(urls[0])}
        case Shards(shards=shards):
            return {"shards": [[shard.name, identity(shard.urls[0])] for shard in shards]}
        case UrlList():
            return _said(
                file=source.file,
                read=source.read,
                keys=source.keys,
                url=source.url,
                save_as=source.save_as,
                check=source.check,
                min_bytes=source.min_bytes,
                beside=source.beside,
                known=source.known,
            )
        case Manual():
            return _said(expect=source.expect, packed=source.packed)
        case Bundled(path=path):
            with read_errors(folder / path):
                return {"bundled": hashlib.sha256((folder / path).read_bytes()).hexdigest()}
        case Derived():
            return _said(make=source.make, inputs=source.inputs, settings=source.settings)
        case Own():
            raise UsageError(
                "made of pictures of your own, which no lock file can name",
                "keep the tree digest that get and verify print",
            )


def _finish(finish: Finish) -> dict[str, object]:
    return _said(
        make=finish.make,
        to=finish.to,
        list=finish.list,
        beside=finish.beside,
        sources=finish.sources,
        pictures=finish.pictures,
    )


def _sorting(sorting: Sorting) -> dict[str, object]:
    join = sorting.join
    return _said(
        file=sorting.file,
        read=sorting.read,
        keys=sorting.keys,
        folder=sorting.folder,
        stem=sorting.stem,
        join=(join.file, join.read, join.on) if join else None,
    )
