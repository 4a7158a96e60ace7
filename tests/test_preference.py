"""The construction rules, against the same rules written once more, over tables of the published shape."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import rules
import taste
from hypothesis import given
from hypothesis import strategies as st

from datafetch.annotate.derivers import DERIVERS
from datafetch.annotate.preference import draw, raw
from datafetch.annotate.preference.splits import by_user
from datafetch.annotate.preference.words import by_name, words
from datafetch.errors import BadList
from datafetch.recipe.derived import DERIVERS as KNOWN

RATED = {"above": "2", "history": "3", "seed": "42", "user": "worker_id", "style": "worker_style"}
CLICKED = {"history": "3", "seed": "42", "user": "user_id", "style": "user_style"}


@dataclass
class Given:
    """The inputs of a maker in memory."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    pictures: Sequence[str] = ()
    broken: frozenset[str] = frozenset()

    def name(self, role: str) -> str:
        return f"{role}.json"

    def lines(self, role: str) -> Iterator[bytes] | None:
        data = self.files.get(role)
        return None if data is None else iter(data.splitlines(keepends=True))

    def whole(self, role: str) -> bytes | None:
        return self.files.get(role)

    def paths(self, role: str) -> Sequence[str]:
        return sorted(self.pictures) if role == "pictures" else ()

    def decodable(self, paths: Collection[str]) -> frozenset[str]:
        return frozenset(paths) - self.broken

    def image_path(self, path: str) -> str:
        return path


def made(make: str, given: Given, settings: Mapping[str, str], schema: str = "unified") -> dict[str, Any]:
    """What a maker writes, by split, each document checked to be as `json.dump` has it."""
    derived = DERIVERS[make](given, {**settings, "schema": schema})
    found = {}
    for name, pieces in derived.documents.items():
        text = b"".join(pieces).decode()
        found[name.removesuffix(".json")] = json.loads(text)
        assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    told = derived.summary["windows"]
    assert told == {name: len(records) for name, records in found.items()}
    return found


def here(given: Given) -> rules.Found:
    paths = {Path(path).stem: path for path in given.pictures if path not in given.broken}
    return paths.get


def many_photos(workers: int = 30, rated: int = 500) -> tuple[Given, taste.Photos]:
    photos = taste.photos(seed=8, workers=workers, count=900, rated=rated)
    pictures = tuple(name for name in photos.files if name.startswith("40K/"))
    broken = frozenset(f"40K/{stem}.jpg" for stem in photos.broken)
    tables = {"ratings": photos.files[taste.RATINGS], "means": photos.files[taste.SCORES]}
    return Given(tables, pictures, broken), photos


@pytest.mark.parametrize(("workers", "rated", "tested"), [(30, 500, 0), (60, 800, 2000)])
def test_ratings_against_the_rules_written_once_more(workers: int, rated: int, tested: int) -> None:
    given, _ = many_photos(workers, rated)
    found = made("ratings", given, RATED)
    assert found == rules.flickr(given.files["ratings"], given.files["means"], here(given))
    assert len(found["val"]) == 15 and (not tested or len(found["test"]) == tested)
    users = [{one["worker_id"] for one in found[split]} for split in ("train", "val", "test")]
    assert not (users[0] & users[1] or users[0] & users[2] or users[1] & users[2])


@pytest.mark.parametrize("seed", [1, 2])
def test_clicks_against_the_rules_written_once_more(seed: int) -> None:
    table = taste.clicks(seed, users=400, items=900, most=60)["user_data.txt"]
    ids = [hashlib.md5(f"{seed} item {n}".encode()).hexdigest() for n in range(900)]
    given = Given({"users": table}, [f"images_sampled/{one}.jpg" for one in ids if int(one, 16) % 40])
    found = made("clicks", given, CLICKED)
    assert found == rules.pog(table.decode().splitlines(), here(given))
    assert found["train"] and found["test"] and len(found["val"]) == 15


def test_themes_against_the_rules_written_once_more() -> None:
    files = taste.stickers(seed=9, topics=300)
    pictures = [name for name in files if name.startswith("Images/")]
    broken = frozenset(name for name in pictures if "sticker_7." in name)
    topics: dict[str, list[str]] = {}
    for name in sorted(set(pictures) - broken):
        if name.endswith(".jpg"):
            topics.setdefault(name.split("/")[1], []).append(name.split("/")[2])
    given = Given({"annotations": files["Annotations/all_annos.json"]}, pictures, broken)
    found = made("themes", given, {"history": "3", "seed": "42"})
    assert found == rules.ser(topics, lambda item: f"Images/{item}")


