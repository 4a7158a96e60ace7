"""A module for each command, named like it: importing this registers them; the help shows them in this order."""

from __future__ import annotations

from datafetch.cli.commands import get, plan, demo, build, bundle, serve, combine, schedule  # isort: skip
from datafetch.cli.commands import list, info, status, show, terms  # isort: skip
from datafetch.cli.commands import verify, check, export, lock  # isort: skip
from datafetch.cli.commands import lint, recipe, probe  # isort: skip
from datafetch.cli.app import app

__all__ = [
    "app",
    "build",
    "bundle",
    "check",
    "combine",
    "demo",
    "export",
    "get",
    "info",
    "lint",
    "list",
    "lock",
    "plan",
    "probe",
    "recipe",
    "schedule",
    "serve",
    "show",
    "status",
    "terms",
    "verify",
]
