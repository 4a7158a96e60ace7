"""The registry: finding recipes by name, in the user's folders first, then among those that ship."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import RecipeError, UnknownName
from datafetch.model import Recipe
from datafetch.recipe.expand import Expanded
from datafetch.recipe.files import builtin, read_beside, read_recipes, recipe_files
from datafetch.recipe.issues import Bad, nearest, printable


@dataclass(frozen=True, slots=True)
class Shelf:
    """Every recipe that can be read, by name, and why some files cannot."""

    recipes: tuple[Recipe, ...]
    broken: tuple[RecipeError, ...] = ()


def names(dirs: Sequence[Path] = ()) -> tuple[str, ...]:
    """The names of all recipes, sorted; those in files that break the language are left out."""
    return tuple(recipe.name for recipe in shelf(dirs).recipes)


def shelf(dirs: Sequence[Path] = ()) -> Shelf:
    """What the user's folders and the built-in registry hold. Of one name the first counts.

    Raises UsageError when one of the folders does not exist.
    """
    found: dict[str, Recipe] = {}
    broken: list[RecipeError] = []
    for path in _files(dirs):
        try:
            for one in read_recipes(path):
                found.setdefault(one.recipe.name, one.recipe)
        except RecipeError as error:
            broken.append(error)
    return Shelf(tuple(found[name] for name in sorted(found)), tuple(broken))


def load(name: str, dirs: Sequence[Path] = ()) -> Recipe:
    """The recipe of this name, its layout checked too. Other files may be broken; one that seems to hold this
    name may not, for the recipe behind it would be another than the one meant.

    Raises RecipeError, UnknownName with the nearest, and UsageError when one of the folders does not exist.
    """
    known: list[str] = []
    for path in _files(dirs):
        try:
            found = read_recipes(path)
        except RecipeError:
            if _speaks_of(path, name):
                raise
            continue
        for one in found:
            if one.recipe.name == name:
                return _checked(one)
            known.append(one.recipe.name)
    raise _unknown(name, sorted(set(known)))


def _files(dirs: Sequence[Path]) -> Iterator[Path]:
    for folder in (*dirs, builtin()):
        yield from recipe_files(folder)


def _checked(found: Expanded) -> Recipe:
    from datafetch.recipe.lint import check  # brings the layout, which `list` does not need

    issues = check(found)
    if issues:
        raise RecipeError(issues)
    return found.recipe


def _speaks_of(path: Path, name: str) -> bool:
    """Whether a file that cannot be read names this recipe, by its own name or by a word outside comments."""
    if path.stem == name:
        return True
    try:
        written = read_beside(path.parent, path.name).decode("utf-8", "replace")
    except Bad:
        return False
    text = re.sub(r"(?m)(^|\s)#.*", "", written)
    return re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w/.-])", text) is not None


def _unknown(name: str, known: Sequence[str]) -> UnknownName:
    near = nearest(name, known)
    message = f'no dataset "{printable(name)}"; there are {", ".join(known) or "none"}'
    return UnknownName(
        message, hint=f"did you mean {near}?" if near else "datafetch list shows every dataset"
    )
