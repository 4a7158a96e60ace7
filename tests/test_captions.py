"""captions: what upstream's JSON becomes, and that it stays so whatever happens in between."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from process import Ended, datafetch_, start
from sbu import HOME, ORIGIN, RECIPE, hosted, pictures, record, split, tar_gz
from server import FaultServer, Thing
from test_cli_tree import files_below, scaffolding

from datafetch.annotate import MAKERS
from datafetch.annotate.captions import captions
from datafetch.annotate.entries import entry_maker
from datafetch.errors import BadList
from datafetch.recipe import expand


def picture(number: int) -> str:
    return f"im2text/im2text_{number:012d}.jpg"


def made(
    records: list[dict[str, object]], files: list[str]
) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    raws = msgspec.json.decode(json.dumps(records).encode(), type=list[msgspec.Raw])
    document = captions(raws, frozenset(files))
    found = [json.loads(each) for each in document.records]
    assert len(found) == document.count
    return found, document.notes


def test_the_paths_of_the_authors_machine_become_those_of_the_layout() -> None:
    found, notes = made([record(28267)], [picture(28267)])
    assert found == [record(28267) | {"file_path": "im2text/im2text_000000028267.jpg"}]
    assert found[0]["id"] == "000000028267"
    assert notes == ()


def test_records_are_sorted_by_id_and_each_id_comes_once() -> None:
    found, notes = made(
        [record(3), record(1), record(3, "other"), record(2)], [picture(n) for n in (1, 2, 3)]
    )
    assert [each["id"] for each in found] == ["000000000001", "000000000002", "000000000003"]
    assert found[2]["captions"] == [" a caption"]
    assert notes == ("1 records have an id that came before, and are left out",)


def test_records_and_pictures_are_compared_both_ways() -> None:
    files = [picture(2), picture(3), "im2text/README", "im2text.json"]
    found, notes = made([record(1), record(2)], files)
    assert [each["id"] for each in found] == ["000000000002"]
    assert notes == ("1 records have no picture, and are left out", "1 pictures have no record")


def test_captions_keep_every_character_and_records_every_key() -> None:
    odd = record(1, '  "quoted"; back\\slash \u2028 \U0001f600 \u00e9\x07') | {"user": ["x", None, 1.5]}
    found, _ = made([odd], [picture(1)])
    assert found == [odd | {"file_path": picture(1)}]


@given(st.lists(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_made_from_its_own_document_it_makes_the_same(numbers: list[int], files: set[int]) -> None:
    beside = [picture(number) for number in files]
    once, _ = made([record(number) for number in numbers], beside)
    again, notes = made(once, beside)
    assert again == once
    assert {each["file_path"] for each in once} == {picture(n) for n in files & set(numbers)}
    assert not [note for note in notes if "left out" in note]


@pytest.mark.parametrize(
    "bad",
    [
        {},
        [],
        None,
        7,
        {"captions": "x", "id": "1", "file_path": ""},
        record(1) | {"id": "1a"},
        record(1) | {"id": -1},
    ],
)
def test_a_record_that_is_none_is_refused_by_its_number(bad: object) -> None:
    raws = msgspec.json.decode(json.dumps([record(1), bad]).encode(), type=list[msgspec.Raw])
    with pytest.raises(BadList, match=r"^record 2"):
        captions(raws, frozenset())


def test_recipes_know_the_makers_there_are() -> None:
    assert set(expand.MAKERS) == set(MAKERS)
    with io.BytesIO(b"") as nothing:
        for name in expand.ENTRY_MAKERS:
            assert entry_maker(name, nothing if name in expand.WITH_ANOTHER else None)


# --- Through the command line ------------------------------------------------------------------------------------

TREE = pictures(24, 20_000)
JSON = """\
  - name: im2text.json.tar.gz
    url: "https://s3-us-west-2.amazonaws.com/samnco-static-files/datasets/im2text.json.tar.gz"
    unpack: true
layout:"""
FINISH = """\
finish:
  - {make: captions, from: "im2text.json.tar.gz/<root>/im2text.json", to: im2text.json}
