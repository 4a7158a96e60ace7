"""`get --frozen` where something has changed since: nothing takes the place of what was locked, one line says what."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from archives import picture
from mixed import RECIPE, Mixed, real, told
from server import Thing, redirect, status

LATER = 1_700_000_000.0
LATER_TEXT = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.fixture
def place(tmp_path: Path) -> object:
    with Mixed(tmp_path) as made:
        assert made.get().code == 0
        assert made.lock().code == 0
        yield made


def refused(place: Mixed, code: int, *more: str) -> str:
    """What is said of it in a new folder; where it is built nobody is asked, and all is well."""
    before, asked = place.built(), len(place.server.seen)
    assert place.frozen().code == 0 and place.built() == before and len(place.server.seen) == asked
    ended = place.frozen(*more, root="new")
    assert ended.code == code, (ended.out, ended.err)
    return told(ended)


def test_other_bytes_of_the_same_size(place: Mixed) -> None:
    thing = place.things["/real.zip"]
    assert isinstance(thing, Thing)
    bad = bytearray(real())
    bad[60] ^= 1
    place.things["/real.zip"] = Thing(bytes(bad), modified=LATER)
    text = refused(place, 4)
    assert (
        "drift: real: locked" in text and f"{len(bad):,} bytes" in text and f"changed on {LATER_TEXT}" in text
    )
    assert text.count("drift:") == 1
    assert not [path for path in place.built("new") if "/mug/" in path]


def test_another_size_is_refused_before_its_body_comes(place: Mixed) -> None:
    place.things["/real.zip"] = Thing(real(seed=7) + b"\0" * 100, modified=LATER)
    text = refused(place, 4)
    assert "should have" in text and f"changed on {LATER_TEXT}" in text


def test_a_new_version_without_a_new_date(place: Mixed) -> None:
    place.things["/real.zip"] = Thing(real(seed=7), modified=0, etag="")
    modified = tomllib.loads(place.text)["dataset"][0]["artifact"][0]["last_modified"]
    assert f"since some day after {modified}" in refused(place, 4)


def test_damage_on_the_way_is_no_drift(place: Mixed) -> None:
    thing = place.things["/real.zip"]
    assert isinstance(thing, Thing)
    bad = bytearray(thing.data)
    bad[60] ^= 1
    place.things["/real.zip"] = Thing(bytes(bad), etag=str(thing.headers["ETag"]))
    text = refused(place, 5)
    assert "still the locked file" in text and "drift" not in text


def test_gone(place: Mixed) -> None:
    place.things["/real.zip"] = status(404)
    assert "the server answers 404" in refused(place, 4)


def test_redirected_to_another_host_with_other_bytes(place: Mixed) -> None:
    with Mixed(place.folder / "other") as other:
        other.things["/real.zip"] = Thing(real(seed=9), modified=LATER)
        place.things["/real.zip"] = redirect(f"{other.server.url}/real.zip")
        assert f"redirected to {other.server.url}/real.zip" in refused(place, 4)
        other.things["/real.zip"] = Thing(real())
        assert place.frozen(root="new").code == 0  # the locked bytes, from wherever


def test_a_page_where_the_file_was(place: Mixed) -> None:
    place.things["/real.zip"] = Thing(b"<html>sign in</html>" * 10, "text/html")
    text = refused(place, 4)
    assert "drift: real" in text and "text/html" in text


def test_a_shard(place: Mixed) -> None:
    thing = place.things["/more.ab"]
    assert isinstance(thing, Thing)
    place.things["/more.ab"] = Thing(thing.data[::-1], modified=LATER)
    text = refused(place, 4)
    assert "drift: more.ab: locked" in text and f"changed on {LATER_TEXT}" in text
    assert not [path for path in place.built("new") if "/more/" in path]


def test_a_picture_of_a_list_is_gone(place: Mixed) -> None:
    place.things["/p/2.jpg"] = status(410)
    text = refused(place, 4)
    assert "1 of 6 locked rows give no file now: row 2" in text and "/p/2.jpg gone on 20" in text
    assert not [path for path in place.built("new") if "photos" in path]
    assert place.frozen(root="new").code == 4  # and the next run neither takes it
    place.things["/p/2.jpg"] = Thing(picture(102), "image/jpeg")
    assert place.frozen("--retry-gone", root="new").code == 0
    assert place.built("new") == place.built()


def test_a_host_of_a_list_that_is_down_may_be_up_later(place: Mixed) -> None:
    picture_ = place.things["/p/2.jpg"]
    place.things["/p/2.jpg"] = status(500)
    assert "row 2" in refused(place, 5)
    place.things["/p/2.jpg"] = picture_
    assert place.frozen(root="new").code == 0


def test_a_picture_of_a_list_is_another_one(place: Mixed) -> None:
    place.things["/p/2.jpg"] = Thing(picture(999), "image/jpeg")
    text = refused(place, 4)
    assert "drift: photos: 1 of its 6 locked rows give another file now: row 2 jay/2.jpg" in text
    # Without the lock it is taken, from what came.
    asked = len(place.server.seen)
    assert place.get(root="new").code == 0
    assert not [path for path in place.asked()[asked:] if path.startswith("/p/")]


def test_the_list_itself(place: Mixed) -> None:
    thing = place.things["/birds.csv"]
    assert isinstance(thing, Thing)
    place.things["/birds.csv"] = Thing(thing.data.replace(b"tit", b"owl"), "text/csv", modified=LATER)
    assert "drift: birds.csv: locked" in refused(place, 4)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("/real.zip", "/real2.zip", "real was locked at"),
        ('"<split>/<class>/<file>"}}\n', '"<split>/x/<class>/<file>"}}\n', "its layout is another one"),
        ("    unpack: true\n  - name: more", "    unpack: true\n    skip: ['0*']\n  - name: more", "skips"),
        ("birds.csv, read: csv", "birds.csv, read: csv, min_bytes: 3", "lists"),
    ],
)
def test_the_recipe(old: str, new: str, said: str, place: Mixed) -> None:
    assert old in RECIPE
    place.write(RECIPE.replace(old, new, 1))
    asked = len(place.server.seen)
    ended = place.frozen(root="new")
    assert ended.code == 2 and "the recipe has changed since it was locked" in ended.err and said in ended.err
    assert len(place.server.seen) == asked and not (place.folder / "new").exists()


def test_an_artifact_more_or_less(place: Mixed) -> None:
    place.write(
        RECIPE.replace(
            "  - name: words.txt", "  - name: new.bin\n    url: '{url}/real.zip'\n  - name: words.txt"
        )
    )
    assert "new.bin was not locked" in place.frozen(root="new").err


def test_a_file_beside_the_recipe(place: Mixed) -> None:
    (place.folder / "recipes/words.txt").write_text("others\n")
    assert place.frozen(root="new").code == 2


def test_what_is_built_of_another_version_is_told_and_left_alone(place: Mixed) -> None:
    place.things["/real.zip"] = Thing(real(seed=7), modified=LATER)
    assert place.get(root="newer").code == 0
    before, asked = place.built("newer"), len(place.server.seen)
    ended = place.frozen(root="newer")
    assert ended.code == 13 and "built here of a file with sha256" in ended.err and "-o" in ended.err
    assert place.built("newer") == before and len(place.server.seen) == asked


def test_a_document_or_file_that_was_changed_here_by_another_lock(place: Mixed) -> None:
    """A lock whose tree is another one though all of its artifacts agree: told at the end, whatever is right."""
    lock = place.folder / "datafetch.lock"
    tree = place.get().report["tree_digest"]
    lock.write_text(lock.read_text().replace(tree, "0" * 64))
    ended = place.frozen()
    assert ended.code == 13 and "documents that are made here differ" in told(ended)


def test_a_mirror_has_what_upstream_has_no_longer(place: Mixed) -> None:
    with Mixed(place.folder / "mirror") as mirror:
        host = place.server.url.partition("://")[2]
        mirror.things |= {f"/{host}{path}": answer for path, answer in place.things.items()}
        place.things.clear()
        ended = place.frozen("--mirror", mirror.server.url, root="new")
        assert (ended.code, place.built("new")) == (0, place.built())


def test_offline_says_what_is_missing(place: Mixed) -> None:
    ended = place.frozen("--offline", root="new")
    assert ended.code == 5 and "drift" not in told(ended)


def test_a_plan_is_held_to_the_lock_too(place: Mixed) -> None:
    assert place.frozen("--dry-run", root="new").code == 0
    place.write(RECIPE.replace("/real.zip", "/real2.zip", 1))
    assert place.frozen("--dry-run", root="new").code == 2


def test_whole_paths_differ_between_machines(place: Mixed) -> None:
    assert place.frozen("--absolute-paths").code == 2


# --- What a changed archive costs -----------------------------------------------------------------------------------


def gets(place: Mixed, path: str, since: int) -> int:
    return sum(seen.path == path and seen.method == "GET" for seen in place.server.seen[since:])


def changed_once(place: Mixed, was: Thing, now: Thing) -> tuple[str, int, int]:
    """What is said of a file that was locked as one thing and is another, how often it was asked for, and what came."""
    place.things["/real.zip"] = was
    assert place.get(root="locked").code == 0
    assert place.lock(root="locked").code == 0
    place.things["/real.zip"] = now
    asked = len(place.server.seen)
    ended = place.frozen(root="new")
    assert ended.code == 4
    others = sum(
        len(thing.data)
        for path, thing in place.things.items()
        if isinstance(thing, Thing) and path != "/real.zip"
    )
    looked = 1  # for what there is now, once it was refused
    return (
        told(ended),
        gets(place, "/real.zip", asked) - looked,
        ended.report["bytes"]["transferred"] - others,
    )


def same_size(seed: int = 1) -> tuple[bytes, bytes]:
    one = real()
    other = bytearray(one)
    other[60] ^= seed
    return one, bytes(other)


def test_tags_that_are_digests_tell_it_before_a_byte_is_fetched(place: Mixed) -> None:
    one, other = same_size()
    text, asked, came = changed_once(place, Thing(one), Thing(other, modified=LATER))
    assert "drift: real" in text and "its ETag was" in text
    assert (asked, came) == (1, 0)


def test_other_validators_and_one_fetch_tell_it(place: Mixed) -> None:
    one, other = same_size()
    was, now = Thing(one, etag='"v1"'), Thing(other, etag='"v2"', modified=LATER)
    text, asked, came = changed_once(place, was, now)
    assert "drift: real" in text and 'ETag was "v1", now "v2"' in text
    assert (asked, came) == (1, len(other))


def test_without_validators_two_fetches_tell_it(place: Mixed) -> None:
    one, other = same_size()
    text, asked, came = changed_once(
        place, Thing(one, etag="", modified=0), Thing(other, etag="", modified=0)
    )
    assert "drift: real" in text and "the same bytes came twice" in text
    assert (asked, came) == (2, 2 * len(other))


def test_the_locked_bytes_under_other_tags_and_dates_are_no_drift(place: Mixed) -> None:
    place.things["/real.zip"] = Thing(real(), etag='"5f5e1000-c00"')
    assert place.get(root="locked").code == 0
    assert place.lock(root="locked").code == 0
    place.things["/real.zip"] = Thing(real(), etag='"65541b00-c00"', modified=LATER)
    assert place.frozen(root="new").code == 0
