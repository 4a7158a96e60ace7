"""What `list`, `info`, `plan` and `status` show, gathered without reading a dataset's files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from datafetch.console.screens import how, known_size
from datafetch.console.text import cut, fields, number, size, table
from datafetch.model import Recipe, Seen, Settings, State
from datafetch.plan.budget import Budget
from datafetch.store.home import Home


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `datafetch list`."""

    recipe: Recipe
    state: str  # absent, partial or complete
    on_disk: int  # bytes of published files

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.recipe.name,
            "title": self.recipe.title,
            "obtained": how(self.recipe),
            "status": str(self.recipe.status),
            "size": known_size(self.recipe),
            "state": self.state,
            "on_disk": self.on_disk,
        }


class _LastReport(msgspec.Struct):
    """The part of report.json that a list needs."""

    status: str = "partial"
    bytes: Mapping[str, int] = {}


def listed(recipes: Sequence[Recipe], output_dir: Path) -> list[Listed]:
    root = Path(os.path.realpath(output_dir))
    return [_listed(recipe, Home(root, recipe.name)) for recipe in recipes]


def _listed(recipe: Recipe, home: Home) -> Listed:
    """The state by the last report and the manifest; a folder that was since deleted is absent, whatever they say."""
    try:
        last = msgspec.json.decode(home.report.read_bytes(), type=_LastReport)
    except (OSError, msgspec.DecodeError):
        return Listed(recipe, "partial" if home.state.exists() else "absent", 0)
    if not any((home.root / folder).exists() for folder in recipe.folders):
        return Listed(recipe, "partial" if any(home.state.glob("parts/*")) else "absent", 0)
    return Listed(
        recipe, "complete" if last.status == "complete" else "partial", last.bytes.get("on_disk", 0)
    )


def list_lines(found: Sequence[Listed], width: int | None) -> list[str]:
    header = ("NAME", "OBTAINED", "SIZE", "ON DISK", "STATE", "TITLE")
    rows = [
        (
            one.recipe.name,
            how(one.recipe),
            size(known_size(one.recipe)),
            size(one.on_disk) if one.on_disk else "-",
            one.state,
            one.recipe.title,
        )
        for one in found
    ]
    return [cut(line, width) for line in table([header, *rows], right=(2, 3))]


def info_document(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain data; an unknown size is null and an unknown checksum an empty list."""
    document: dict[str, Any] = msgspec.to_builtins(asdict(recipe))
    for artifact, plain in zip(recipe.artifacts, document["artifacts"], strict=True):
        plain["kind"] = type(artifact.source).__name__
    document["groups"] = list(recipe.groups)
    document["folders"] = list(recipe.folders)
    return document


def plan_document(recipe: Recipe, settings: Settings, budget: Budget, free: int) -> dict[str, Any]:
    return {
        "dataset": recipe.name,
        "root": os.path.realpath(settings.root),
        "files": [asdict(line) for line in budget.lines],
        "bytes": {"fetch": budget.fetch, "disk": budget.disk, "free": free},
        "unknown_sizes": budget.unknown,
        "complete": all(line.state is State.BUILT for line in budget.lines),
    }


def status_document(recipe: Recipe, home: Home, why: str) -> dict[str, Any]:
    """State by artifact, and every item that is not in the tree with its reason; `why` keeps one reason only."""
    from datafetch.store import inventory

    files = inventory.published(home)
    seen = inventory.observe(home, recipe.artifacts, files, inventory.lost(home.root, files))
    missing = [{"name": path, "why": "lost", "url": ""} for now in seen.values() for path in sorted(now.lost)]
    missing += _problems_of_last_run(home)
    missing += [row for artifact in recipe.artifacts for row in _lacking(home, artifact.name)]
    return {
        "dataset": recipe.name,
        "root": str(home.root),
        "artifacts": [
            {
                "name": artifact.name,
                "state": str(_state(seen[artifact.name])),
                "files": seen[artifact.name].files,
                "bytes": seen[artifact.name].tree_bytes,
                "dropped": dropped_words(home, artifact.name),
            }
            for artifact in recipe.artifacts
        ],
        "missing": [row for row in missing if not why or row["why"] == why],
    }


def _state(now: Seen) -> State:
    """As a person sees it: a built artifact of which a few files were lost is not absent."""
    return State.PARTIAL if now.state is State.ABSENT and len(now.lost) < now.files else now.state


def dropped_words(home: Home, artifact: str) -> dict[str, dict[str, int]]:
    from datafetch.store import journal

    staged = journal.known(home.journal(artifact)).staged
    return {str(outcome): dict(whys) for outcome, whys in staged.dropped.items()} if staged else {}


def _lacking(home: Home, artifact: str) -> list[dict[str, str]]:
    from datafetch.images.lacking import lacking

    return [
        {"name": f"{artifact} row {row.row}", "why": row.why or str(row.outcome), "url": row.url}
        for row in lacking(home.batches(artifact))
    ]


def status_lines(document: Mapping[str, Any], *, urls: bool, width: int | None) -> list[str]:
    missing = document["missing"]
    if urls:
        return [row["url"] for row in missing if row["url"]]
    rows = [
        (a["name"], a["state"], number(a["files"]), size(a["bytes"]), _dropped_text(a["dropped"]))
        for a in document["artifacts"]
    ]
    lines = table([("FILE", "STATE", "FILES", "SIZE", "LEFT OUT"), *rows], right=(2, 3))
    lines = [cut(line, width) for line in lines]
    if missing:
        lines += ["", "missing"]
        lines += fields(
            [(f"  {row['why']}", " ".join((row["name"], row["url"])).strip()) for row in missing[:20]]
        )
        if len(missing) > 20:
            lines.append(f"  … and {number(len(missing) - 20)} more: --urls or --json lists all of them")
    return lines


def _dropped_text(dropped: Mapping[str, Mapping[str, int]]) -> str:
    return ", ".join(f"{number(n)} {why}" for whys in dropped.values() for why, n in whys.items())


class _Problems(msgspec.Struct):
    problems: list[dict[str, str]] = []


def _problems_of_last_run(home: Home) -> list[dict[str, str]]:
    try:
        last = msgspec.json.decode(home.report.read_bytes(), type=_Problems)
    except (OSError, msgspec.DecodeError):
        return []
    return [{"name": p["name"], "why": p["why"], "url": p["url"]} for p in last.problems]
