"""A file that is not unpacked, from address to place: not copied when it need not be, never shared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datafetch import run
from datafetch.demo.server import FaultServer, Thing
from datafetch.layout import manifest
from datafetch.model import Choice, Settings
from datafetch.recipe import registry
from datafetch.run import home_of

DATA = bytes(range(256)) * 1000
RECIPE = """
name: one
title: one file
artifacts:
  - {name: one, url: 'https://one.invalid/one.bin', checksums: unknown}
layout:
  - {from: one, to: sub/one.bin}
"""


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept"])
def test_a_single_file_stands_alone_in_its_place(
    links: bool, keep: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "one.yaml").write_text(RECIPE)
    recipe = registry.load("one", (tmp_path,))
    with FaultServer(lambda path: Thing(DATA)) as server:
        settings = Settings(str(tmp_path / "out"), mirrors=(server.url,), keep_archives=keep)
        report = run.get(recipe, Choice(), settings)
    assert report.exit_code == 0
    home = home_of(settings, "one")
    (record,) = manifest.read(home.manifest)
    placed = home.root / record.path
    assert placed.read_bytes() == DATA
    assert placed.stat().st_nlink == 1
    assert home.archive("one").exists() is keep
    assert not list((tmp_path / "out").rglob("*.part"))
