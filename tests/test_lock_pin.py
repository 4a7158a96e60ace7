"""`recipe pin`: what was hashed here becomes a checksum file that holds others to it; nothing is invented."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mixed import RECIPE, Mixed, real, told
from server import Thing, status

from datafetch.lock.pin import user

LISTED = ["real.zip", "more.aa", "more.ab", "more.ac", "birds.csv"]


def body(place: Mixed, name: str) -> bytes:
    thing = place.things[f"/{name}"]
    assert isinstance(thing, Thing)
    return thing.data


def test_the_lines_are_those_of_sha256sum_with_a_note_of_who_saw_it(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        place.get()
        ended = place.pin()
        assert ended.code == 0
        lines = ended.out.splitlines()
        assert lines[1::2] == [f"{hashlib.sha256(body(place, name)).hexdigest()}  {name}" for name in LISTED]
        where = f"# {len(real())} bytes from {place.server.url}/real.zip"
        note = rf"{re.escape(where)}, seen on \d{{4}}-\d\d-\d\d by {user()}@\S+ with datafetch"
        assert re.match(note, lines[0])
        assert "photos: left out" in ended.err and "words.txt: left out" in ended.err


def test_they_are_written_beside_the_recipe_which_then_refuses_others(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        place.get()
        place.lock()
        file = tmp_path / "recipes/mixed.sha256"
        first = place.pin("--recipe", "recipes/mixed.yaml")
        assert "5 added, 0 there already" in first.out and "checksums: [mixed.sha256]" in first.err
        place.write(RECIPE.replace("title:", "checksums: [mixed.sha256]\ntitle:"))
        before = file.read_text()
        again = place.pin("--recipe", "recipes/mixed.yaml")
        assert "0 added, 5 there already" in again.out and not again.err.count("hint:")
        assert file.read_text() == before
        assert place.frozen(root="locked").code == 0  # the lock holds as before
        place.things["/real.zip"] = Thing(real(seed=7))
        assert "sha256 is" in told(place.get(root="new"))


def test_what_stands_in_a_checksum_file_stays(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        line = f"{hashlib.sha256(body(place, 'birds.csv')).hexdigest()}  birds.csv"
        (tmp_path / "recipes/own.sha256").write_text(f"# upstream's own\n{line}")
        place.write(RECIPE.replace("title:", "checksums: own.sha256\ntitle:"))
        place.get()
        assert "4 added, 1 there already" in place.pin("--recipe", "recipes/mixed.yaml").out
        assert (tmp_path / "recipes/own.sha256").read_text().startswith(f"# upstream's own\n{line}\n# ")
        assert place.get(root="new").code == 0


def test_nothing_is_said_of_what_was_not_fetched_whole_from_its_address(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        assert place.pin().code == 2  # nothing is here
        place.get("--only", "real", "--split", "train")
        ended = place.pin()
        assert ended.out == "" and "real: left out" in ended.err
        place.get("--only", "birds.csv")
        assert [line.split()[1] for line in place.pin().out.splitlines()[1::2]] == ["birds.csv"]
        place.write(
            RECIPE.replace("/birds.csv", "/other.csv", 1)
        )  # another address: nobody has seen its file
        assert place.pin().out == ""


def test_a_recipe_that_says_another_digest_is_not_overruled(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        place.get("--only", "real")
        place.write(
            RECIPE.replace('real.zip"\n', 'real.zip"\n    checksums: [{{sha256: ' + "0" * 64 + "}}]\n", 1)
        )
        ended = place.pin("--recipe", "recipes/mixed.yaml")
        assert ended.code == 2 and "the recipe says sha256" in ended.err
        assert not (tmp_path / "recipes/mixed.sha256").exists()


def test_two_files_of_one_name_are_left_to_their_author(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        place.things["/b/real.zip"] = Thing(real(seed=7))
        more = "  - name: twin\n    url: '{url}/b/real.zip'\n  - name: words.txt"
        place.write(
            RECIPE.replace("  - name: words.txt", more).replace(
                '"words.txt", to', '"twin", to: t}}\n  - {{from: "words.txt", to'
            )
        )
        assert place.get("--only", "real", "--only", "twin").code == 0
        ended = place.pin()
        assert "two files of this name" in ended.err and "real.zip" not in ended.out


def test_a_name_that_the_recipe_file_does_not_hold(tmp_path: Path) -> None:
    with Mixed(tmp_path) as place:
        place.things["/real.zip"] = status(404)
        (tmp_path / "recipes/b.yaml").write_text(
            "name: b\nartifacts:\n  - {name: x, url: 'https://example.org/x'}\n"
        )
        ended = place.pin("--recipe", "recipes/b.yaml")
        assert ended.code == 2 and "holds no recipe mixed" in ended.err
