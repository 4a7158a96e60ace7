"""All commands: importing this registers them; the help shows the panels in this order."""

from __future__ import annotations

from datafetch.cli import getting, building, combining, scheduling  # isort: skip
from datafetch.cli import looking, verifying, checking, exporting, probing  # isort: skip
from datafetch.cli.app import app

__all__ = [
    "app",
    "building",
    "checking",
    "combining",
    "exporting",
    "getting",
    "looking",
    "probing",
    "scheduling",
    "verifying",
]