def test_the_bytes_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    code = (
        "import hashlib, test_preference as t\n"
        "given, _ = t.many_photos(60, 800)\n"
        "made = t.DERIVERS['ratings'](given, {**t.RATED, 'schema': 'unified'}).documents\n"
        "print(*(hashlib.sha256(b''.join(pieces)).hexdigest() for pieces in made.values()))"
    )
    said = set()
    for seed in ("0", "7"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        said.add(done.stdout)
    assert len(said) == 1 and len(said.pop().split()) == 3


def test_the_lots_are_those_of_every_machine() -> None:
    samples = {f"u{n}": [(f"u{n}", at) for at in range(40)] for n in range(400)}
    split = by_user(samples, 42)
    told = json.dumps([split.train, split.val, split.test]).encode()
    assert hashlib.sha256(told).hexdigest() == LOTS


LOTS = "5d74e727781395566dc05f92064f91784f2b06086498e458c3473d824e2cab33"


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(0, 90), max_size=60), st.integers()
)
def test_a_split_loses_none_but_those_that_the_rules_cut(sizes: dict[str, int], seed: int) -> None:
    samples = {user: [(user, at) for at in range(size)] for user, size in sizes.items()}
    split = by_user(samples, seed)
    kept = [*split.train, *split.val, *split.test]
    assert len(set(kept)) == len(kept) and set(kept) <= {one for own in samples.values() for one in own}
    assert len(split.val) == min(15, sum(sizes.values())) and len(split.test) <= 2000
    trained = {user for user, _ in split.train}
    assert all(len([1 for user, _ in split.train if user == one]) == sizes[one] for one in trained)


# --- Drawing ---


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=80), st.integers(1, 12), st.randoms()
)
def test_who_is_drawn_is_decided_by_id_alone(
    rows: list[tuple[int, int]], count: int, lot: random.Random
) -> None:
    lines = [
        f"u{user},{';'.join(f'{turn}.{n}' for n in range(size))},o\n".encode()
        for turn, (user, size) in enumerate(rows)
    ]
    able = {f"u{user}" for user, size in rows if size >= 4}
    ranked = sorted(able, key=lambda user: hashlib.blake2b(user.encode(), digest_size=16, key=b"42").digest())
    seen: Counter[str] = Counter()
    found = draw.draw(iter(lines), count, 4, "42", seen)
    assert list(found) == sorted(ranked[:count])
    last = {line.split(b",")[0].decode(): line.decode().rstrip() for line in lines if line.count(b";") >= 3}
    assert all(found[user] == last[user] for user in found)
    assert seen["rows"] == len(rows)
    again = sorted(lines, key=lambda line: lot.random())
    assert list(draw.draw(iter(again), count, 4, "42", Counter())) == list(found)


def test_memory_is_that_of_those_who_are_drawn() -> None:
    row = f",{';'.join(f'{n:032x}' for n in range(30))},outfit\n".encode()

    def peak(rows: int) -> int:
        tracemalloc.start()
        found = draw.draw((f"{n:032x}".encode() + row for n in range(rows)), 100, 4, "42", Counter())
        assert len(found) == 100
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(20_000) < 1.1 * peak(2_000) < 2e6


def test_a_title_holds_commas_and_items_are_those_that_are_wanted() -> None:
    lines = [
        "a,1,http://h/a.jpg,新款, 夏季, x\n",
        "b,1,http://h/b.jpg\n",
        "a,2,http://h/z.jpg,t\n",
        "c,1\n",
        "d,1,u,t\n",
    ]
    seen: Counter[str] = Counter()
    found = draw.items((line.encode() for line in lines), {"a", "b", "c", "nowhere"}, seen)
    assert found == [("a", "1", "http://h/a.jpg", "新款, 夏季, x"), ("b", "1", "http://h/b.jpg", "")]
    assert seen == {
        "item rows": 5,
        "item that stands twice": 1,
        "item without an address": 1,
        "item that the table of items lacks": 2,
    }


# --- Tables and words ---


def test_ratings_are_read_with_blanks_a_mark_and_any_order_of_columns() -> None:
    dropped: Counter[str] = Counter()
    lines = [
        "\ufeffscore , worker, imagePair\r\n",
        ' 5,  A1 , "b, c.jpg"\r\n',
        "6, A1, d.jpg\r\n",
        "\r\n",
        "x\r\n",
    ]
    found = list(raw.ratings((line.encode() for line in lines), dropped))
    assert found == [raw.Rating("A1", "b, c.jpg", 5)]
    assert dropped == {"score is none of 1 to 5": 1, "row has not three columns": 1}
    with pytest.raises(BadList, match="expected the columns worker, imagePair, score"):
        list(raw.ratings([b"id,name\n"], dropped))


@pytest.mark.parametrize(
    "document",
    [
        {"a": "x, y", "b": "z"},
        [{"worker": "a", "style": "x, y"}, {"user": "b", "style": "z"}],
        {"a": {"topic": "a", "keywords": ["x", "y"]}, "b": {"caption": "z"}},
        [{"item_id": "a.jpg", "caption": "x, y"}, {"id": "b", "caption": "z"}],
    ],
)
def test_words_are_lists_or_maps(document: object) -> None:
    found = words(json.dumps(document).encode(), "w.json", by_name(("a", "b"), raw.stem))
    assert found.of == {"a": "x, y", "b": "z"} and found.given and not found.notes


def test_a_text_is_kept_as_it_is_written() -> None:
    found = words(b'{" a ": " a photo\\n", "b": ""}', "w.json", by_name(("a", "b")))
    assert found.of == {"a": " a photo\n", "b": ""}


@pytest.mark.parametrize("data", [b"", b"{", b'"text"', b"3", b"\xff", b"[" * 10_000])
def test_words_that_are_no_json_are_one_error(data: bytes) -> None:
    with pytest.raises(BadList, match=r"^w\.json: "):
        words(data, "w.json", by_name(()))


def test_recipes_know_the_makers_that_there_are() -> None:
    assert KNOWN.keys() == DERIVERS.keys()
