"""Lint: everything a recipe can get wrong, beyond what is needed to read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from datafetch.errors import Issue, RecipeError, UsageError
from datafetch.layout.rules import check_layout
from datafetch.model import Bundled
from datafetch.recipe.expand import Expanded
from datafetch.recipe.files import locate, read_recipes, recipe_files
from datafetch.recipe.issues import Bad
from datafetch.recipe.sources import names_of


def lint(paths: Sequence[Path]) -> tuple[Issue, ...]:
    """The issues of these recipe files and registry folders, by file and line; empty when all is well.

    Raises UsageError for a path that does not exist.
    """
    issues: list[Issue] = []
    found: list[Expanded] = []
    for path in files_of(paths):
        try:
            recipes = read_recipes(path)
        except RecipeError as error:
            issues += error.issues
            continue
        found += recipes
        for one in recipes:
            issues += (*check(one), *_check_beside(one, path.parent))
        issues += _check_listed(recipes, path)
    issues += _check_together(found)
    return tuple(dict.fromkeys(sorted(issues, key=lambda issue: (issue.file, issue.line))))


def files_of(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The recipe files that these paths name, a folder standing for all in it. Raises UsageError."""
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            files.update(dict.fromkeys(recipe_files(path)))
        elif path.exists():
            files[path] = None
        else:
            raise UsageError(f"{path}: expected a recipe or a registry folder, found nothing")
    return tuple(files)


def check(found: Expanded) -> tuple[Issue, ...]:
    """What the layout of one recipe gets wrong: captures, paths that leave the folder or may meet."""
    recipe = found.recipe
    if not recipe.layout:
        return ()
    issues = []
    for index, message in check_layout(recipe.artifacts, recipe.layout):
        is_rule = 0 <= index < len(found.rule_lines)
        line = found.rule_lines[index] if is_rule else found.line
        where = f'layout rule to "{recipe.layout[index].to}"' if is_rule else "key layout"
        issues.append(Issue(recipe.file, line, where, message))
    return tuple(issues)


def _check_beside(found: Expanded, folder: Path) -> Iterable[Issue]:
    """Bundled files must lie in the registry folder."""
    for artifact, line in zip(found.recipe.artifacts, found.artifact_lines, strict=True):
        match artifact.source:
            case Bundled(path=path):
                try:
                    locate(folder, path)
                except Bad as bad:
                    yield Issue(found.recipe.file, line, f"artifact {artifact.name}, key bundled", str(bad))


def _check_listed(recipes: Sequence[Expanded], path: Path) -> Iterable[Issue]:
    """A name in a checksum file that no artifact has is a slip in one of the two."""
    names = {
        name for one in recipes for artifact in one.recipe.artifacts for name in names_of(artifact.source)
    }
    for one in recipes[:1]:
        for name, (file, line) in one.known.lines.items():
            if name not in names:
                message = f"{name} is the file of no artifact in {path.name}"
                yield Issue(str(path.parent / file), line, "", message)


def _check_together(found: Sequence[Expanded]) -> Iterable[Issue]:
    """Recipes of one registry must have names of their own and build folders of their own."""
    names = {one.recipe.name for one in found}
    linted = {Path(one.recipe.file) for one in found}
    for one in found:
        alone = (
            not linted.issuperset(recipe_files(Path(one.recipe.file).parent)) if one.recipe.members else True
        )
        for member in () if alone else one.recipe.members:
            if member not in names:
                yield Issue(one.recipe.file, one.line, "key members", f'no recipe has the name "{member}"')
    by_name: dict[tuple[Path, str], Expanded] = {}
    by_folder: dict[tuple[Path, str], Expanded] = {}
    for one in found:
        recipe, registry = one.recipe, Path(one.recipe.file).parent
        first = by_name.setdefault((registry, recipe.name.casefold()), one)
        if first is not one:
            where = f"{first.recipe.file}:{first.line}"
            yield Issue(
                recipe.file, one.line, "key name", f'"{recipe.name}" is the name of a recipe in {where}'
            )
            continue
        for folder in recipe.folders:
            other = by_folder.setdefault((registry, folder.casefold()), one)
            if other is not one:
                message = f'the folder "{folder}" is built by {other.recipe.name} too'
                yield Issue(recipe.file, one.line, "key folder", message)
