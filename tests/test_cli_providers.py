"""Recipes with hf, s3 and gdrive addresses through the unmodified command line, and where secrets do not go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from archives import zip_of
from process import Ended, datafetch_
from server import FaultServer, status
from test_cli_tree import files_below

from tests.drive import QUOTA, FakeDrive, drive
from tests.hub import TOKEN, FakeHub, hub
from tests.s3 import ALONE, CREDENTIALS, KEY_ID, SECRET, SESSION, Moto, moto

ID = "1nGpNS2GPLawMYiNNR8Z9AKlJWfYtmLJh"
FOLDER = "1LR6trJhN4XbgTtqZo1zfe272cAkXqA7e"
RECIPE = f"""\
name: far
title: Files of the hub, of S3 and of Drive
artifacts:
  - name: hub
    url: "hf://datasets/own/set@v1/data/hub.zip"
    checksums: unknown
    unpack: true
  - name: bucket
    url: ["hf://datasets/own/set@v1/data/absent.zip", "s3://closed/data/bucket.zip"]
    checksums: unknown
    unpack: true
  - name: parts
    shards: "s3://closed/parts/p.a{{a..c}}"
    checksums: unknown
    unpack: true
  - name: file
    url: "gdrive://{ID}"
    checksums: unknown
    unpack: true
  - name: entry
    url: "gdrive://folders/{FOLDER}/entry.zip"
    checksums: unknown
    unpack: true
layout:
  - {{from: "<name>/<root>/<file>", to: "<name>/<file>"}}
