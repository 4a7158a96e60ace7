"""`get imagenet` end to end: lists of lists in three rounds, lists by hand, and the list of ILSVRC."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from archives import picture, tar_of
from process import Ended, datafetch_
from server import Answer, Exchange, FaultServer, Thing, first, status
from test_cli_tree import files_below, manifest_of, scaffolding

from datafetch.recipe.files import builtin

API = "/www.image-net.org/api/text"
SYNSETS = ("n01440764", "n00005787", "n02012849")
# Line n of a synset's list is its picture n; blanks and signs as upstream's addresses have them.
LINKS = {
    synset: [
        f"http://h{at}.example/img {at}/{n}.jpg?x=1" if n == 2 else f"http://h{at}.example/{n}"
        for n in range(1, 5)
    ]
    for at, synset in enumerate(SYNSETS)
}
ILSVRC = [
    (f"{synset}_{serial}", link)
    for synset in SYNSETS
    for serial, link in zip((86, 97, 105, 6590), LINKS[synset], strict=True)
]


def seed(synset: str, row: int) -> int:
    return SYNSETS.index(synset) * 10 + row


def text(synset: str) -> bytes:
    """A list as the API gave it."""
    return "".join(f"{link}\r\n" for link in LINKS[synset]).encode()


def ilsvrc_list() -> bytes:
    lines = [f"{name} {link}\n".encode() for name, link in ILSVRC]
    return gzip.compress(
        b"".join([*lines, b"n00005787_9 http://h9.example/caf\xe9.jpg\n", b"nonsense http://x\n"])
    )


def serve(instead: Mapping[str, Answer] | None = None) -> FaultServer:
    """A mirror of the API as it was, of the list of ILSVRC and of every host."""
    table: dict[str, Answer] = {
        f"{API}/imagenet.synset.obtain_synset_list": Thing("".join(f"{s}\r\n" for s in SYNSETS).encode()),
        "/www.deepdetect.com/dd/datasets/imagenet/ilsvrc12_urls.txt.gz": Thing(ilsvrc_list()),
    }
    table |= {f"{API}/imagenet.synset.geturls?wnid={synset}": Thing(text(synset)) for synset in SYNSETS}
    for synset, links in LINKS.items():
        for row, link in enumerate(links, 1):
            table[link.removeprefix("http:/").replace(" ", "%20")] = Thing(picture(seed(synset, row)))
    table |= instead or {}

    def answer(exchange: Exchange) -> None:
        table.get(exchange.seen.path, status(404))(exchange)

    return FaultServer(lambda path: answer)


def get(server: FaultServer, root: Path, *more: str) -> Ended:
    args = (
        "get",
        "imagenet",
        "--mirror",
        server.url,
        "--mirror-only",
        "-o",
        str(root),
        "--json",
        "--accept-terms",
    )
    return datafetch_(*args, *more, cwd=root.parent)


def dataset(*synsets: str) -> dict[str, bytes]:
    return {
        f"imagenet/dataset/{synset}/{synset}_{row:06d}.jpg": picture(seed(synset, row))
        for synset in synsets or SYNSETS
        for row in range(1, 5)
    }


def lists(*synsets: str) -> dict[str, bytes]:
    return {f"imagenet/image_urls/{synset}": text(synset) for synset in synsets or SYNSETS}


LISTING = {"imagenet/imagenet_synset_listing": "".join(f"{s}\r\n" for s in SYNSETS).encode()}


def test_three_rounds_bring_the_synsets_their_lists_and_the_pictures(tmp_path: Path) -> None:
    with serve() as server:
        ended = get(server, tmp_path / "out")
        assert ended.code == 0, ended.err
        before = len(server.seen)
        assert before == 1 + 3 + 12
        assert get(server, tmp_path / "out").code == 0
        assert len(server.seen) == before
    assert files_below(tmp_path / "out") == LISTING | lists() | dataset()
    assert scaffolding(tmp_path / "out", "imagenet") == []


def test_a_list_that_comes_in_a_later_run_brings_its_pictures_and_moves_no_others(tmp_path: Path) -> None:
    late = f"{API}/imagenet.synset.geturls?wnid={SYNSETS[0]}"
    down = first(8, status(503, Retry_After="0"), Thing(text(SYNSETS[0])))
    with serve({late: down, late.replace("/text", ""): down}) as server:
        ended = get(server, tmp_path / "out", "--retries", "1")
        assert ended.code not in (0, 1)
        others = SYNSETS[1:]
        assert files_below(tmp_path / "out") == LISTING | lists(*others) | dataset(*others)
        before = {seen.path for seen in server.seen}
        while get(server, tmp_path / "out", "--retries", "1").code != 0:
            pass
        after = [seen.path for seen in server.seen if seen.path not in before]
    assert len(after) == 4, "the pictures of one synset, once each"
    assert files_below(tmp_path / "out") == LISTING | lists() | dataset()


def test_the_closed_api_is_told_as_what_it_is(tmp_path: Path) -> None:
    with FaultServer(lambda path: status(404)) as server:
        ended = get(server, tmp_path / "out")
    assert ended.code == 4
    assert ended.report["problems"][0]["name"] == "synsets"
    info = datafetch_("info", "imagenet", cwd=tmp_path)
    assert "closed on 2021-03-11" in info.out and "historic" in info.out


def test_lists_are_taken_from_a_person(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for synset in SYNSETS[:2]:
        (mine / synset).write_bytes(text(synset))
    (mine / "notes.txt").write_text("not a list")
    with serve() as server:
        ended = get(server, tmp_path / "out", "--source", "hand", "--from", str(mine))
        assert ended.code == 0, ended.err
        assert not [seen for seen in server.seen if "image-net" in seen.path]
    assert files_below(tmp_path / "out") == lists(*SYNSETS[:2]) | dataset(*SYNSETS[:2])


def test_the_list_of_synsets_is_taken_from_a_person_too(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "imagenet.synset.obtain_synset_list").write_text(f"{SYNSETS[2]}\n")
    with serve() as server:
        assert get(server, tmp_path / "out", "--from", str(mine)).code == 0
    found = files_below(tmp_path / "out")
    assert {path for path in found if "/dataset/" in path} == dataset(SYNSETS[2]).keys()


def test_the_list_of_ilsvrc_names_files_by_class_and_serial_and_bad_lines_are_counted(tmp_path: Path) -> None:
    with serve({"/h9.example/caf%C3%A9.jpg": Thing(picture(99))}) as server:
        ended = get(server, tmp_path / "out", "--variant", "ilsvrc14", "--min-complete", "90%")
    assert ended.code == 0, ended.err
    found = files_below(tmp_path / "out")
    assert found.pop("imagenet_list/ilsvrc12_urls.txt.gz")
    pictures = {
        f"imagenet_ilsvrc14/{synset}/{synset}_{serial}.jpg": picture(seed(synset, row))
        for synset in SYNSETS
        for row, serial in enumerate((86, 97, 105, 6590), 1)
    }
    assert found == pictures | {"imagenet_ilsvrc14/n00005787/n00005787_9.jpg": picture(99)}
    assert ended.report["counts"]["rejected"] == 1
    lines = [line for line in manifest_of(tmp_path / "out", "imagenet") if line["path"].endswith("_97.jpg")]
    assert {line["url"] for line in lines} == {links[1] for links in LINKS.values()}


@pytest.mark.parametrize("answer", [status(404), Thing(b"<html><body>domain for sale</body></html>")])
def test_a_parked_domain_leaves_no_picture(tmp_path: Path, answer: Answer) -> None:
    with serve({"/h0.example/1": answer}) as server:
        ended = get(server, tmp_path / "out")
        assert ended.code not in (0, 1)
        assert get(server, tmp_path / "out", "--min-complete", "90").report["status"] == "complete"
    gone = f"imagenet/dataset/{SYNSETS[0]}/{SYNSETS[0]}_000001.jpg"
    assert dataset().keys() - files_below(tmp_path / "out").keys() == {gone}


def test_the_official_archives_are_unpacked_tar_by_tar(tmp_path: Path) -> None:
    """With the recipe that ships, but for sizes, checksums and counts, which no test could meet."""
    registry, mine = tmp_path / "recipes", tmp_path / "mine"
    registry.mkdir()
    mine.mkdir()
    shipped = (builtin() / "imagenet.yaml").read_text()
    tiny = re.sub(
        r"^    checksums:\n(      .*\n)+|^    size: .*\n|^counts:\n(  .*\n)+", "", shipped, flags=re.MULTILINE
    )
    (registry / "imagenet.yaml").write_text(tiny)
    train = {s: {f"{s}_{k}.JPEG": picture(seed(s, k)) for k in (26, 3)} for s in SYNSETS}
    val = {f"ILSVRC2012_val_{n:08d}.JPEG": picture(n) for n in (1, 2)}
    (mine / "ILSVRC2012_img_train.tar").write_bytes(
        tar_of({f"{s}.tar": tar_of(tree) for s, tree in train.items()})
    )
    with serve() as server:
        args = ("--variant", "ilsvrc2012", "--from", str(mine), "--registry", str(registry))
        ended = get(server, tmp_path / "out", *args)
        assert ended.code == 7 and "ILSVRC2012_img_val.tar" in ended.err
        (mine / "ILSVRC2012_img_val.tar").write_bytes(tar_of(val))
        ended = get(server, tmp_path / "out", *args)
        assert ended.code == 0, ended.err
        assert not server.seen
    base = "imagenet_ilsvrc2012"
    expected = {f"{base}/train/{s}/{name}": data for s, tree in train.items() for name, data in tree.items()}
    assert files_below(tmp_path / "out") == expected | {
        f"{base}/val/{name}": data for name, data in val.items()
    }
