"""Documents of archives that are written anew to fit the pictures beside them: again, when more of those come."""

from __future__ import annotations

from collections.abc import Sequence

from datafetch.model import Artifact, Inventory, Recipe, State
from datafetch.plan.difference import holder


def documents(recipe: Recipe, artifact: Artifact) -> tuple[str, ...]:
    """The published paths of the documents that are written anew from what this artifact brings."""
    made = {finish.to for finish in recipe.finish if not finish.list}
    return tuple(
        f"{artifact.folder}/{rule.to}"
        for rule in recipe.layout
        if rule.to in made and any(holder(source, recipe.artifacts) is artifact for source in rule.sources)
    )


def with_documents(recipe: Recipe, wanted: Sequence[Artifact], built: Sequence[str]) -> tuple[Artifact, ...]:
    """What is wanted, and those of the artifacts `built` whose documents tell of its folders."""
    folders = {artifact.folder for artifact in wanted}
    return tuple(
        artifact
        for artifact in recipe.artifacts
        if artifact in wanted
        or (artifact.name in built and artifact.folder in folders and documents(recipe, artifact))
    )


def outdated(recipe: Recipe, wanted: Sequence[Artifact], seen: Inventory) -> dict[str, frozenset[str]]:
    """Artifact -> its documents that are to be written anew: others of its folder are about to bring files, and not
    only those that were there before.
    """
    return {
        artifact.name: frozenset(paths)
        for artifact in wanted
        if seen[artifact.name].state is State.BUILT and (paths := documents(recipe, artifact))
        if any(
            other.folder == artifact.folder
            and seen[other.name].state is not State.BUILT
            and not seen[other.name].lost
            for other in wanted
        )
    }
