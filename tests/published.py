"""A dataset that stands there as if it had been built, and the recipe that describes it."""

from __future__ import annotations

import hashlib

from datafetch.layout import manifest
from datafetch.model import FileRecord
from datafetch.store.home import Home

RECIPE = """
name: set
title: a set
artifacts:
  - {name: real, url: https://set.invalid/set.zip, unpack: true, checksums: unknown}
layout:
  - {from: 'real/<root>/<class>/<file>', to: '<class>/<file>'}
"""


def publish(home: Home, files: dict[str, bytes]) -> None:
    """Files below the output directory, and a manifest of them."""
    for path, data in files.items():
        (home.root / path).parent.mkdir(parents=True, exist_ok=True)
        (home.root / path).write_bytes(data)
    home.state.mkdir(parents=True, exist_ok=True)
    manifest.write(
        home.manifest,
        [
            FileRecord(path, len(data), hashlib.sha256(data).hexdigest(), "https://set.invalid/set.zip", "")
            for path, data in files.items()
        ],
    )
