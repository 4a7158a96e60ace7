"""Placeholders that nobody listed: the same body in very many places of one host, and honest duplicates kept."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lists import Shop, picture, rows, state, tree

from datafetch.demo.server import Thing, status
from datafetch.images import census as module
from datafetch.images.census import ALBUM, LEAST, Sighting, census, needed
from datafetch.images.placeholders import KNOWN, TARGETS, leads_to_placeholder
from datafetch.model import UrlList
from datafetch.recipe.registry import load

SAMPLE = Path(__file__).parent / "samples/flickr_placeholder_signatures.json"


def seen(url: str, name: str, size: int = 3000, pixels: int = 4096) -> Sighting:
    return Sighting(url, body(name), size, pixels)


def found(rows: list[Sighting]) -> set[str]:
    return set(census(lambda: rows))


def body(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def store(host: str, count: int, gone: int) -> list[Sighting]:
    """A folder without order, where `gone` addresses show one and the same picture."""
    return [
        seen(f"http://{host}/{number}.jpg", "gone" if number < gone else f"{number}")
        for number in range(count)
    ]


# --- The rule, case by case --------------------------------------------------------------------------------


def test_one_body_under_two_fifths_of_the_addresses_of_a_store_is_a_placeholder() -> None:
    assert found(store("a.example", 500, 200)) == {body("gone")}


def test_one_body_in_many_folders_is_a_placeholder() -> None:
    spread = [seen(f"http://a.example/{n}/photo.jpg", "gone") for n in range(LEAST)]
    assert found(spread) == {body("gone")} and not found(spread[1:])


@pytest.mark.parametrize("ids", [2, 3])
def test_the_same_product_under_a_few_ids_is_kept(ids: int) -> None:
    assert not found([seen(f"http://a.example/item/{n // ids}/{n}.jpg", f"{n // ids}") for n in range(900)])


def test_an_album_of_equal_pictures_is_kept() -> None:
    album = [seen(f"http://a.example/album/7/{n}.jpg", "same") for n in range(30)]
    assert not found(album) and not found(album + store("a.example", 500, 0))


@pytest.mark.parametrize("folder", ["album/7/", ""])
def test_equal_pictures_side_by_side_are_kept_in_an_album_and_among_others(folder: str) -> None:
    side = [seen(f"http://a.example/{folder}same{n}.jpg", "same") for n in range(30)]
    assert not found(side + store("a.example", 500, 0))


def test_an_album_is_one_place_however_large_up_to_its_bound() -> None:
    album = [seen(f"http://a.example/album/{n}.jpg", "same") for n in range(ALBUM)]
    assert not found(album)
    assert found([*album, seen("http://a.example/album/more.jpg", "same")])


def test_one_address_named_by_many_rows_is_one_place() -> None:
    assert not found([seen("http://a.example/logo.jpg", "logo")] * 5000)


def test_http_and_https_are_one_place() -> None:
    both = [seen(f"{s}://a.example/{n}/a.jpg", "x") for s in ("http", "https") for n in range(LEAST - 1)]
    assert not found(both)


def test_each_host_is_counted_by_itself() -> None:
    many = [seen(f"http://h{n % 50}.example/{n}/a.jpg", "logo") for n in range(1000)]
    assert not found(many)
    assert found(many + store("a.example", 500, 200)) == {body("gone")}


def test_a_large_picture_needs_more_places_and_a_large_host_a_share_of_its_addresses() -> None:
    assert needed(3_000, 4096, 500) == needed(90_000, 4096, 500) == needed(3_000, 10**6, 500) == LEAST
    assert needed(90_000, 10**6, 500) == 4 * LEAST
    assert needed(3_000, 4096, 1_000_000) == 500


# --- Properties --------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(), st.integers(0, 90), st.integers(0, 90))
def test_what_is_found_does_not_depend_on_the_order_of_rows(seed: int, flat: int, spread: int) -> None:
    listed = store("a.example", 130, flat)
    listed += [seen(f"http://b.example/{n}/x.jpg", "gone" if n < spread else f"b{n}") for n in range(90)]
    shuffled = listed.copy()
    random.Random(seed).shuffle(shuffled)
    assert found(listed) == found(shuffled)
    assert found(listed) == ({body("gone")} if max(flat, spread) >= LEAST else set())


def test_in_several_passes_the_same_is_found_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [seen(f"http://a.example/{n}/x.jpg", f"body {n % 40}") for n in range(4000)]
    once = found(listed)
    monkeypatch.setattr(module, "ROOM", 100)
    assert found(listed) == once and len(once) == 40


# --- The whole command -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop_paths() -> list[str]:
    products = [f"/item/{n // 3}/{n}.png" for n in range(30)]
    album = [f"/album/9/{n}.png" for n in range(30)]
    return [f"/p{n}.png" for n in range(500)] + products + album


def answers(paths: list[str]) -> dict[str, Thing]:
    gone, same = Thing(picture("gone")), Thing(picture("album"))
    made = {path: gone for n, path in enumerate(paths[:500]) if n % 5 < 2}
    made |= {path: Thing(picture(path.rpartition("/")[0])) for path in paths if path.startswith("/item/")}
    return made | {path: same for path in paths if path.startswith("/album/")}


def test_a_host_with_a_gone_picture_for_two_fifths_publishes_none_of_them_and_all_honest_ones(
    tmp_path: Path, shop_paths: list[str]
) -> None:
    with Shop(shop_paths, answers(shop_paths)) as shop:
        ended = shop.run(tmp_path, "get", "--json")
        assert ended.report["counts"] | {"skipped": 0} == {
            "ok": 361,
            "missing": 200,
            "failed": 0,
            "rejected": 0,
            "skipped": 0,
            "total": 561,
        }
        assert ended.code == 6 and "200 placeholders" in " ".join(ended.report["notes"])
        kept = tree(tmp_path)
        assert len(kept) == 360 and picture("gone") not in kept.values()
        taken = [row for row in rows(tmp_path).values() if row.outcome == "missing"]
        assert {row.why for row in taken} == {"placeholder"} and len(taken) == 200
        asked = len(shop.seen)
        again = shop.run(tmp_path, "get", "--json")
        assert len(shop.seen) == asked and again.report["counts"] == ended.report["counts"]
        assert shop.run(tmp_path, "verify").code == 0


# Ten of them would be too few to be told from duplicates, had the first run not met fifty.
def test_a_placeholder_once_found_is_one_ever_after(tmp_path: Path) -> None:
    paths = [f"/p{n}.png" for n in range(120)]
    with Shop(paths, {path: Thing(picture("gone")) for path in paths[:60]}) as shop:
        shop.run(tmp_path, "get")
        for path in paths[:50]:
            shop.answers.pop(path)
        ended = shop.run(tmp_path, "get", "--retry-gone", "--json")
        assert ended.report["counts"]["ok"] == 121 - 10
        assert picture("gone") not in tree(tmp_path).values()


def test_published_rows_that_later_ones_unmask_are_taken_out_of_tree_and_manifest(tmp_path: Path) -> None:
    paths = [f"/p{n}.png" for n in range(150)]
    gone = Thing(picture("gone"))
    with Shop(paths, {p: gone if n < 30 else status(418) for n, p in enumerate(paths[:130])}) as shop:
        assert shop.run(tmp_path, "get", "--json").report["counts"]["ok"] == 51
        shop.answers = dict.fromkeys(paths[:130], gone)
        ended = shop.run(tmp_path, "get", "--json")
        assert ended.report["counts"]["missing"] == 130 and ended.report["counts"]["total"] == 151
        assert picture("gone") not in tree(tmp_path).values() and len(tree(tmp_path)) == 20
        verified = shop.run(tmp_path, "verify", "--full", "--json")
        assert verified.code == 0 and verified.report["counts"]["ok"] == 21
        assert verified.report["tree_digest"] == ended.report["tree_digest"]


# A row whose file was lost and whose address is gone counted twice, and was planned anew by every run.
def test_a_lost_file_whose_address_is_gone_leaves_the_manifest(tmp_path: Path) -> None:
    with Shop([f"/p{n}.png" for n in range(5)]) as shop:
        shop.run(tmp_path, "get")
        shop.answers["/p1.png"] = status(404)
        (tmp_path / "out/shop/2.png").unlink()
        counts = shop.run(tmp_path, "get", "--json").report["counts"]
        assert (counts["ok"], counts["missing"], counts["total"]) == (5, 1, 6)
        asked = len(shop.seen)
        assert shop.run(tmp_path, "get", "--json").report["counts"] == counts and len(shop.seen) == asked


def test_a_whole_picture_is_kept_when_its_address_has_gone_since(tmp_path: Path) -> None:
    with Shop(["/a.png", "/b.png"]) as shop:
        shop.run(tmp_path, "get")
        shop.answers |= {"/a.png": status(410), "/b.png": status(410)}
        for file in (state(tmp_path) / "journal/pictures").iterdir():
            file.unlink()
        (tmp_path / "out/shop/1.png").unlink()
        shop.run(tmp_path, "get")
        assert list(tree(tmp_path)) == ["2.png"]


def test_a_file_of_the_users_at_the_place_of_a_placeholder_stays(tmp_path: Path) -> None:
    paths = [f"/p{n}.png" for n in range(130)]
    gone = Thing(picture("gone"))
    with Shop(paths, {p: gone if n < 30 else status(418) for n, p in enumerate(paths)}) as shop:
        shop.run(tmp_path, "get")
        (tmp_path / "out/shop/1.png").write_bytes(b"mine")
        shop.answers = dict.fromkeys(paths, gone)
        shop.run(tmp_path, "get")
        assert tree(tmp_path) == {"1.png": b"mine"}


# --- What upstream knows -----------------------------------------------------------------------------------


def test_every_known_digest_and_redirect_target_of_the_facts_is_used() -> None:
    sample = json.loads(SAMPLE.read_text())
    ours: dict[str, int | None] = {sign.md5: sign.size for sign in KNOWN}
    sources = [artifact.source for artifact in load("imagenet").artifacts]
    pictures = [source for source in sources if isinstance(source, UrlList) and source.check == "image"]
    assert pictures
    for source in pictures:
        known = ours | dict.fromkeys(source.placeholders)
        assert {sign["md5"]: sign["bytes"] for sign in sample["signatures"]}.items() <= known.items()
    assert all(leads_to_placeholder(url) for url in sample["redirect_targets"])
    assert len(TARGETS) == len(sample["redirect_targets"])
