"""All commands: importing this registers them; the help shows the panels in this order."""

from __future__ import annotations

from datafetch.cli import getting, building, bundling, combining, scheduling, looking, terms  # isort: skip
from datafetch.cli import verifying, checking, exporting, locking, probing  # isort: skip
from datafetch.cli.app import app

__all__ = [
    "app",
    "building",
    "bundling",
    "checking",
    "combining",
    "exporting",
    "getting",
    "locking",
    "looking",
    "probing",
    "scheduling",
    "terms",
    "verifying",
]
