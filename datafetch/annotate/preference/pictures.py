"""Which picture an item is: the file of its name, whatever the extension."""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import basename, splitext

# In the order in which upstream's scripts look.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tiff", ".tif")


def by_stem(paths: Iterable[str]) -> dict[str, str]:
    """Stem -> path of the pictures among `paths`; of several with one stem the earliest extension counts."""
    found: dict[str, tuple[int, str]] = {}
    for path in paths:
        name, extension = splitext(basename(path))
        if extension.lower() in EXTENSIONS:
            rank = (EXTENSIONS.index(extension.lower()), path)
            found[name] = min(found.get(name, rank), rank)
    return {name: path for name, (_, path) in found.items()}


def by_topic(paths: Iterable[str]) -> dict[str, dict[str, str]]:
    """Topic -> file name -> path, both sorted; the topic is the folder that a picture lies in."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(paths):
        *_, topic, name = path.split("/")
        if splitext(name)[1].lower() in EXTENSIONS and not name.startswith("."):
            found.setdefault(topic, {})[name] = path
    return dict(sorted(found.items()))
