"""`lock` and `get --frozen` where nothing has changed: the same lock, the same tree, whatever the machine is like."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed import RECIPE, ROWS, Mixed
from process import datafetch_
from server import Thing, status

from datafetch.errors import UsageError
from datafetch.lock.digests import layout_digest, recipe_digest
from datafetch.lock.document import Entry, LockedArtifact, LockedFile, LockFile, Rows, parse, ranges, text
from datafetch.recipe import registry

HERE = {"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}
ELSEWHERE = {
    "LANG": "de_DE.ISO-8859-1",
    "LC_ALL": "POSIX",
    "TZ": "Pacific/Kiritimati",
    "PYTHONHASHSEED": "4711",
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_lock_says_what_was_fetched_and_what_it_became(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        report = place.get().report
        ended = place.lock()
        assert (ended.code, ended.err) == (0, "")
        assert f"tree {report['tree_digest'][:16]}" in ended.out
        entry = tomllib.loads(place.text)["dataset"][0]
        zip_ = place.things["/real.zip"]
        assert isinstance(zip_, Thing)
        artifacts = {one["name"]: one for one in entry["artifact"]}
        assert artifacts["real"] == {
            "name": "real",
            "url": f"{place.server.url}/real.zip",
            "size": len(zip_.data),
            "sha256": sha256(zip_.data),
            "etag": zip_.headers["ETag"],
            "last_modified": zip_.headers["Last-Modified"],
            "files": 6,
            "bytes": sum(len(data) for path, data in place.built().items() if "/mug/" in path),
            "digest": artifacts["real"]["digest"],
        }
        assert [one["name"] for one in artifacts["more.tar.gz"]["shard"]] == ["more.aa", "more.ab", "more.ac"]
        assert artifacts["photos"]["rows"] == f"1-{ROWS}"
        assert (entry["tree"], entry["files"]) == (report["tree_digest"], report["counts"]["ok"])
        lines = "".join(f"{sha256(data)}  {path}\n" for path, data in sorted(place.built().items()))
        assert entry["tree"] == sha256(lines.encode())
        assert str(tmp_path) not in place.text


def test_two_machines_that_differ_in_all_write_the_same_lock_and_tree(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        here = place.get(root="here", env=HERE, before=lambda: os.umask(0o022)).report
        place.lock("--lock-file", "here.lock", root="here", env=HERE, before=lambda: os.umask(0o022))
        # The other one fetches the pictures in another order, by one connection, a part first.
        args = ("--jobs", "1", "--only", "photos")
        assert place.get("-x", "1", root="there", env=ELSEWHERE, before=lambda: os.umask(0o077)).code == 0, (
            args
        )
        place.lock("--lock-file", "there.lock", root="there", env=ELSEWHERE, before=lambda: os.umask(0o077))
        assert (tmp_path / "here.lock").read_bytes() == (tmp_path / "there.lock").read_bytes()
        third = place.frozen("--lock-file", "here.lock", root="third", env=ELSEWHERE)
        assert (third.code, third.report["tree_digest"]) == (0, here["tree_digest"])
        assert place.built("third") == place.built("here")


def test_frozen_on_what_is_locked_does_no_harm_and_asks_nobody_again(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        first = place.get().report
        place.lock()
        before, asked = place.text, len(place.server.seen)
        for _ in range(2):
            again = place.frozen()
            assert (again.code, again.report["bytes"]["transferred"]) == (0, 0)
            assert again.report["tree_digest"] == first["tree_digest"]
        assert place.frozen("--offline").code == 0
        assert place.lock().code == 0
        assert (place.text, len(place.server.seen)) == (before, asked)


def test_a_lock_outlives_checksums_mirrors_and_words_that_a_recipe_gains(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        place.get()
        place.lock()
        recipe = (tmp_path / "recipes/mixed.yaml").read_text()
        digest = sha256(place.things["/real.zip"].data)  # type: ignore[union-attr]
        pinned = recipe.replace(
            'real.zip"',
            f'real.zip"\n    note: "pinned"\n    checksums: [{{sha256: {digest}, source: us}}]',
            1,
        )
        assert pinned != recipe
        (tmp_path / "recipes/mixed.yaml").write_text(pinned)
        assert place.frozen().code == 0
        assert place.frozen(root="new").code == 0


def test_rows_that_gave_nothing_when_locked_are_not_asked_for(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        dead = place.things["/p/3.jpg"]
        place.things["/p/3.jpg"] = status(404)
        assert place.get().report["counts"]["missing"] == 1
        place.lock()
        assert 'rows = "1-2,4-6"' in place.text
        place.things["/p/3.jpg"] = dead  # it has come back since
        asked = len(place.server.seen)
        new = place.frozen(root="new")
        assert (new.code, new.report["counts"]["skipped"], new.report["counts"]["total"]) == (0, 1, 15 + 3)
        assert "/p/3.jpg" not in place.asked()[asked:]
        assert place.built("new") == place.built()
        # And a run that is not held to the lock has it.
        assert place.get(root="new").report["counts"]["ok"] == new.report["counts"]["ok"] + 1


def test_what_is_not_here_cannot_be_locked(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        ended = place.lock()
        assert ended.code == 2 and "not here" in ended.err and "hint: datafetch get mixed first" in ended.err
        place.get()
        (tmp_path / "out/mixed/test/mug/0.png").unlink()
        ended = place.lock()
        assert ended.code == 2 and "--repair" in ended.err
        assert not (tmp_path / "datafetch.lock").exists()


def test_frozen_without_an_entry_says_so(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        ended = place.frozen()
        assert ended.code == 2 and "no lock file" in ended.err and "datafetch lock mixed" in ended.err
        place.get()
        place.lock()
        ended = place.frozen("--only", "real")
        assert ended.code == 2 and "no entry for mixed --only real; it has mixed" in ended.err
        (tmp_path / "datafetch.lock").write_text("version = 2\n")
        assert "version 2" in place.frozen().err
        (tmp_path / "datafetch.lock").write_text("version = 1\n[[dataset]]\nname = 3\n")
        ended = place.frozen()
        assert ended.code == 2 and "name" in ended.err


def test_a_choice_has_its_own_entry_beside_the_others(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        place.get("--only", "real")
        place.lock("--only", "real")
        place.get()
        place.lock()
        found = [entry.get("choices", []) for entry in tomllib.loads(place.text)["dataset"]]
        assert found == [[], ["--only real"]]
        # The part agrees though more is here, and where only it is fetched.
        assert place.frozen("--only", "real").code == 0
        asked = len(place.server.seen)
        assert place.frozen("--only", "real", root="new").code == 0
        assert set(place.asked()[asked:]) == {"/real.zip"}


def test_a_subset_and_a_stream_are_held_by_their_files(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        part = ("--only", "real", "--split", "train")
        place.get(*part)
        assert place.lock("--only", "real").code == 2  # it would promise the whole
        assert place.lock(*part).code == 0
        assert place.frozen(*part, root="new").code == 0
        assert place.built("new") == place.built()
        place.get("--only", "real", "--stream", root="streamed")
        assert place.lock("--only", "real", root="streamed").code == 0
        zip_ = place.things["/real.zip"]
        assert isinstance(zip_, Thing)
        entries = tomllib.loads(place.text)["dataset"]
        streamed = next(one for one in entries if one["choices"] == ["--only real"])["artifact"][0]
        assert "sha256" not in streamed  # nobody has hashed all of it
        assert (streamed["url"], streamed["size"]) == (f"{place.server.url}/real.zip", len(zip_.data))
        assert streamed["etag"] == zip_.headers["ETag"]
        assert place.frozen("--only", "real", root="whole").code == 0
        assert place.lock("--only", "real", root="whole").code == 0
        assert "sha256 = " in place.text.partition('choices = ["--only real"]')[2]
        assert place.frozen("--only", "real", "--stream", root="again").code == 0


def test_without_a_date_of_upstream_the_day_it_was_first_seen_is_kept(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        place.things["/real.zip"] = Thing(place.things["/real.zip"].data, modified=0, etag="")  # type: ignore[union-attr]
        place.get()
        place.lock()
        day = tomllib.loads(place.text)["dataset"][0]["artifact"][0]["seen"]
        before = place.text.replace(f'"{day}"', '"2001-02-03"')
        assert before != place.text
        (tmp_path / "datafetch.lock").write_text(before)
        place.lock()
        assert place.text == before


def test_a_group_is_locked_member_by_member(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        (tmp_path / "recipes/all.yaml").write_text("name: all\nmembers: [mixed]\nartifacts: []\n")
        words = ("all", "-o", "out", "--registry", "recipes")
        assert datafetch_("get", *words, "--allow-private", cwd=tmp_path).code == 0
        assert datafetch_("lock", *words, cwd=tmp_path).code == 0
        assert tomllib.loads(place.text)["dataset"][0]["name"] == "mixed"
        new = ("all", "-o", "new", "--registry", "recipes", "--frozen", "--allow-private")
        assert datafetch_("get", *new, cwd=tmp_path).code == 0


# --- The file -------------------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8"), max_size=12)
named = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
sizes = st.one_of(st.none(), st.integers(0, 2**40))
files = st.builds(LockedFile, words, words, sizes, words, words, words, words)
artifacts = st.builds(
    LockedArtifact,
    named,
    words,
    sizes,
    words,
    words,
    words,
    words,
    words,
    shard=st.lists(files, max_size=2).map(tuple),
)
entries = st.builds(
    Entry,
    named,
    st.lists(words, max_size=3).map(tuple),
    words,
    artifact=st.lists(artifacts, max_size=2).map(tuple),
)


@given(st.lists(entries, max_size=3))
def test_what_is_written_is_read_again(found: list[Entry]) -> None:
    lock = LockFile().holding(found)
    assert parse(text(lock).encode(), "x.lock") == lock
    assert LockFile().holding(found[::-1]).dataset == lock.dataset or len(
        {(e.name, e.choices) for e in found}
    ) < len(found)


@given(st.sets(st.integers(1, 60)))
def test_ranges_hold_what_they_were_made_of(numbers: set[int]) -> None:
    rows = Rows(ranges(sorted(numbers)))
    assert {number for number in range(70) if number in rows} == numbers


def test_what_is_no_range_is_told() -> None:
    with pytest.raises(UsageError, match="1-4,6"):
        Rows("1-x")
    with pytest.raises(UsageError, match="no lock file"):
        parse(b"\xff", "x.lock")


def test_the_digest_of_a_recipe_is_the_same_in_every_version(tmp_path: Path) -> None:
    """What is locked today must be found tomorrow: a field that the language gains may change none of these."""
    (tmp_path / "mixed.yaml").write_text(RECIPE.format(url="https://example.org"))
    (tmp_path / "words.txt").write_text("of no matter\n")
    recipe = registry.load("mixed", (tmp_path,))
    assert recipe_digest(recipe, recipe.artifacts)[:16] == "331f4df5e41916ff"
    assert layout_digest(recipe)[:16] == "41f6423df65955bb"
