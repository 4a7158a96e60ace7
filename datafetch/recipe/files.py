"""Reading a registry folder: untrusted, so nothing outside it is read and nothing in it can block."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from datafetch.errors import Issue, RecipeError, UsageError
from datafetch.recipe.expand import Expanded, read
from datafetch.recipe.issues import Bad, Issues, printable
from datafetch.recipe.nodes import MAX_BYTES
from datafetch.recipe.parse import parse

MAX_BESIDE = 16 << 20  # bytes of a checksum file


def builtin() -> Path:
    """The registry that ships with datafetch: inside the wheel, beside the package in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "registry"
    return inside if inside.is_dir() else package.parent / "registry"


def recipe_files(folder: Path) -> tuple[Path, ...]:
    """The recipe files of a folder, by name. Raises UsageError when there is no such folder."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except NotADirectoryError:
        raise UsageError(f"{folder}: expected a registry folder, found a file") from None
    except OSError as error:
        raise UsageError(f"{folder}: no registry folder: {_plain(error)}") from None
    return tuple(folder / name for name in names if is_recipe_file(name))


def is_recipe_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) and not name.startswith(".")


def locate(folder: Path, name: str) -> Path:
    """Where a file beside the recipes of a folder really lies. Raises Bad when that is outside the folder."""
    try:
        real = (folder / name).resolve(strict=True)
        home = folder.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise Bad(f"{printable(name)} cannot be read: {_plain(error)}") from None
    if not real.is_relative_to(home):
        raise Bad(f"{printable(name)} is a link that leaves the registry folder")
    return real


def read_beside(folder: Path, name: str, limit: int = MAX_BESIDE) -> bytes:
    """The content of a file in a registry folder. Raises Bad for anything but a regular file inside it."""
    path = locate(folder, name)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise Bad(f"{printable(name)} is not a regular file")
        with open(handle, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise Bad(f"{printable(name)} cannot be read: {_plain(error)}") from None
    if len(data) > limit:
        raise Bad(f"{printable(name)}: expected at most {limit:,} bytes, found more")
    return data


def read_recipes(path: Path) -> tuple[Expanded, ...]:
    """The recipes of one file. Raises RecipeError with every issue found."""
    folder = path.parent
    try:
        data = read_beside(folder, path.name, MAX_BYTES)
    except Bad as bad:
        raise RecipeError((Issue(str(path), 0, "", str(bad)),)) from None
    return read(data, str(path), lambda name: read_beside(folder, name))


def checksum_files(path: Path) -> tuple[str, ...]:
    """The checksum files that a recipe file names, beside it. Raises RecipeError as `read_recipes` does."""
    issues = Issues(str(path))
    try:
        document = parse(read_beside(path.parent, path.name, MAX_BYTES), issues)
    except Bad as bad:
        raise RecipeError((Issue(str(path), 0, "", str(bad)),)) from None
    if document is None:
        raise RecipeError(tuple(issues.all))
    given = document.entry.checksums
    return (given,) if isinstance(given, str) else tuple(given)


def _plain(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]
