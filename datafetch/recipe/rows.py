"""`rows` of an artifact: which columns of a parquet table hold pictures, and what those are called."""

from __future__ import annotations

import re

from datafetch.recipe import values
from datafetch.recipe.document import ArtifactEntry
from datafetch.recipe.issues import Bad, printable
from datafetch.recipe.site import Site

_CAPTURE = re.compile(r"<([^<>/]+)>")
_EXT = "ext"


def rows(entry: ArtifactEntry, site: Site) -> tuple[tuple[str, str], ...]:
    """Column -> template of its members' names, in the order written; what is at fault becomes an issue.

    `<n>` is the number of a row among those that agree in the other captures, `<ext>` the ending that fits the
    picture in the first column, any other capture a column of words.
    """
    if entry.rows and entry.url_list is not None:
        site.at("rows").add("goes with a file, not with url_list")
    found = [
        (column, name)
        for column, text in entry.rows.items()
        if (name := site.at("rows", column).filled(_template, text)) is not None
    ]
    for column, name in found[1:]:
        first = found[0][1]
        if captures(name) != captures(first):
            site.at("rows", column).add(f"expected the captures of {first}, found {name}")
        elif name in [other for at, other in found if at != column]:
            site.at("rows", column).add(f"expected names that differ, found {name} twice")
    return tuple(found)


def captures(template: str) -> frozenset[str]:
    """What tells the rows of a template apart."""
    return frozenset(_CAPTURE.findall(template)) - {_EXT}


def _template(text: str) -> str:
    path = values.relative_path(text)
    rest = _CAPTURE.sub("", path)
    if "<" in rest or ">" in rest:
        raise Bad(f'expected captures such as <label>, found "{printable(text)}"')
    if not captures(path):
        raise Bad(
            f'expected <n> or a column such as <label>, else all rows have one name: "{printable(text)}"'
        )
    return path
