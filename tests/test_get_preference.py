"""`get` of the three datasets of preference end to end: raw files brought in every shape, the unified JSON out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import rules
import taste
from archives import picture, zip_of
from PIL import Image
from process import Ended, datafetch_
from server import Answer, FaultServer, Thing, status
from test_cli_tree import files_below, scaffolding

from datafetch import preference

SPLITS = ("train", "val", "test")


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def get(name: str, out: Path, *more: str, env: Mapping[str, str] | None = None) -> Ended:
    return datafetch_("get", name, "-o", str(out), "--json", *more, cwd=out.parent, env=env)


def documents(out: Path, name: str) -> dict[str, Any]:
    folder = out / name / "processed_dataset"
    return {split: json.loads((folder / f"{split}.json").read_bytes()) for split in SPLITS}


def found_in(out: Path, name: str, folder: str, broken: tuple[str, ...] = ()) -> rules.Found:
    here = {path.stem: f"{folder}/{path.name}" for path in (out / name / folder).iterdir()}
    return lambda item: None if item in broken else here.get(item)


def flickr(out: Path, photos: taste.Photos, **words: Any) -> dict[str, Any]:
    found = found_in(out, "flickr-aes", "40K", photos.broken)
    return rules.flickr(photos.files[taste.RATINGS], photos.files[taste.SCORES], found, **words)


def as_upstream_reads(folder: Path, split: str) -> list[tuple[str, str, str, Image.Image | None]]:
    """What the loader of the benchmark takes of each record: the user, the style, a prompt of the captions, and the
    picture of the target, None where it would make up noise.
    """
    found = []
    for one in json.loads((folder / f"processed_dataset/{split}.json").read_bytes()):
        user = one.get("user_id") or one.get("worker_id", "")
        style = one.get("user_style") or one.get("worker_style", "")
        told = [item["caption"] for item in one.get("history_items_info", []) if item.get("caption")]
        prompt = " ".join(f"{turn}. {caption}" for turn, caption in enumerate(told, 1))
        target = one.get("target_item_info", {})
        path = folder / target.get("image_path", "")
        image = Image.open(path).convert("RGB") if target.get("item_id") and path.is_file() else None
        found.append((user, style, prompt, image))
    return found


# --- Ratings of photos ---


def test_ratings_become_the_records_that_the_rules_describe(tmp_path: Path) -> None:
    photos, out = taste.photos(), tmp_path / "out"
    ended = get("flickr-aes", out, "--from", str(put(tmp_path / "mine", photos.files)))
    assert ended.code == 0, ended.err
    made = documents(out, "flickr-aes")
    assert made == flickr(out, photos)
    assert all(made.values())
    assert scaffolding(out, "flickr-aes") == []
    for split in SPLITS:
        text = (out / f"flickr-aes/processed_dataset/{split}.json").read_text(encoding="utf-8")
        assert text == json.dumps(made[split], ensure_ascii=False, indent=2)
    assert "no file of captions or of styles was brought" in ended.err


@pytest.mark.parametrize("shape", ["zip", "deep", "copies"])
def test_files_are_found_however_they_were_saved(tmp_path: Path, shape: str) -> None:
    photos, mine = taste.photos(), tmp_path / "mine"
    plain = tmp_path / "plain"
    assert get("flickr-aes", plain, "--from", str(put(tmp_path / "first", photos.files))).code == 0
    tables = {name: data for name, data in photos.files.items() if not name.startswith("40K/")}
    pictures = {name: data for name, data in photos.files.items() if name.startswith("40K/")}
    if shape == "zip":
        put(mine, {"FLICKR-AES-001 (1).zip": zip_of(pictures), "FLICKR-AES-002.zip": zip_of(tables)})
    elif shape == "deep":
        put(mine, {f"FLICKR/{name}": data for name, data in pictures.items()})
        put(mine, {f"FLICKR/iccv_17_aesthetics_dataset/{name}": data for name, data in tables.items()})
    else:
        put(mine, pictures | {name.replace(".", " (2).", 1).strip(): data for name, data in tables.items()})
    ended = get("flickr-aes", tmp_path / "out", "--from", str(mine))
    assert ended.code == 0, ended.err
    assert files_below(tmp_path / "out") == files_below(plain)
    assert scaffolding(tmp_path / "out", "flickr-aes") == []


def test_two_builds_on_other_hash_seeds_are_the_same_bytes(tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", taste.photos().files)
    digests = set()
    for seed in ("0", "4242"):
        out = tmp_path / seed
        ended = get("flickr-aes", out, "--from", str(mine), env={"PYTHONHASHSEED": seed})
        assert ended.code == 0, ended.err
        digests.add(ended.report["tree_digest"])
    assert len(digests) == 1


def test_captions_and_styles_are_merged_when_they_come_later(tmp_path: Path) -> None:
    photos, out = taste.photos(), tmp_path / "out"
    assert get("flickr-aes", out, "--from", str(put(tmp_path / "mine", photos.files))).code == 0
    stems = sorted(Path(name).stem for name in photos.files if name.startswith("40K/"))
    users = sorted({one["worker_id"] for part in documents(out, "flickr-aes").values() for one in part})
    captions = {stem: f'A "vibrant" red bag, {stem} 红' for stem in stems[::2]}
    styles = {user: taste.words_of(user).strip() for user in users[::2]}
    listed = [{"worker": user, "style": style} for user, style in styles.items()]
    words = put(
        tmp_path / "words",
        {
            "FLICKR_captions.json": json.dumps(captions | {"nobody": "x", stems[1]: 5}).encode(),
            "FLICKR_styles.json": json.dumps([*listed, {"worker": "A_STRANGER", "style": "y"}]).encode(),
        },
    )
    ended = get("flickr-aes", out, "--from", str(words))
    assert ended.code == 0, ended.err
    assert documents(out, "flickr-aes") == flickr(out, photos, captions=captions, styles=styles)
    read = [one for split in SPLITS for one in as_upstream_reads(out / "flickr-aes", split)]
    assert read and all(image is not None for *_, image in read)
    assert {style for user, style, *_ in read} == {"", *styles.values()}
    assert any(prompt.startswith('1. A "vibrant" red bag') for _, _, prompt, _ in read)
    last = preference.load(out, "flickr-aes", "test", check=True)[-1]
    assert last.target.path.is_file() and last.style == styles.get(last.user, "")
    assert "FLICKR_captions.json: 1 unknown ids, such as nobody" in ended.err
    assert "FLICKR_captions.json: 1 entries without an id and a text" in ended.err
    assert "FLICKR_styles.json: 1 unknown ids, such as A_STRANGER" in ended.err
    before = files_below(out)
    put(words, {"FLICKR_styles.json": json.dumps(styles).encode()})
    assert get("flickr-aes", out, "--from", str(words)).code == 0
    after = files_below(out)
    changed = {path for path in after if after[path] != before[path]}
    assert changed == {"flickr-aes/FLICKR_styles.json"}, "a map says the same as a list"


def test_paths_are_absolute_on_demand_and_relative_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine = put(tmp_path / "mine", taste.photos().files)
    assert get("flickr-aes", out, "--from", str(mine)).code == 0
    relative = files_below(out)
    assert get("flickr-aes", out, "--absolute-paths").code == 0
    for part in documents(out, "flickr-aes").values():
        for one in part:
            for info in (*one["history_items_info"], one["target_item_info"]):
                assert os.path.isabs(info["image_path"]) and Path(info["image_path"]).is_file()
    (out / "flickr-aes/processed_dataset/val.json").unlink()
    assert datafetch_("verify", "flickr-aes", "-o", str(out), "--repair", cwd=tmp_path).code == 0
    assert documents(out, "flickr-aes")["val"][0]["target_item_info"]["image_path"].startswith("/")
    assert get("flickr-aes", out).code == 0
    assert files_below(out) == relative


def test_a_second_run_makes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine = put(tmp_path / "mine", taste.photos().files)
    assert get("flickr-aes", out, "--from", str(mine)).code == 0
    made = (out / "flickr-aes/processed_dataset/train.json").stat()
    ended = get("flickr-aes", out, "--from", str(mine))
    assert ended.code == 0 and ended.report["seconds"] < 5
    again = (out / "flickr-aes/processed_dataset/train.json").stat()
    assert (made.st_ino, made.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)


def test_the_older_schema_takes_the_place_of_the_unified_one(tmp_path: Path) -> None:
    photos, out = taste.photos(), tmp_path / "out"
    mine = put(tmp_path / "mine", photos.files)
    assert get("flickr-aes", out, "--from", str(mine)).code == 0
    ended = get("flickr-aes", out, "--schema", "older")
    assert ended.code == 0, ended.err
    made = documents(out, "flickr-aes")
    ratings = 0
    for part in made.values():
        for one in part:
            assert list(one) == ["user_id", "interaction_sequence", "num_interactions"]
            assert one["num_interactions"] == len(one["interaction_sequence"])
            ratings += one["num_interactions"]
            for hit in one["interaction_sequence"]:
                assert list(hit) == ["item_id", "score", "image_path"] and isinstance(hit["score"], float)
                assert hit["item_id"].endswith(".jpg") and (out / "flickr-aes" / hit["image_path"]).is_file()
    assert ratings and {one["user_id"] for one in made["val"]} <= {one["user_id"] for one in made["train"]}
    assert get("flickr-aes", out).code == 0
    assert documents(out, "flickr-aes") == flickr(out, photos)


def test_a_summary_is_told_by_report_and_info(tmp_path: Path) -> None:
    photos, out = taste.photos(), tmp_path / "out"
    ended = get("flickr-aes", out, "--from", str(put(tmp_path / "mine", photos.files)))
    told = ended.report["derived"]["unified"]
    made = documents(out, "flickr-aes")
    assert told["windows"] == {split: len(made[split]) for split in SPLITS}
    assert (told["users"], told["ratings"], told["seed"]) == (13, 12 * 30 + 3, 42)
    dropped = told["dropped"]
    assert dropped["row has not three columns"] == dropped["score is none of 1 to 5"] == 1
    assert dropped["row without a user or an item"] == dropped["mean score that cannot be read"] == 1
    assert dropped["picture that does not decode"] == len(photos.broken)
    said = datafetch_("info", "flickr-aes", "-o", str(out), cwd=tmp_path)
    assert "ratings with a picture" in said.out and "193,208" in said.out
    as_json = datafetch_("info", "flickr-aes", "-o", str(out), "--json", cwd=tmp_path)
    assert as_json.report["derived"]["unified"] == told


def test_what_has_to_be_brought_is_asked_for(tmp_path: Path) -> None:
    with FaultServer(lambda path: status(404)) as server:
        ended = get("flickr-aes", tmp_path / "out", "--mirror", server.url, "--mirror-only")
    assert ended.code == 7
    assert "1LR6trJhN4XbgTtqZo1zfe272cAkXqA7e" in ended.err and "--from DIR" in ended.err
    assert "FLICKR-AES_image_labeled_by_each_worker.csv" in ended.err


# --- Clicks of shoppers ---


def shop(tables: Mapping[str, bytes], dead: tuple[str, ...] = ()) -> FaultServer:
    ids = [row.split(b",")[0].decode() for row in tables["item_data.txt"].splitlines()]

    def find(path: str) -> Answer | None:
        item = path.rpartition("/")[2].removesuffix(".jpg")
        if "img.alicdn.example/i/" not in path or item not in ids or item in dead:
            return None
        return Thing(picture(ids.index(item) % 13))

    return FaultServer(find)


def asked(server: FaultServer) -> set[str]:
    return {seen.path.rpartition("/")[2] for seen in server.seen if "/i/" in seen.path}


def test_clicks_become_the_records_that_the_rules_describe(tmp_path: Path) -> None:
    tables, out = taste.clicks(), tmp_path / "out"
    mine = put(tmp_path / "mine", tables)
    with shop(tables) as server:
        ended = get("pog", out, "--from", str(mine), "--mirror", server.url, "--mirror-only")
        fetched = asked(server)
    assert ended.code == 0, ended.err
    drawn = (out / "pog/selection/users.txt").read_text().splitlines()
    found = found_in(out, "pog", "images_sampled")
    assert documents(out, "pog") == rules.pog(drawn, found)
    touched = {item for row in drawn for item in row.split(",")[1].split(";")}
    listed = {row.split(b",")[0].decode() for row in tables["item_data.txt"].splitlines()}
    assert fetched == {f"{item}.jpg" for item in touched & listed}
    longest = {}  # the last row of four items or more of each user
    for row in tables["user_data.txt"].decode().splitlines():
        parts = row.split(",")
        if len(parts) == 3 and len(parts[1].split(";")) >= 4:
            longest[parts[0]] = row
    assert drawn == [longest[user] for user in sorted(longest)]
    assert ended.report["derived"]["selection"]["dropped"]["row without a user and items"] == 1


def test_a_file_of_users_wins_and_needs_no_table_of_them(tmp_path: Path) -> None:
    tables, out = taste.clicks(), tmp_path / "out"
    rows = tables["user_data.txt"].decode().splitlines()
    subset = "\n".join(rows[20:30])
    mine = put(
        tmp_path / "mine",
        {"item_data.txt": tables["item_data.txt"], "POG_subset_user_2000.txt": subset.encode()},
    )
    with shop(tables) as server:
        options = ("--mirror", server.url, "--mirror-only", "--users", "subset")
        ended = get("pog", out, "--from", str(mine), *options)
    assert ended.code == 0, ended.err
    assert documents(out, "pog") == rules.pog(subset.splitlines(), found_in(out, "pog", "images_sampled"))
    put(mine, {"user_data.txt": tables["user_data.txt"]})
    with shop(tables) as server:
        ended = get("pog", tmp_path / "all", "--from", str(mine), "--mirror", server.url, "--mirror-only")
    assert ended.code == 0, ended.err
    assert documents(tmp_path / "all", "pog") == documents(out, "pog")


@pytest.mark.skipif(shutil.which("7z") is None, reason="no 7z to pack with")
def test_the_tables_are_taken_as_upstream_packs_them_and_their_md5_is_held_to(tmp_path: Path) -> None:
    tables, out, mine = taste.clicks(), tmp_path / "out", tmp_path / "mine"
    put(tmp_path / "plain", tables)
    mine.mkdir()
    pack = ["7z", "a", "-bso0", str(mine / "user_data.7z"), "user_data.txt"]
    subprocess.run(pack, cwd=tmp_path / "plain", check=True)
    put(mine, {"item_data.txt (1).zip": zip_of({"item_data.txt": tables["item_data.txt"]})})
    ended = get("pog", out, "--from", str(mine), "--offline")
    assert ended.code == 7 and "expected 2ff9254d67fb13d04824621ca1387622" in ended.err
    recipe = Path(__file__).resolve().parent.parent / "registry/pog.yaml"
    text = re.sub(r"checksums: \[.*\]", "checksums: unknown", recipe.read_text())
    put(tmp_path / "recipes", {"pog.yaml": text.encode()})
    with shop(tables) as server:
        options = ("--mirror", server.url, "--mirror-only", "--registry", str(tmp_path / "recipes"))
        ended = get("pog", out, "--from", str(mine), *options)
    assert ended.code == 0, ended.err
    drawn = (out / "pog/selection/users.txt").read_text().splitlines()
    assert documents(out, "pog") == rules.pog(drawn, found_in(out, "pog", "images_sampled"))


def test_a_dead_picture_drops_its_windows_and_brought_ones_are_not_asked_for(tmp_path: Path) -> None:
    tables, out = taste.clicks(), tmp_path / "out"
    ids = [row.split(b",")[0].decode() for row in tables["item_data.txt"].splitlines()]
    dead = tuple(ids[10:14])
    brought = {f"images_sampled/{item}.png": picture(3, form="PNG") for item in ids[20:30]}
    mine = put(tmp_path / "mine", {**tables, **brought})
    with shop(tables, dead) as server:
        options = ("--mirror", server.url, "--mirror-only", "--min-complete", "50%")
        ended = get("pog", out, "--from", str(mine), *options)
        assert not {f"{item}.jpg" for item in ids[20:30]} & asked(server)
    assert ended.report["status"] == "complete", ended.err
    drawn = (out / "pog/selection/users.txt").read_text().splitlines()
    fetched, own = found_in(out, "pog", "images_sampled"), found_in(out, "pog", "images")
    made = documents(out, "pog")
    assert made == rules.pog(drawn, lambda item: fetched(item) or own(item))
    named = {info["item_id"] for part in made.values() for one in part for info in one["history_items_info"]}
    assert named and not named & set(dead) and named & set(ids[20:30])


def test_the_older_schema_of_clicks(tmp_path: Path) -> None:
    tables, out = taste.clicks(), tmp_path / "out"
    mine = put(tmp_path / "mine", tables)
    with shop(tables) as server:
        options = ("--mirror", server.url, "--mirror-only", "--schema", "older")
        assert get("pog", out, "--from", str(mine), *options).code == 0
    made = documents(out, "pog")
    sizes = [len(made[split]) for split in SPLITS]
    total = sum(sizes)
    assert sizes[:2] == [int(total * 0.8), int(total * 0.05)]
    for one in (one for part in made.values() for one in part):
        assert one["target_item_id"] == one["history_item_ids"][-1]
        assert one["num_interactions"] == len(one["history_item_ids"]) == len(one["history_items_info"])


# --- Stickers by topic ---


def sticker_topics(out: Path) -> dict[str, list[str]]:
    folder = out / "ser30k/Images"
    return {topic.name: [f.name for f in topic.iterdir() if f.suffix == ".jpg"] for topic in folder.iterdir()}


@pytest.mark.parametrize("shape", ["plain", "zip"])
def test_stickers_become_the_records_that_the_rules_describe(tmp_path: Path, shape: str) -> None:
    files, out, mine = taste.stickers(), tmp_path / "out", tmp_path / "mine"
    captions = {name.removeprefix("Images/"): f"a sticker {n}" for n, name in enumerate(files) if n % 2}
    keywords = {
        "topic": "Topic 01 é",
        "num_history_items": 2,
        "keywords": ["cat", "big eyes"],
        "sample_captions": [],
    }
    more = {
        "Annotations/ser30k_captions.json": json.dumps(captions, ensure_ascii=False).encode(),
        "user_preferences.json": json.dumps({"Topic 01 é": keywords, "Topic 99": keywords}).encode(),
        "id_map.csv": b"a,b\n",
    }
    if shape == "zip":
        put(
            mine,
            {"SER30K.zip": zip_of({f"SER_Dataset/{name}": data for name, data in files.items()}), **more},
        )
    else:
        put(mine, {**{f"SER_Dataset/{name}": data for name, data in files.items()}, **more})
    ended = get("ser30k", out, "--from", str(mine))
    assert ended.code == 0, ended.err
    made = documents(out, "ser30k")
    items = {name.removeprefix("Images/") for name in files if name.endswith(".jpg")}
    assert made == rules.ser(
        sticker_topics(out), lambda item: f"Images/{item}", {i: c for i, c in captions.items() if i in items}
    )
    told = ended.report["derived"]["unified"]
    assert told["dropped"]["annotation without a picture"] == 1
    assert told["dropped"]["picture without an annotation"] == 1
    assert "user_preferences.json: 1 unknown ids, such as Topic 99" in ended.err
    assert (out / "ser30k/Annotations/image-level/val.json").is_file()
    assert scaffolding(out, "ser30k") == []


def test_the_older_schema_of_stickers(tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine = put(tmp_path / "mine", taste.stickers())
    assert get("ser30k", out, "--from", str(mine), "--schema", "older").code == 0
    records = [one for part in documents(out, "ser30k").values() for one in part]
    assert len(records) == len(sticker_topics(out))
    for one in records:
        assert one["target_image_path"] == f"Images/{one['target_item_id']}"
        assert one["target_annotation"].get("topic", "") in ("", one["target_item_id"].partition("/")[0])
        assert {Path(i).parts[0] for i in one["history_item_ids"]} == {one["history_topic"]}


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    data = zip_of(taste.stickers())
    mine = put(tmp_path / "mine", {"SER30K.zip": data[: len(data) // 2]})
    ended = get("ser30k", tmp_path / "out", "--from", str(mine))
    assert ended.code == 5 and "Traceback" not in ended.err
    assert not (tmp_path / "out/ser30k").exists()
    assert zipfile.is_zipfile(mine / "SER30K.zip") is False


def test_other_users_later_bring_their_own_pictures(tmp_path: Path) -> None:
    tables = taste.clicks()
    rows = [row for row in tables["user_data.txt"].decode().splitlines() if row.count(";") > 8]
    first, second = ("\n".join(part).encode() for part in (rows[:6], rows[4:12]))
    raw = {"item_data.txt": tables["item_data.txt"], "user_data.txt": tables["user_data.txt"]}
    mine, out = put(tmp_path / "mine", {**raw, "subset_user_2000.txt": first}), tmp_path / "out"
    with shop(tables) as server:
        options = ("--from", str(mine), "--mirror", server.url, "--mirror-only")
        assert get("pog", out, *options).code == 0
        put(mine, {"subset_user_2000.txt": second})
        before = len(asked(server))
        ended = get("pog", out, *options)
        assert ended.code == 0, ended.err
        assert len(asked(server)) > before
        assert get("pog", tmp_path / "fresh", *options).code == 0
    assert documents(out, "pog") == documents(tmp_path / "fresh", "pog")
    found = found_in(out, "pog", "images_sampled")
    assert documents(out, "pog") == rules.pog(second.decode().splitlines(), found)
    for path in (out / "pog/images_sampled").iterdir():
        item = tables["item_data.txt"].split(path.stem.encode())[0].count(b"\n")
        assert path.read_bytes() == picture(item % 13), "no picture stands under another item's name"


def test_another_encoding_of_names_makes_the_same_bytes(tmp_path: Path) -> None:
    """Under a locale that is not UTF-8 a topic with an accent ended the run as a bug, or was spelled otherwise."""
    mine = put(tmp_path / "mine", taste.stickers())
    for name, env in (
        ("plain", {}),
        ("other", {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ):
        ended = get("ser30k", tmp_path / name, "--from", str(mine), env=env)
        assert ended.code == 0, ended.err
    assert files_below(tmp_path / "plain") == files_below(tmp_path / "other")
