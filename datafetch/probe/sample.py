"""A few rows of a URL list, spread over its hosts: the same ones for the same list and seed."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import islice, zip_longest

from datafetch.errors import DatafetchError
from datafetch.images.fill import candidates
from datafetch.images.rows import BadRow, Row
from datafetch.lists.rows import listed
from datafetch.model import Artifact, Recipe, Settings, UrlList
from datafetch.probe.words import Health, Target
from datafetch.store.home import Home
from datafetch.task import Task

_READ = 1_000_000  # rows of a list from which the sample is drawn, from its begin on
_HOSTS = 1000  # that are told apart; others count as one


def sampled(
    recipe: Recipe, home: Home, settings: Settings, count: int, seed: int
) -> dict[str, tuple[Target, ...]]:
    """What to ask of each list of the recipe, by the name of its artifact: so many rows where the list is here."""
    task = Task(recipe, recipe.artifacts, home, settings)
    return {
        artifact.name: _rows(task, artifact, artifact.source, count, seed)
        for artifact in recipe.artifacts
        if isinstance(artifact.source, UrlList) and not artifact.source.mending
    }


def _rows(task: Task, artifact: Artifact, source: UrlList, count: int, seed: int) -> tuple[Target, ...]:
    dataset, name = task.recipe.name, artifact.name
    try:
        chosen = draw(source, listed(task, source), count, seed)
    except DatafetchError as error:
        text = f"its list is not here, so that no rows can be drawn: {error}"
        return (Target(dataset, name, "", unasked=Health.UNASKED, text=text),)
    return tuple(
        Target(dataset, name, url, begins=False, row=number, placeholders=source.placeholders)
        for number, url in chosen
    )


def draw(source: UrlList, rows: Iterable[Row | BadRow], count: int, seed: int) -> list[tuple[int, str]]:
    """Row and address of `count` rows by chance, as many of each host as there are, in the order of the list."""
    chance = random.Random(seed)
    seen: dict[str, int] = {}
    drawn: dict[str, list[tuple[int, str]]] = {}
    for row in islice(rows, _READ):
        asked = candidates(source.url, row.line or row.number, row.fields) if isinstance(row, Row) else ()
        if not asked:
            continue
        host = asked[0].partition("://")[2].partition("/")[0].lower()
        if host not in seen and len(seen) >= _HOSTS:
            host = ""
        seen[host] = seen.get(host, 0) + 1
        theirs = drawn.setdefault(host, [])
        if len(theirs) < count:
            theirs.append((row.number, asked[0]))
        elif (at := chance.randrange(seen[host])) < count:
            theirs[at] = (row.number, asked[0])
    by_size = sorted(drawn, key=lambda host: (-seen[host], host))
    for host in by_size:
        chance.shuffle(drawn[host])
    in_turn = (one for turn in zip_longest(*(drawn[host] for host in by_size)) for one in turn if one)
    return sorted(islice(in_turn, count))
