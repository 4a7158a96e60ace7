"""How a dataset of a person's own files was asked for, kept beside it, and the recipe that this makes."""

from __future__ import annotations

import msgspec

from datafetch.errors import UsageError
from datafetch.model import Artifact, Own, Recipe, Status
from datafetch.store.files import write_atomic
from datafetch.store.home import Home


def recipe_of(name: str, pictures: Own, negatives: Own | None = None) -> Recipe:
    """The dataset as any other is described: `<name>/` and, if there are any, `<name>_negatives/`."""
    artifacts = [Artifact("pictures", pictures, name)]
    if negatives is not None:
        artifacts.append(Artifact("negatives", negatives, f"{name}_negatives", group="negatives"))
    return Recipe(name, f"your own pictures, from {pictures.where}", tuple(artifacts), status=Status.MANUAL)


def keep(home: Home, recipe: Recipe) -> None:
    """Remembers the wish, so that other commands know the dataset by its name."""
    own = {artifact.name: artifact.source for artifact in recipe.artifacts}
    write_atomic(home.own, msgspec.json.format(msgspec.json.encode(own)) + b"\n")


def kept(home: Home) -> Recipe | None:
    """The recipe of an earlier wish; None when there was none. Raises UsageError when it cannot be read."""
    try:
        own = msgspec.json.decode(home.own.read_bytes(), type=dict[str, Own])
        return recipe_of(home.dataset, own["pictures"], own.get("negatives"))
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, KeyError) as error:
        raise UsageError(f"{home.own}: {error}", "run datafetch build again") from None
