"""Raw files of preference that are broken, and what a person does about it: one line, an exit code, a way out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import taste
from archives import picture, zip_of
from process import datafetch_
from server import FaultServer, status
from test_cli_tree import files_below, scaffolding
from test_get_preference import documents, get, put, shop

RATINGS, CAPTIONS = taste.RATINGS.strip(), "FLICKR_captions.json"


def pictures_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.startswith(("40K/", "Images/"))}


def test_a_table_that_is_none_gives_way_to_the_one_that_is_brought_after_it(tmp_path: Path) -> None:
    """It was staged for good: every later run found the broken one again, whatever a person brought."""
    files, out, mine = taste.photos().files, tmp_path / "out", tmp_path / "mine"
    put(mine, files | {taste.RATINGS: b"<!DOCTYPE html><p>sign in"})
    ended = get("flickr-aes", out, "--from", str(mine), "--offline")
    (problem,) = ended.report["problems"]
    assert ended.code == 7 and (problem["name"], problem["why"]) == ("unified", "bad list")
    assert problem["text"].startswith(f"{RATINGS}: expected the columns") and "--from" in problem["hint"]
    assert not (out / "flickr-aes").exists()
    put(mine, {taste.RATINGS: files[taste.RATINGS]})
    ended = get("flickr-aes", out, "--from", str(mine), "--offline")
    assert ended.code == 0, ended.err
    assert get("flickr-aes", tmp_path / "plain", "--from", str(mine), "--offline").code == 0
    assert files_below(out) == files_below(tmp_path / "plain")
    assert scaffolding(out, "flickr-aes") == []


def test_an_archive_that_is_brought_after_a_broken_one_takes_its_place(tmp_path: Path) -> None:
    files, out, mine = taste.stickers(), tmp_path / "out", tmp_path / "mine"
    broken = files | {"Annotations/all_annos.json": b'{"annotations": ['}
    put(mine, {"SER_Dataset.zip": zip_of(broken)})
    assert get("ser30k", out, "--from", str(mine)).code == 7
    put(mine, {"SER_Dataset.zip": zip_of(files)})
    ended = get("ser30k", out, "--from", str(mine))
    assert ended.code == 0, ended.err
    assert (out / "ser30k/Annotations/all_annos.json").read_bytes() == files["Annotations/all_annos.json"]


def test_pictures_in_several_archives_are_all_taken(tmp_path: Path) -> None:
    """Drive packs a large folder into several; the first was taken for the whole."""
    files = taste.photos().files
    pictures = sorted(pictures_of(files).items())
    tables = {name: data for name, data in files.items() if name not in pictures_of(files)}
    parts = {
        f"FLICKR-AES-00{part + 1}.zip": zip_of(
            {f"FLICKR-AES/{name}": data for name, data in pictures[part::2]}
        )
        for part in range(2)
    }
    ended = get(
        "flickr-aes", tmp_path / "out", "--from", str(put(tmp_path / "mine", tables | parts)), "--offline"
    )
    assert ended.code == 0, ended.err
    whole = get("flickr-aes", tmp_path / "whole", "--from", str(put(tmp_path / "all", files)), "--offline")
    assert whole.code == 0 and files_below(tmp_path / "whole") == files_below(tmp_path / "out")


def test_what_was_brought_stays_when_the_next_run_names_no_folder(tmp_path: Path) -> None:
    files, out, mine = taste.photos().files, tmp_path / "out", tmp_path / "mine"
    put(mine, files | {CAPTIONS: b'{"a'})
    assert get("flickr-aes", out, "--from", str(mine), "--offline").code == 7
    words = put(tmp_path / "words", {CAPTIONS: b"{}"})
    ended = get("flickr-aes", out, "--from", str(words), "--offline")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("fault", ["empty", "no pictures", "carriage returns"])
def test_a_dataset_without_a_single_record_is_not_complete(tmp_path: Path, fault: str) -> None:
    """It was called complete, with three empty lists."""
    files = dict(taste.photos().files)
    if fault == "no pictures":
        files |= dict.fromkeys(pictures_of(files), b"nothing that decodes")
    elif fault == "empty":
        files[taste.RATINGS] = b"worker, imagePair, score\n"
    else:
        files[taste.RATINGS] = files[taste.RATINGS].replace(b"\r\n", b"\r")
    ended = get("flickr-aes", tmp_path / "out", "--from", str(put(tmp_path / "mine", files)), "--offline")
    (problem,) = ended.report["problems"]
    assert ended.code == 7 and ended.report["status"] == "failed"
    assert problem["text"].startswith("no record can be made: users")
    assert not (tmp_path / "out/flickr-aes").exists()


def test_pictures_that_do_not_decode_are_named_and_in_no_record(tmp_path: Path) -> None:
    photos, out = taste.photos(), tmp_path / "out"
    ended = get("flickr-aes", out, "--from", str(put(tmp_path / "mine", photos.files)), "--offline")
    assert ended.code == 0
    said = [note for note in ended.report["notes"] if "do not decode" in note]
    assert len(said) == 1 and f"40K/{sorted(photos.broken)[0]}.jpg" in said[0]
    text = json.dumps(documents(out, "flickr-aes"))
    assert photos.broken and not any(stem in text for stem in photos.broken)


def test_a_document_has_a_limit(tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", taste.photos().files)
    with (mine / CAPTIONS).open("wb") as file:
        file.truncate((512 << 20) + 1)
    ended = get("flickr-aes", tmp_path / "out", "--from", str(mine), "--offline")
    assert ended.code == 7
    assert f"{CAPTIONS}: 536,870,913 bytes, more than" in ended.report["problems"][0]["text"]


# --- Clicks: the list of pictures may be empty, or dead ---


def brought_pictures(tables: Mapping[str, bytes]) -> dict[str, bytes]:
    items = [line.partition(",")[0] for line in tables["item_data.txt"].decode().splitlines()]
    return {f"images_sampled/{item}.jpg": picture(n % 9) for n, item in enumerate(items) if item != "short"}


def test_nothing_is_asked_for_when_every_picture_was_brought(tmp_path: Path) -> None:
    """The empty list of what is still to be fetched counted as one failed item, and needed the network."""
    tables = taste.clicks()
    mine = put(tmp_path / "mine", tables | brought_pictures(tables))
    ended = get("pog", tmp_path / "out", "--from", str(mine), "--offline")
    assert ended.code == 0, ended.err
    assert ended.report["counts"]["failed"] == 0
    assert ended.report["derived"]["selection"]["pictures to fetch"] == 0
    with FaultServer(lambda path: status(404)) as server:
        other = get("pog", tmp_path / "other", "--from", str(mine), "--mirror", server.url, "--mirror-only")
        assert other.code == 0 and server.seen == ()
    assert files_below(tmp_path / "other") == files_below(tmp_path / "out")


def test_every_dead_picture_is_counted_also_when_all_are(tmp_path: Path) -> None:
    tables, out = taste.clicks(), tmp_path / "out"
    mine = put(tmp_path / "mine", tables)
    with FaultServer(lambda path: status(404)) as server:
        ended = get("pog", out, "--from", str(mine), "--mirror", server.url, "--mirror-only")
    told = re.search(r"pictures to fetch (\d+)", ended.err)
    assert ended.code == 7 and told
    assert ended.report["counts"]["missing"] == int(told[1]) > 100
    put(mine, brought_pictures(tables))
    ended = get("pog", out, "--from", str(mine), "--offline")
    assert ended.code == 0, ended.err
    assert all(documents(out, "pog").values())


def test_other_users_before_anything_is_built_have_their_pictures_fetched(tmp_path: Path) -> None:
    tables, out = taste.clicks(), tmp_path / "out"
    short = "\n".join(row for row in tables["user_data.txt"].decode().splitlines() if row.count(";") < 3)
    mine = put(tmp_path / "mine", tables | {"subset_user_2000.txt": short.encode()})
    with shop(tables) as server:
        network = ("--mirror", server.url, "--mirror-only")
        ended = get("pog", out, "--from", str(mine), *network)
        assert ended.code == 7, ended.err
        (mine / "subset_user_2000.txt").write_bytes(b"\n".join(tables["user_data.txt"].splitlines()[9:15]))
        ended = get("pog", out, "--from", str(mine), *network)
        assert ended.code == 0, ended.err
        plain = get("pog", tmp_path / "plain", "--from", str(mine), *network)
    assert plain.code == 0
    assert documents(out, "pog") == documents(tmp_path / "plain", "pog")


def test_what_to_bring_is_named_before_anything_is_tried(tmp_path: Path) -> None:
    said = datafetch_("info", "ser30k", cwd=tmp_path).out
    assert "bring with --from DIR: Images/*/*\n" in said
    assert "bring with --from DIR: ser30k_captions.json, user_preferences.json, id_map.csv\n" in said
    assert "bring with --from DIR: user_data.txt\n" in datafetch_("info", "pog", cwd=tmp_path).out
