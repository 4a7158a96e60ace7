"""`get imagenet` end to end: lists of lists in three rounds, lists by hand, and the list of ILSVRC."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from archives import picture, tar_of
from matlab import structs
from process import Ended, datafetch_
from sbu import tar_gz
from server import Answer, Exchange, FaultServer, Thing, first, status
from test_cli_tree import files_below, manifest_of, scaffolding

from datafetch.recipe.files import builtin

WORDS = {
    "n01440764": ("tench", "Tinca tinca"),
    "n00005787": ("benthos",),
    "n02012849": ("crane",),
}
GLOSS = "freshwater dace-like game fish"
WORDNET = "/wordnetcode.princeton.edu/3.0/WNdb-3.0.tar.gz"
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


def data_noun() -> bytes:
    """WordNet's database of these synsets: a line begins at the byte that its number says."""
    made = bytearray(b"  1 This software and database is being provided to you, the LICENSEE\n")
    for synset in sorted(SYNSETS):
        first, *others = WORDS[synset]
        cells = " ".join(f"{word.replace(' ', '_')} 0" for word in (first, *others))
        line = f'{synset[1:]} 05 n {len(WORDS[synset]):02x} {cells} 000 | {GLOSS}; "café"  \n'
        made += b" " * (int(synset[1:]) - len(made) - 1) + b"\n" + line.encode()
    return bytes(made)


def serve(instead: Mapping[str, Answer] | None = None) -> FaultServer:
    """A mirror of the API as it was, of the list of ILSVRC and of every host."""
    table: dict[str, Answer] = {
        f"{API}/imagenet.synset.obtain_synset_list": Thing("".join(f"{s}\r\n" for s in SYNSETS).encode()),
        "/www.deepdetect.com/dd/datasets/imagenet/ilsvrc12_urls.txt.gz": Thing(ilsvrc_list()),
    }
    table[WORDNET] = Thing(WORDNET_ARCHIVE)
    table |= {f"{API}/imagenet.synset.geturls?wnid={synset}": Thing(text(synset)) for synset in SYNSETS}
    for synset, links in LINKS.items():
        for row, link in enumerate(links, 1):
            table[link.removeprefix("http:/").replace(" ", "%20")] = Thing(picture(seed(synset, row)))
    table |= instead or {}

    def answer(exchange: Exchange) -> None:
        table.get(exchange.seen.path, status(404))(exchange)

    return FaultServer(lambda path: answer)


NOUNS = data_noun()
WORDNET_ARCHIVE = tar_gz({"dict/data.noun": NOUNS})


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


