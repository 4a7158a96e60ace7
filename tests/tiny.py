"""A recipe of a few lines, and the unmodified command line to get it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from process import Ended, datafetch_


def recipe(folder: Path, urls: Mapping[str, str], more: str = "") -> tuple[str, ...]:
    """A recipe `tiny` with a file for each name, not unpacked; what it is found by on a command line."""
    place = folder / "recipes"
    place.mkdir(exist_ok=True)
    lines = ["name: tiny", "title: tiny", "artifacts:"]
    lines += [f"  - {{name: {name}, url: '{url}', checksums: unknown}}" for name, url in urls.items()]
    (place / "tiny.yaml").write_text("\n".join([*lines, more]))
    return ("tiny", "--registry", str(place))


def get(
    folder: Path, urls: Mapping[str, str], *options: str, more: str = "", env: Mapping[str, str] | None = None
) -> Ended:
    """`datafetch get tiny` into `folder`/out, its report as JSON."""
    named = recipe(folder, urls, more)
    return datafetch_("get", *named, "-o", "out", "--json", *options, cwd=folder, env=env)