"""
NAMES = ("hub", "bucket", "parts", "file", "entry")
TREE = {f"far/{name}/{k}.txt": f"{name} {k}\n".encode() * 2000 for name in NAMES for k in range(3)}


def packed(name: str) -> bytes:
    return zip_of({path.removeprefix("far/"): data for path, data in TREE.items() if f"/{name}/" in path})


@dataclass
class World:
    """The three providers on loopback, a folder to work in, and what the environment names."""

    folder: Path
    s3: Moto
    hub: FakeHub
    hub_server: FaultServer
    drive: FakeDrive
    drive_server: FaultServer
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, root: str = "out") -> Ended:
        where = ("--registry", "recipes", "-o", root, "--mirror", self.drive_server.url, "--allow-private")
        return datafetch_(*words, *where, cwd=self.folder, env=self.env)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with moto(tmp_path_factory.mktemp("moto")) as running:
        running.bucket("closed")
        running.put("closed", "data/bucket.zip", packed("bucket"), public=False)
        whole = packed("parts")
        third = len(whole) // 3 + 1
        for number, letter in enumerate("abc"):
            piece = whole[number * third : (number + 1) * third]
            running.put("closed", f"parts/p.a{letter}", piece, public=False)
        yield running


@pytest.fixture
def world(tmp_path: Path, s3: Moto) -> Iterator[World]:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "far.yaml").write_text(RECIPE)
    with ExitStack() as stack:
        fake_hub, hub_server = stack.enter_context(hub())
        fake_drive, drive_server = stack.enter_context(drive())
        fake_hub.large["datasets/own/set/resolve/v1/data/hub.zip"] = packed("hub")
        fake_hub.private = True
        fake_drive.files = {ID: packed("file"), "file-entry-1": packed("entry")}
        fake_drive.warned = {ID}
        fake_drive.folders[FOLDER] = [("file-entry-1", " entry (1).zip")]
        env = {"HF_ENDPOINT": hub_server.url, "HF_TOKEN": TOKEN, "AWS_ENDPOINT_URL": s3.url}
        env |= {**ALONE, **CREDENTIALS, "AWS_SESSION_TOKEN": SESSION}
        yield World(tmp_path, s3, fake_hub, hub_server, fake_drive, drive_server, env)


def test_a_recipe_of_all_schemes_ends_in_a_complete_dataset(world: World) -> None:
    ended = world("get", "far", "--json")
    assert ended.code == 0, ended.err
    assert files_below(world.folder / "out") == TREE
    lines = (world.folder / "out/.datafetch/far/manifest.jsonl").read_text().splitlines()
    urls = {record["artifact"]: record["url"] for record in map(json.loads, lines)}
    assert urls["hub"] == "hf://datasets/own/set@v1/data/hub.zip"
    assert urls["file"] == f"gdrive://{ID}"
    before = len(world.hub_server.seen) + len(world.drive_server.seen)
    again = world("get", "far", "--json")
    assert (again.code, again.report["bytes"]["transferred"]) == (0, 0)
    assert len(world.hub_server.seen) + len(world.drive_server.seen) == before


def test_no_secret_reaches_a_mirror_a_store_or_anything_that_is_written(world: World) -> None:
    ended = world("get", "far", "--json", "-v")
    assert ended.code == 0, ended.err
    world.hub.large.clear()
    again = world("get", "far", "--json", "-v", root="other")
    assert again.code != 0  # errors are written, too
    told = [ended.out, ended.err, again.out, again.err]
    told += [str(seen) for seen in (*world.drive_server.seen, *world.hub.store.seen)]
    for root in ("out", "other"):
        for path in (world.folder / root).rglob("*"):
            if path.is_file():
                told.append(path.read_bytes().decode("latin-1"))
    for secret in (TOKEN, SECRET, SESSION, KEY_ID, "AWS4-HMAC"):
        assert not any(secret in text for text in told), secret
    assert any(TOKEN in str(seen) for seen in world.hub_server.seen)


def one(folder: Path, url: str) -> None:
    """The recipe `one` of a single file."""
    (folder / "recipes" / "one.yaml").write_text(
        f'name: one\ntitle: One file\nartifacts:\n  - {{name: it, url: "{url}", checksums: unknown, unpack: true}}\n'
        'layout:\n  - {from: "it/<file>", to: "<file>"}\n'
    )


def test_the_quota_of_drive_is_exit_code_7_with_the_time_to_try_again(world: World) -> None:
    world.drive.pages[ID] = QUOTA
    one(world.folder, f"gdrive://{ID}")
    ended = world("get", "one", "--mirror-only")
    assert ended.code == 7
    assert "too many have downloaded it lately" in ended.err
    assert re.search(r"hint: try again in 24 hours, after 20\d\d-", ended.err)
    assert not (world.folder / "out" / "one").exists()


def test_a_gated_repository_is_exit_code_7_with_the_page_to_open(world: World) -> None:
    world.hub.refused["datasets/own/set/resolve/v1/data/hub.zip"] = (403, "GatedRepo")
    one(world.folder, "hf://datasets/own/set@v1/data/hub.zip")
    ended = world("get", "one")
    page = f"{world.hub_server.url}/datasets/own/set"
    assert ended.code == 7
    assert f"hint: accept its terms at {page}, and set HF_TOKEN to a token of that account" in ended.err


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("hf://datasets/own/set@v1/data/hub%20a.zip", "hub a.zip"),
        (f"gdrive://folders/{FOLDER}/a%20b.zip", "a b.zip"),
        (f"gdrive://{ID}", "it"),
    ],
)
def test_a_file_that_a_person_brought_stands_for_a_scheme_too(url: str, name: str, world: World) -> None:
    one(world.folder, url)
    (world.folder / "brought").mkdir()
    (world.folder / "brought" / name).write_bytes(zip_of({"a.txt": b"a"}))
    ended = world("get", "one", "--from", "brought")
    assert ended.code == 0, ended.err
    assert not world.hub_server.seen


def test_a_mirror_is_asked_for_what_the_schemes_stand_for(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "far.yaml").write_text(RECIPE)
    with FaultServer(lambda path: status(404)) as mirror:
        ended = datafetch_(
            *("get", "far", "--registry", "recipes", "--mirror", mirror.url, "--mirror-only"), cwd=tmp_path
        )
        asked = {seen.path for seen in mirror.seen}
    assert ended.code == 4
    assert asked == {
        "/huggingface.co/datasets/own/set/resolve/v1/data/hub.zip",
        "/huggingface.co/datasets/own/set/resolve/v1/data/absent.zip",
        "/closed.s3.us-east-1.amazonaws.com/data/bucket.zip",
        *(f"/closed.s3.us-east-1.amazonaws.com/parts/p.a{letter}" for letter in "abc"),
        f"/drive.usercontent.google.com/download?id={ID}&export=download",
        f"/drive.google.com/embeddedfolderview?id={FOLDER}",
    }


@pytest.mark.parametrize("command", ["plan", "info", "status"])
def test_the_schemes_are_shown_as_the_recipe_writes_them(command: str, world: World) -> None:
    words = (command, "far", "--registry", "recipes")
    ended = datafetch_(*words, cwd=world.folder, env=world.env)
    assert ended.code == 0, ended.err
    if command == "info":
        assert "hf://datasets/own/set@v1/data/hub.zip" in ended.out