def documents(*synsets: str, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The JSON of each synset, and WordNet's database."""
    made = {"imagenet/dict/data.noun": NOUNS}
    for synset in synsets or SYNSETS:
        records = [
            {
                "captions": WORDS[synset],
                "definition": f'{GLOSS}; "café"',
                "id": f"{synset}_{row:06d}",
                "file_path": f"dataset/{synset}/{synset}_{row:06d}.jpg",
                "url": LINKS[synset][row - 1],
                "image_id": f"{synset}_{row:06d}",
            }
            for row in range(1, 5)
        ]
        lines = (msgspec.json.encode(record) for record in records if record["id"] not in without)
        made[f"imagenet/jsonset/imagenet.{synset}.json"] = b"[\n" + b",\n".join(lines) + b"\n]\n"
    return made


LISTING = {"imagenet/imagenet_synset_listing": "".join(f"{s}\r\n" for s in SYNSETS).encode()}


def test_three_rounds_bring_the_synsets_their_lists_and_the_pictures(tmp_path: Path) -> None:
    with serve() as server:
        ended = get(server, tmp_path / "out")
        assert ended.code == 0, ended.err
        before = len(server.seen)
        assert before == 1 + 1 + 3 + 12
        assert get(server, tmp_path / "out").code == 0
        assert len(server.seen) == before
    assert files_below(tmp_path / "out") == LISTING | lists() | dataset() | documents()
    assert scaffolding(tmp_path / "out", "imagenet") == []


def test_a_list_that_comes_in_a_later_run_brings_its_pictures_and_moves_no_others(tmp_path: Path) -> None:
    late = f"{API}/imagenet.synset.geturls?wnid={SYNSETS[0]}"
    down = first(4, status(503, Retry_After="0"), Thing(text(SYNSETS[0])))
    with serve({late: down, late.replace("/text", ""): down}) as server:
        ended = get(server, tmp_path / "out", "--retries", "1")
        assert ended.code not in (0, 1)
        others = SYNSETS[1:]
        assert files_below(tmp_path / "out") == LISTING | lists(*others) | dataset(*others) | documents(
            *others
        )
        before = {seen.path for seen in server.seen}
        while get(server, tmp_path / "out", "--retries", "1").code != 0:
            pass
        after = [seen.path for seen in server.seen if seen.path not in before]
    assert len(after) == 4, "the pictures of one synset, once each"
    assert files_below(tmp_path / "out") == LISTING | lists() | dataset() | documents()


def test_the_closed_api_is_told_as_what_it_is(tmp_path: Path) -> None:
    with FaultServer(lambda path: status(404)) as server:
        ended = get(server, tmp_path / "out")
    assert ended.code == 4
    assert {problem["name"] for problem in ended.report["problems"]} == {"synsets", "wordnet"}
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
    expected = lists(*SYNSETS[:2]) | dataset(*SYNSETS[:2]) | documents(*SYNSETS[:2])
    assert files_below(tmp_path / "out") == expected


def test_the_list_of_synsets_is_taken_from_a_person_too(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "imagenet.synset.obtain_synset_list").write_text(f"{SYNSETS[2]}\n")
    with serve() as server:
        assert get(server, tmp_path / "out", "--from", str(mine)).code == 0
    found = files_below(tmp_path / "out")
    assert {path for path in found if "/dataset/" in path} == dataset(SYNSETS[2]).keys()


@pytest.mark.parametrize("name", ["ilsvrc12_urls.txt", "ilsvrc12_urls.txt.gz", "ilsvrc12_urls.tar.gz"])
def test_the_list_of_ilsvrc_is_brought_packed_or_not(tmp_path: Path, name: str) -> None:
    """NVIDIA's archive of it had to be unpacked and packed again, and the bare list packed."""
    mine = tmp_path / "mine"
    mine.mkdir()
    bare = gzip.decompress(ilsvrc_list())
    shapes = {"txt": bare, "txt.gz": ilsvrc_list(), "tar.gz": tar_gz({"ilsvrc12_urls.txt": bare})}
    (mine / name).write_bytes(shapes[name.partition(".")[2]])
    options = ("--variant", "ilsvrc14", "--min-complete", "90%", "--from", str(mine))
    with serve({"/h9.example/caf%C3%A9.jpg": Thing(picture(99))}) as server:
        ended = get(server, tmp_path / "out", *options)
        assert ended.code == 0, ended.err
        assert not [seen for seen in server.seen if "deepdetect" in seen.path]
    assert files_below(tmp_path / "out")["imagenet_list/ilsvrc12_urls.txt"] == bare


def test_the_list_of_ilsvrc_names_files_by_class_and_serial_and_bad_lines_are_counted(tmp_path: Path) -> None:
    with serve({"/h9.example/caf%C3%A9.jpg": Thing(picture(99))}) as server:
        ended = get(server, tmp_path / "out", "--variant", "ilsvrc14", "--min-complete", "90%")
    assert ended.code == 0, ended.err
    found = files_below(tmp_path / "out")
    assert found.pop("imagenet_list/ilsvrc12_urls.txt")
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


def test_a_web_of_dead_hosts_ends_as_what_it_is(tmp_path: Path) -> None:
    """A dead list, a page that sells the domain, Flickr's redirect, a host without an answer, a picture cut off."""
    dead, html = SYNSETS[0], b"<!DOCTYPE html><title>domain for sale</title>"
    api = f"{API}/imagenet.synset.geturls?wnid={dead}"
    there = "https://s.yimg.com/pw/images/en-us/photo_unavailable.png"
    table: dict[str, Answer] = {
        api: status(404),
        api.replace("/text", ""): status(404),
        "/h1.example/1": Thing(html, "image/jpeg"),
        "/h1.example/img%201/2.jpg?x=1": status(302, Location=there),
        "/h1.example/3": status(503, Retry_After="0"),
        "/h1.example/4": Thing(picture(4)[:-200]),
    }
    out = tmp_path / "out"
    with serve(table) as server:
        ended = get(server, out, "--retries", "1")
        assert ended.code not in (0, 1) and ended.report["status"] == "partial"
        found = files_below(out)
        assert {path for path in found if "/dataset/" in path} == dataset(SYNSETS[2]).keys()
        counts = ended.report["counts"]
        assert counts["total"] == sum(counts.values()) - counts["total"]
        least = 100 * counts["ok"] / counts["total"]
        for asked, code in ((least - 1, 0), (least + 1, ended.code)):
            again = get(server, out, "--retries", "1", "--min-complete", f"{asked:.1f}%")
            assert again.code == code, again.err
    args = ("status", "imagenet", "-o", str(out), "--urls")
    told = {
        why: datafetch_(*args, "--why", why, cwd=tmp_path).out.splitlines()
        for why in ("placeholder", "not an image")
    }
    links = LINKS[SYNSETS[1]]
    assert told == {"placeholder": [links[1]], "not an image": [links[0], links[3]]}


def test_a_picture_is_named_by_what_it_is_and_keeps_its_name(tmp_path: Path) -> None:
    forms = {1: "PNG", 2: "GIF", 3: "WEBP"}
    table: dict[str, Answer] = {
        f"/h0.example/{n}": Thing(picture(n, form=form)) for n, form in forms.items() if n != 2
    }
    table["/h0.example/img%200/2.jpg?x=1"] = Thing(picture(2, form="GIF"))
    first, out = SYNSETS[0], tmp_path / "out"
    base = f"imagenet/dataset/{first}/{first}"
    with serve(table) as server:
        assert get(server, out).code == 0
        found = {path for path in files_below(out) if f"/{first}_0" in path}
        assert found == {
            f"{base}_000001.png",
            f"{base}_000002.gif",
            f"{base}_000003.webp",
            f"{base}_000004.jpg",
        }
        told = msgspec.json.decode((out / f"imagenet/jsonset/imagenet.{first}.json").read_bytes())
        assert {f"imagenet/{record['file_path']}" for record in told} == found
        before = len(server.seen)
        assert get(server, out).code == 0
        assert len(server.seen) == before
        (out / f"{base}_000002.gif").unlink()
        table["/h0.example/img%200/2.jpg?x=1"] = Thing(picture(5))
        assert get(server, out).code == 0
        assert {path for path in files_below(out) if f"/{first}_0" in path} == found, (
            "a name, once given, stays"
        )
        assert len(server.seen) == before + 1
    assert scaffolding(out, "imagenet") == []


VAL = [f"ILSVRC2012_val_{n:08d}.JPEG" for n in range(1, 6)]
TRUTH = (3, 1, 3, 2, 1)  # of the pictures of VAL, in the order of their names
IDS = {1: SYNSETS[2], 2: SYNSETS[0], 3: SYNSETS[1]}


def devkit(truth: tuple[int, ...] = TRUTH) -> bytes:
    meta = structs(
        [{"ILSVRC2012_ID": id, "WNID": wnid, "num_children": 0} for id, wnid in IDS.items()]
        + [{"ILSVRC2012_ID": 1001, "WNID": "n00001740", "num_children": 3}]
    )
    return tar_gz(
        {
            "ILSVRC2012_devkit_t12/readme.txt": b"read me",
            "ILSVRC2012_devkit_t12/data/meta.mat": meta,
            "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": "".join(
                f"{id}\n" for id in truth
            ).encode(),
        }
    )


def official(folder: Path, truth: tuple[int, ...] = TRUTH) -> tuple[list[str], dict[str, bytes]]:
    """Options of a run with small archives of upstream's shape, and the tree that it should build: with the recipe
    that ships, but for sizes, checksums and counts, which no test could meet.
    """
    registry, mine = folder / "recipes", folder / "mine"
    registry.mkdir()
    mine.mkdir()
    shipped = (builtin() / "imagenet.yaml").read_text()
    tiny = re.sub(
        r"^    checksums:\n(      .*\n)+|^    size: .*\n|^counts:\n(  .*\n)+", "", shipped, flags=re.MULTILINE
    )
    (registry / "imagenet.yaml").write_text(tiny)
    train = {s: {f"{s}_{k}.JPEG": picture(seed(s, k)) for k in (26, 3)} for s in SYNSETS}
    val = {name: picture(at) for at, name in enumerate(VAL)}
    outer = tar_of({f"{s}.tar": tar_of(tree) for s, tree in train.items()})
    (mine / "ILSVRC2012_img_train.tar").write_bytes(outer)
    # Not in the order of the names: that of the archive says nothing.
    (mine / "ILSVRC2012_img_val.tar").write_bytes(tar_of(dict(reversed(val.items()))))
    (mine / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(devkit(truth))
    base = "imagenet_ilsvrc2012"
    tree = {f"{base}/train/{s}/{name}": data for s, tree in train.items() for name, data in tree.items()}
    tree |= {f"{base}/val/{IDS[id]}/{name}": val[name] for id, name in zip(TRUTH, VAL, strict=True)}
    return ["--variant", "ilsvrc2012", "--from", str(mine), "--registry", str(registry)], tree


def below(root: Path) -> dict[str, bytes]:
    return {path: data for path, data in files_below(root).items() if "/data/" not in path}


def test_the_official_archives_are_unpacked_tar_by_tar_and_val_is_sorted_by_the_devkit(
    tmp_path: Path,
) -> None:
    args, expected = official(tmp_path)
    kit = tmp_path / "mine/ILSVRC2012_devkit_t12.tar.gz"
    kit.rename(tmp_path / "later")
    with serve() as server:
        ended = get(server, tmp_path / "out", *args)
        assert ended.code == 7 and "ILSVRC2012_devkit_t12.tar.gz has to be brought" in ended.err
        (tmp_path / "later").rename(kit)
        ended = get(server, tmp_path / "out", *args)
        assert ended.code == 0, ended.err
        assert not server.seen
    assert below(tmp_path / "out") == expected
    assert {path for path in files_below(tmp_path / "out") if "/data/" in path} == {
        "imagenet_devkit/data/meta.mat",
        "imagenet_devkit/data/ILSVRC2012_validation_ground_truth.txt",
    }
    assert scaffolding(tmp_path / "out", "imagenet") == []


def test_a_lost_validation_picture_goes_back_into_its_class(tmp_path: Path) -> None:
    args, expected = official(tmp_path)
    with serve() as server:
        assert get(server, tmp_path / "out", *args).code == 0
    lost = next(path for path in expected if "/val/" in path)
    (tmp_path / "out" / lost).unlink()
    ended = datafetch_("verify", "imagenet", "--repair", "-o", "out", *args[2:], cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert below(tmp_path / "out") == expected


@pytest.mark.parametrize("truth", [TRUTH[:-1], (*TRUTH, 1), (7, *TRUTH[1:])])
def test_a_ground_truth_of_other_pictures_sorts_nothing(tmp_path: Path, truth: tuple[int, ...]) -> None:
    args, _ = official(tmp_path, truth)
    with serve() as server:
        ended = get(server, tmp_path / "out", *args)
    assert ended.code not in (0, 1) and "ILSVRC2012_validation_ground_truth.txt" in ended.err, ended.err
    assert not (tmp_path / "out/imagenet_ilsvrc2012").exists()
