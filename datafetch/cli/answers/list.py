"""What `list` shows, gathered without reading a dataset's files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from datafetch.console.screens import how, known_size
from datafetch.console.text import cut, size, table
from datafetch.errors import DatafetchError
from datafetch.model import Recipe
from datafetch.store.home import STATE_FOLDER, Home
from datafetch.store.subsets import Partial, subsets


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `datafetch list`."""

    recipe: Recipe
    state: str  # absent, partial or complete
    on_disk: int  # bytes of published files
    subset: tuple[Partial, ...] = ()  # of what only a part is here, by choice

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.recipe.name,
            "title": self.recipe.title,
            "obtained": how(self.recipe),
            "status": str(self.recipe.status),
            "size": known_size(self.recipe),
            "state": self.state,
            "on_disk": self.on_disk,
            "subset": [each.as_json() for each in self.subset],
        }


class _LastReport(msgspec.Struct):
    """The part of report.json that a list needs."""

    status: str = "partial"
    bytes: Mapping[str, int] = {}


def listed(recipes: Sequence[Recipe], output_dir: Path) -> list[Listed]:
    root = Path(os.path.realpath(output_dir))
    alone = {one.name: _listed(one, Home(root, one.name)) for one in recipes if not one.members}
    return [alone.get(one.name) or _of_members(one, alone) for one in recipes]


def _of_members(group: Recipe, alone: Mapping[str, Listed]) -> Listed:
    """A group is as far as its members are together; the bytes are theirs."""
    states = {alone[name].state for name in group.members if name in alone}
    return Listed(group, states.pop() if len(states) == 1 else "partial", 0)


def own_datasets(output_dir: Path) -> list[Listed]:
    """Those that `build` made of a person's own files; one whose wish cannot be read is left to `status`."""
    root = Path(os.path.realpath(output_dir))
    names = sorted(path.parent.name for path in root.glob(f"{STATE_FOLDER}/*/own.json"))
    if not names:
        return []
    from datafetch.own import wish

    found = []
    for name in names:
        with suppress(DatafetchError):
            home = Home(root, name)
            recipe = wish.kept(home)
            if recipe is not None:
                found.append(_listed(recipe, home))
    return found


def _listed(recipe: Recipe, home: Home) -> Listed:
    """The state by the last report and the manifest; a folder that was since deleted is absent, whatever they say."""
    try:
        last = msgspec.json.decode(home.report.read_bytes(), type=_LastReport)
    except (OSError, msgspec.DecodeError):
        return Listed(recipe, "partial" if home.state.exists() else "absent", 0)
    if not any((home.root / folder).exists() for folder in recipe.folders):
        return Listed(recipe, "partial" if any(home.state.glob("parts/*")) else "absent", 0)
    state = "complete" if last.status == "complete" else "partial"
    return Listed(recipe, state, last.bytes.get("on_disk", 0), subsets(home, recipe))


def list_lines(found: Sequence[Listed], width: int | None) -> list[str]:
    header = ("NAME", "OBTAINED", "SIZE", "ON DISK", "STATE", "TITLE")
    rows = [
        (
            one.recipe.name,
            how(one.recipe),
            size(known_size(one.recipe)),
            size(one.on_disk) if one.on_disk else "-",
            "subset" if one.subset and one.state == "complete" else one.state,
            one.recipe.title,
        )
        for one in found
    ]
    return [cut(line, width) for line in table([header, *rows], right=(2, 3))]
