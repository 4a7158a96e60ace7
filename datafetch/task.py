"""What one run is to bring, and where: the arguments of everything that acts."""

from __future__ import annotations

from dataclasses import dataclass

from datafetch.model import Artifact, Recipe, Settings
from datafetch.store.home import Home


@dataclass(frozen=True, slots=True)
class Task:
    recipe: Recipe
    wanted: tuple[Artifact, ...]
    home: Home
    settings: Settings