"""
RECORDS = [record(number) for number in (7, 3, 99, 7, *range(10, 20))]


@dataclass(frozen=True)
class World:
    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "out"

    def serve(self, document: bytes | None = None) -> FaultServer:
        things = {f"{ORIGIN}/{name}": Thing(data) for name, data in split(tar_gz(TREE), self.folder).items()}
        things[f"{ORIGIN}/im2text.json.tar.gz"] = Thing(hosted(RECORDS) if document is None else document)
        return FaultServer(things.get)

    def args(self, url: str, *more: str) -> tuple[str, ...]:
        registry = self.folder / "recipes"
        registry.mkdir(exist_ok=True)
        (registry / "im2text.yaml").write_text(RECIPE.replace("layout:", JSON) + FINISH)
        where = ("--registry", str(registry), "-o", str(self.root), "--json")
        return (*more, *where, "--mirror", url, "--mirror-only")

    def run(self, url: str, *words: str) -> Ended:
        return datafetch_(*self.args(url, *words), cwd=self.folder)

    @property
    def document(self) -> Path:
        return self.root / "im2text/im2text.json"


KEPT = ["archives/im2text.json.tar.gz"]  # of it the document is made anew when more pictures come
WANTED = sorted({3, 7, *range(10, 20)})


def test_the_document_fits_the_pictures_and_stands_in_the_manifest(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.serve() as server:
        ended = world.run(server.url, "get", "im2text")
        assert ended.code == 0, ended.err
        assert [each["id"] for each in json.loads(world.document.read_bytes())] == [
            f"{n:012d}" for n in WANTED
        ]
        for each in json.loads(world.document.read_bytes()):
            assert (world.root / "im2text" / each["file_path"]).is_file()
        assert HOME.encode() not in world.document.read_bytes()
        (note,) = ended.report["notes"]
        assert note == (
            "im2text/im2text.json: 12 records; 1 records have an id that came before, and are left out; "
            "1 records have no picture, and are left out; 12 pictures have no record"
        )
        before = dict(files_below(world.root))
        world.document.write_bytes(b"[" + world.document.read_bytes()[1:-2] + b" \n]")
        there = ("-o", str(world.root), "--registry", str(tmp_path / "recipes"))
        assert datafetch_("verify", "im2text", *there, cwd=tmp_path).code == 13
        assert world.run(server.url, "get", "im2text").code == 0
        assert files_below(world.root) == before
        world.document.unlink()
        assert world.run(server.url, "get", "im2text").code == 0
    assert files_below(world.root) == before
    assert scaffolding(world.root, "im2text") == KEPT


@pytest.mark.parametrize("only", [(), ("--only", "im2text.tar.gz")])
def test_pictures_that_come_later_bring_their_captions(tmp_path: Path, only: tuple[str, ...]) -> None:
    """The document told of no picture for ever, because there was none when it was made."""
    world = World(tmp_path)
    with world.serve() as server:
        assert world.run(server.url, "get", "im2text", "--only", "im2text.json.tar.gz").code == 0
        assert json.loads(world.document.read_bytes()) == []
        before = len(server.seen)
        ended = world.run(server.url, "get", "im2text", *only)
        assert ended.code == 0, ended.err
        assert len(server.seen) == before + 12, "the shards, and the captions not again"
        assert [int(each["id"]) for each in json.loads(world.document.read_bytes())] == WANTED
        assert world.run(server.url, "get", "im2text").code == 0
        assert len(server.seen) == before + 12
        there = ("-o", str(world.root), "--registry", str(tmp_path / "recipes"))
        assert datafetch_("verify", "im2text", "--full", *there, cwd=tmp_path).code == 0


@pytest.mark.parametrize("after", ["staged", "freed", "grown"])
def test_a_kill_while_it_is_made_leaves_nothing_half(tmp_path: Path, after: str) -> None:
    world = World(tmp_path)
    with world.serve() as server:
        for _ in range(3):
            with start(world.args(server.url, "get", "im2text"), tmp_path) as process:
                assert process.stderr is not None
                for line in process.stderr:
                    if f'"kind":"{after}"' in line:
                        break
                process.kill()
                process.stderr.read()
        assert world.run(server.url, "get", "im2text").code == 0
    assert [each["id"] for each in json.loads(world.document.read_bytes())] == [f"{n:012d}" for n in WANTED]
    assert scaffolding(world.root, "im2text") == KEPT


@pytest.mark.parametrize(
    "document", [b"{}", b"", b"[1", b"[1]", b"[" * 100_000, b'[{"id": "1"}]', b"\xff\xfe[]"], ids=range(7)
)
def test_a_document_that_is_none_is_one_clear_error_and_nothing_is_published(
    tmp_path: Path, document: bytes
) -> None:
    world = World(tmp_path)
    with world.serve(tar_gz({"im2text.json": document})) as server:
        ended = world.run(server.url, "get", "im2text")
    assert ended.code == 5, ended.err
    assert ended.report["problems"][0]["why"] == "bad list"
    assert "im2text.json: " in ended.report["problems"][0]["text"]
    assert files_below(world.root) == {}
