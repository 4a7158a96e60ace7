"""`get --frozen` of a list of which pictures have changed: it is said which, by a small lock, however long the list."""

from __future__ import annotations

import hashlib
import random
import re
import tomllib
from pathlib import Path

import pytest
from archives import picture
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed import Mixed, told
from server import Thing, status

from datafetch.errors import UsageError
from datafetch.lock.sketch import differing, sketch


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def place(tmp_path: Path) -> object:
    with Mixed(tmp_path) as made:
        yield made


def with_rows(place: Mixed, count: int) -> None:
    """A list of so many rows, locked."""
    url = place.server.url
    rows = "".join(f"{'tit' if n % 2 else 'jay'},{url}/p/{n}.jpg\n" for n in range(1, count + 1))
    place.things["/birds.csv"] = Thing(f"label,link\n{rows}".encode(), "text/csv")
    place.things |= {f"/p/{n}.jpg": Thing(picture(100 + n), "image/jpeg") for n in range(1, count + 1)}
    assert place.get().code == 0
    assert place.lock().code == 0


def test_a_changed_picture_is_named_with_its_old_and_new_sha256(place: Mixed) -> None:
    with_rows(place, 6)
    place.things["/p/2.jpg"] = Thing(picture(999), "image/jpeg")
    ended = place.frozen(root="new")
    said = f"row 2 jay/2.jpg sha256 was {sha256(picture(102))} and is {sha256(picture(999))}"
    assert (ended.code, told(ended).count(said)) == (4, 1)
    assert "drift: photos: 1 of its 6 locked rows give another file now" in told(ended)


def test_what_changed_and_what_is_gone_are_both_told(place: Mixed) -> None:
    with_rows(place, 6)
    place.things["/p/2.jpg"] = Thing(picture(999), "image/jpeg")
    place.things["/p/5.jpg"] = status(500)  # it may be there later, but row 2 will not
    ended = place.frozen(root="new")
    text = told(ended)
    assert ended.code == 4
    assert "1 of 6 locked rows give no file now: row 5" in text and "row 2 jay/2.jpg" in text


def test_twenty_are_named_and_the_rest_is_counted(place: Mixed) -> None:
    with_rows(place, 30)
    for n in range(1, 25):
        place.things[f"/p/{n}.jpg"] = Thing(picture(900 + n), "image/jpeg")
    text = told(place.frozen(root="new"))
    assert "24 of its 30 locked rows give another file now" in text and text.endswith("; and 4 more")
    assert [int(row) for row in re.findall(r"row (\d+) \w+/\d+.jpg sha256 was", text)] == list(range(1, 21))


def test_a_folder_that_was_built_of_others_names_them_too(place: Mixed) -> None:
    with_rows(place, 6)
    place.things["/p/3.jpg"] = Thing(picture(999), "image/jpeg")
    assert place.get(root="new").code == 0
    ended = place.frozen(root="new")
    assert ended.code == 13 and f"row 3 tit/3.jpg sha256 was {sha256(picture(103))}" in told(ended)


def test_a_lock_of_before_is_read_and_refuses_all_the_same(place: Mixed) -> None:
    with_rows(place, 6)
    lock = place.folder / "datafetch.lock"
    lock.write_text("".join(line for line in place.text.splitlines(True) if not line.startswith("sketch")))
    assert place.frozen(root="new").code == 0
    place.things["/p/2.jpg"] = Thing(picture(999), "image/jpeg")
    ended = place.frozen(root="newer")
    assert ended.code == 4 and "drift: photos: 6 files were locked with digest" in told(ended)
    assert place.lock().code == 0
    assert len(tomllib.loads(place.text)["dataset"][0]["artifact"][3]["sketch"]) == 1


# --- The sketch -----------------------------------------------------------------------------------------------------


def files(count: int, chance: random.Random) -> dict[int, str]:
    return {row: chance.randbytes(32).hex() for row in range(1, count + 1)}


def changed(before: dict[int, str], rows: list[int], chance: random.Random) -> dict[int, str]:
    return before | {row: chance.randbytes(32).hex() for row in rows}


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(0, 12), st.integers())
def test_few_changes_are_told_to_the_last(count: int, most: int, seed: int) -> None:
    chance = random.Random(seed)
    before = files(count, chance)
    after = changed(before, chance.sample(sorted(before), min(most, count)), chance)
    after.pop(chance.choice(sorted(before)))
    found = differing(sketch(count, before.items()), after.items())
    if found is not None and found.one_in == 1:  # but for one time in a thousand
        assert found.files == before.items() ^ after.items()
    else:
        assert found is None or found.files <= before.items() ^ after.items()


def test_few_changes_are_told_almost_always() -> None:
    chance = random.Random(4)
    told = 0
    for _ in range(200):
        before = files(chance.randrange(20, 200), chance)
        after = changed(before, chance.sample(sorted(before), 20), chance)
        found = differing(sketch(len(before), before.items()), after.items())
        told += found is not None and found.files == before.items() ^ after.items()
    assert told >= 195


def test_of_many_changes_some_are_told_and_about_how_many_there_are() -> None:
    chance = random.Random(5)
    before = files(5000, chance)
    after = changed(before, list(range(1, 3001)), chance)
    found = differing(sketch(len(before), before.items()), after.items())
    assert found is not None and found.one_in > 1
    assert len(found.files) >= 4 and found.files <= before.items() ^ after.items()
    assert 1000 < len(found.files) / 2 * found.one_in < 9000


def test_a_sketch_stays_small_and_tells_one_of_a_hundred_thousand() -> None:
    chance = random.Random(6)
    before = files(100_000, chance)
    drawn = sketch(len(before), before.items())
    after = changed(before, [77_777], chance)
    found = differing(drawn, after.items())
    assert found is not None and found.files == {(77_777, before[77_777]), (77_777, after[77_777])}
    assert sum(map(len, drawn)) < 50_000


@pytest.mark.parametrize("broken", [("no base64!",), ("AAAA",), ("",), ("A" * 10_000,)])
def test_what_is_no_sketch_is_told(broken: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="sketch"):
        differing(broken, [])
