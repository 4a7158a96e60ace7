"""A `derived` entry: its maker, what the maker is given, and what it wants to know."""

from __future__ import annotations

from datafetch.model import Derived
from datafetch.recipe import values
from datafetch.recipe.document import DerivedEntry
from datafetch.recipe.issues import Bad, listed, printable, suggest
from datafetch.recipe.site import Site

# Of each maker of `annotate`, which no recipe needs to load: what it must be given, what it may be, its settings.
DERIVERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "ratings": (
        ("ratings", "pictures"),
        ("means", "captions", "styles"),
        ("above", "history", "schema", "seed", "style", "user"),
    ),
    "drawn": (("users", "items"), ("subset", "pictures"), ("least", "seed", "users")),
    "clicks": (("users", "pictures"), ("captions", "styles"), ("history", "schema", "seed", "style", "user")),
    "themes": (("pictures",), ("annotations", "captions", "styles"), ("history", "schema", "seed")),
}
_NUMBERS = frozenset(("above", "history", "least", "seed", "users"))


def derived(entry: DerivedEntry, site: Site) -> Derived | None:
    """The source of an entry; None with issues for a maker that does not exist or is not given what it needs."""
    make = site.at("make").filled(values.one_of, entry.make, DERIVERS, "makers")
    if make is None:
        return None
    must, may, wanted = DERIVERS[make]
    inputs = []
    for role, given in entry.sources.items():
        at = site.at("from", role)
        at.take(lambda word: values.one_of(word, (*must, *may), "roles"), role)
        paths = [
            at.filled(values.relative_path, one) for one in ([given] if isinstance(given, str) else given)
        ]
        inputs.append((role, tuple(path for path in paths if path is not None)))
    if absent := [role for role in must if role not in entry.sources]:
        site.at("from").add(f"{make} needs {listed(absent, 'and')}")
    settings = []
    for key, value in entry.settings.items():
        at = site.at("with", key)
        at.take(lambda word: values.one_of(word, wanted, "settings"), key)
        said = at.filled(_number if key in _NUMBERS else values.plain, str(value))
        settings.append((key, said or ""))
    if absent := [key for key in wanted if key not in entry.settings]:
        site.at("with").add(f"{make} wants to know {listed(absent, 'and')}")
    published = tuple(
        (key, site.at("published", key).fill(str(value))) for key, value in entry.published.items()
    )
    return Derived(make, tuple(inputs), tuple(settings), published)


def _number(text: str) -> str:
    if not (text.isascii() and text.isdigit()):
        raise Bad(f'expected a number, found "{printable(text)}"')
    return text


def unheld(source: Derived, names: tuple[str, ...]) -> str:
    """What is wrong with the first path that begins with no artifact; empty when all is well."""
    for _, paths in source.inputs:
        for path in paths:
            if not any(path == name or path.startswith(f"{name}/") for name in names):
                near = suggest(path.split("/")[0], names, "artifacts")
                return f'expected a path that begins with an artifact, found "{path}"; {near}'
    return ""
