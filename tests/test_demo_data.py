"""The demo's upstream: equal bytes everywhere, the shape of the real sets, and its recipe."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

from datafetch.demo import data
from datafetch.demo.pictures import mask, photo, scene
from datafetch.demo.play import answers
from datafetch.images.check import Checked, Limits, check
from datafetch.images.items import Item, items
from datafetch.images.placeholders import is_placeholder
from datafetch.images.rows import read
from datafetch.model import Http, Recipe, Shards, UrlList
from datafetch.recipe import registry


def recipe() -> Recipe:
    return registry.load("demo")


def test_the_files_are_the_same_bytes_on_every_machine() -> None:
    whole = hashlib.sha256()
    for address, body in sorted(data.upstream().items()):
        whole.update(f"{hashlib.sha256(body).hexdigest()}  {address}\n".encode())
    assert whole.hexdigest() == "5b402a319ad3f9b99466feef2230e0c1bb10c8dfd839ed9c44732f98777e0919"


def test_the_published_checksums_are_those_of_the_files() -> None:
    files = {address.rpartition("/")[2]: body for address, body in data.upstream().items()}
    checked = 0
    for artifact in recipe().artifacts:
        match artifact.source:
            case Http(urls=urls):
                named = [(urls[0], artifact.checksums)]
            case Shards(shards=shards):
                named = [(shard.urls[0], shard.checksums) for shard in shards]
            case _:
                named = []
        for url, checksums in named:
            for checksum in checksums:
                assert hashlib.md5(files[url.rpartition("/")[2]]).hexdigest() == checksum.digest
                checked += 1
    assert checked == 1 + data.SHARDS


def test_the_recipe_names_every_file_and_no_other() -> None:
    named = set()
    for artifact in recipe().artifacts:
        match artifact.source:
            case Http(urls=urls):
                named.add(urls[0])
            case Shards(shards=shards):
                named |= {shard.urls[0] for shard in shards}
    held = {f"https://{address}" for address in data.upstream() if address.startswith(f"{data.HOST}/")}
    assert named == held


def test_the_recipe_reads_the_list_as_it_is(tmp_path: Path) -> None:
    source = next(a.source for a in recipe().artifacts if isinstance(a.source, UrlList))
    path = tmp_path / "links.json"
    path.write_bytes(data.links())
    found = list(items(source, read(path, source.read, source.keys)))
    assert len(found) == data.LINKS
    for item in found:
        assert isinstance(item, Item) and not item.twin
        address = item.urls[0].removeprefix("https://")
        assert address == data.address(item.number)
        assert (address in data.pictures()) is (item.number != data.GONE)


def test_every_address_has_a_name_that_no_network_knows() -> None:
    hosts = {address.partition("/")[0] for address in data.upstream()}
    assert all(host.endswith(".invalid") for host in hosts)


def test_pictures_are_whole_images_and_all_differ() -> None:
    bodies = list(data.pictures().values())
    assert {check(body, Limits()) for body in bodies} == {Checked(32, 32)}
    assert len(set(bodies)) == len(bodies) == data.LINKS - 1
    assert sum(map(is_placeholder, bodies)) == 1
    for shape in ("box", "disc", "wedge"):
        assert check(mask(scene("x", shape)), Limits()) == check(photo(scene("x", shape)), Limits())


def test_archives_have_the_shape_of_the_real_ones() -> None:
    files = data.upstream()
    names = {
        key: zipfile.ZipFile(io.BytesIO(files[f"{data.HOST}/{key}.zip"])).namelist()
        for key in ("demo", "demo_dreambooth_cfg_5", "demo_negatives")
    }
    masks = [name.replace("_masks/", "/") for name in names["demo"] if "_masks/" in name]
    assert masks and set(masks) <= set(names["demo"])
    assert "__MACOSX/demo/train/._0.png" in names["demo"]
    assert any("<new1>" in name for name in names["demo_dreambooth_cfg_5"])
    assert any("_rej/" in name for name in names["demo_dreambooth_cfg_5"])
    info = json.loads(zipfile.ZipFile(io.BytesIO(files[f"{data.HOST}/demo.zip"])).read("demo/demo_info.json"))
    assert info["classes"] == list(data.CLASSES)


def test_the_shards_join_to_one_archive() -> None:
    shards = data.shards()
    assert len(shards) == data.SHARDS and len(shards[-1]) <= len(shards[0])
    whole = zipfile.ZipFile(io.BytesIO(b"".join(shards)))
    assert whole.testzip() is None and len(whole.namelist()) == 24


def test_the_server_has_an_answer_for_every_file_and_the_dead_picture() -> None:
    assert set(answers(data.upstream())) == {f"/{a}" for a in (*data.upstream(), data.address(data.GONE))}
